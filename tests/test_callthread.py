"""Tests of L{hybridconn.callthread}."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet import reactor
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from hybridconn.callthread import LONGEST, LONGEST_AT_END, CallThread


class Timers(Clock):
    """Time of the test's own, and the real way back from a thread."""

    def callFromThread(self, *call: Any) -> None:
        """Make a call in the reactor's thread (Twisted)."""
        there: Any = reactor
        there.callFromThread(*call)


class CallThreadTests(TestCase):
    """Calls that take long."""

    def setUp(self) -> None:
        self.clock = Timers()
        self.go = threading.Event()
        self.aborted: list[float] = []
        self.thread = CallThread(self.clock, "test", self.abort)
        self.addCleanup(self.thread.end)
        self.addCleanup(self.go.set)

    def abort(self) -> None:
        self.aborted.append(self.clock.seconds())
        self.go.set()

    async def test_order(self) -> None:
        """One after the other, in one thread that is not the reactor's."""
        threads: list[threading.Thread] = []
        calls = [
            self.thread.run(lambda: threads.append(threading.current_thread()))
            for _ in range(5)
        ]
        for call in calls:
            await call
        self.assertEqual(len(set(threads)), 1)
        self.assertNotIn(threading.main_thread(), threads)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    async def test_long(self) -> None:
        """A call that takes too long is aborted."""
        call = self.thread.run(self.go.wait)
        self.clock.advance(LONGEST - 0.1)
        self.assertEqual(self.aborted, [])
        self.clock.advance(0.1)
        await call
        self.assertEqual(self.aborted, [LONGEST])

    async def test_hurry(self) -> None:
        """At the end none may take long, those among them that were begun."""
        first, second = self.thread.run(self.go.wait), self.thread.run(lambda: None)
        self.thread.hurry()
        self.clock.advance(LONGEST_AT_END)
        await first
        await second
        self.assertEqual(self.aborted, [LONGEST_AT_END] * 2)
        third = self.thread.run(lambda: None)
        (timer,) = self.clock.getDelayedCalls()
        self.assertEqual(timer.getTime(), 2 * LONGEST_AT_END)
        await third
