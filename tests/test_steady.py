"""Tests of L{hybridconn.steady}."""

from __future__ import annotations

import time

from twisted.internet.selectreactor import SelectReactor
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.steady import keep_steady


class SteadyTests(SynchronousTestCase):
    """Timers and the time of day."""

    def setUp(self) -> None:
        self.reactor = SelectReactor()
        self.addCleanup(self.reactor.disconnectAll)

    def test_set_back(self) -> None:
        """A timer fires in time though the clock is set back meanwhile."""
        keep_steady(self.reactor)
        fired: list[bool] = []
        self.reactor.callLater(0, fired.append, True)
        self.patch(time, "time", lambda: 0.0)
        self.reactor.runUntilCurrent()
        self.assertEqual(fired, [True])
        self.assertLess(abs(self.reactor.seconds() - time.monotonic()), 5)

    def test_too_late(self) -> None:
        """With timers that were set by the other clock, nothing is changed."""
        call = self.reactor.callLater(9, list)
        keep_steady(self.reactor)
        self.assertLess(abs(self.reactor.seconds() - time.time()), 5)
        call.cancel()

    def test_others(self) -> None:
        """A clock of a test stays what it is."""
        clock = MemoryReactorClock()
        keep_steady(clock)
        clock.advance(7)
        self.assertEqual(clock.seconds(), 7)
