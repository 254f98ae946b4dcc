"""Tests of L{hybridconn.management.follower} and L{hybridconn.management.keeping}."""

from __future__ import annotations

import threading
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase, TestCase

from hybridconn.management.book import ResourceBook
from hybridconn.management.follower import LOOK, LOOK_ANYWAY, RETRY, Follower
from hybridconn.management.keeping import StoreService
from hybridconn.stores.errors import StoreError
from tests.management.case import FakeBell, FakeStore


class FakeReactor(Clock):
    """
    @ivar readers: what it watches.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[FakeBell] = []

    def addReader(self, bell: FakeBell) -> None:
        """Watch it (Twisted)."""
        self.readers.append(bell)

    def removeReader(self, bell: FakeBell) -> None:
        """No more (Twisted)."""
        self.readers.remove(bell)


class FollowerTests(SynchronousTestCase):
    """Looking and listening."""

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.store = FakeStore()
        self.slow: list[Deferred[Any]] = []
        self.book = ResourceBook(self.store, self.run_call)
        self.follower = Follower(self.book, self.store, self.run_call, self.reactor)

    def run_call(self, call: Any) -> Deferred[Any]:
        """Elsewhere, and at once unless something is in C{slow}."""
        done = maybeDeferred(call)
        if not self.slow:
            return done
        return self.slow.pop().addCallback(lambda _: done)

    def calls(self) -> list[str]:
        """What the store was asked since the last time."""
        told, self.store.calls = self.store.calls, []
        return told

    def test_looks(self) -> None:
        """Where nothing can be heard, it looks twice a second."""
        self.assertLessEqual(LOOK, 0.5)
        self.follower.startService()
        self.assertEqual(self.calls(), ["news"])
        self.reactor.advance(LOOK - 0.01)
        self.assertEqual(self.calls(), [])
        self.reactor.advance(0.01)
        self.assertEqual(self.calls(), ["news"])
        self.successResultOf(self.follower.stopService())
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_listens(self) -> None:
        """It looks when it hears of others, and now and then; its own it knows."""
        self.store.rings = True
        self.follower.startService()
        self.assertEqual(self.calls(), ["listen", "news"])
        (bell,) = self.reactor.readers
        bell.ring(self.store.revision)
        self.assertEqual(self.calls(), [])
        bell.ring(self.store.revision + 1)
        self.assertEqual(self.calls(), ["news"])
        self.reactor.advance(LOOK_ANYWAY)
        self.assertEqual(self.calls(), ["news"])
        self.successResultOf(self.follower.stopService())
        self.assertEqual((self.reactor.readers, bell.closed), ([], True))
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_rung_while_it_looks(self) -> None:
        """Then it looks once more."""
        self.store.rings = True
        self.follower.startService()
        (bell,) = self.reactor.readers
        slow: Deferred[Any] = Deferred()
        self.slow.append(slow)
        bell.ring(8)
        self.calls()
        bell.ring(9)
        bell.ring(10)
        slow.callback(None)
        self.assertEqual(self.calls(), ["news"])

    def test_bell_lost(self) -> None:
        """It listens again at once, and catches up on what it missed."""
        self.store.rings = True
        self.follower.startService()
        bell = self.reactor.readers.pop()
        self.calls()
        bell.lost()
        self.assertEqual(self.calls(), ["listen", "news"])
        self.assertEqual(len(self.reactor.readers), 1)

    def test_store_down(self) -> None:
        """It says so once, goes on trying, and says when it is back."""
        messages: list[str] = []
        self.follower.log = self  # type: ignore[assignment]  # a recorder
        self.error = lambda text, trouble: messages.append(trouble)
        self.info = messages.append
        self.store.rings = True
        self.follower.startService()
        (bell,) = self.reactor.readers
        self.store.broken = {"news": StoreError("gone"), "listen": StoreError("gone")}
        bell.ring(8)
        self.assertEqual((self.reactor.readers, bell.closed), ([], True))
        self.reactor.pump([RETRY] * 3)
        self.assertEqual(messages, ["gone"])
        self.store.broken = {}
        self.reactor.advance(RETRY)
        self.assertEqual(messages, ["gone", "the store is back"])
        self.assertEqual(len(self.reactor.readers), 1)

    def test_bug(self) -> None:
        """A bug is logged, and does not make it deaf."""
        self.store.broken = {"news": ZeroDivisionError()}
        self.follower.startService()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.store.broken = {}
        self.calls()
        self.reactor.advance(LOOK_ANYWAY)
        self.assertEqual(self.calls(), ["news"])

    def test_stopped_while_it_listens(self) -> None:
        """A bell that comes after the end is closed."""
        self.store.rings = True
        slow: Deferred[Any] = Deferred()
        self.slow.append(slow)
        self.follower.startService()
        stopped = self.follower.stopService()
        self.assertNoResult(stopped)
        slow.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.readers, [])
        self.assertTrue(self.store.bells[0].closed)


class StoreServiceTests(TestCase):
    """The thread of a store."""

    async def test_life(self) -> None:
        """All calls are made in one thread, which ends with the last of them."""
        from twisted.internet import reactor

        store = FakeStore()
        threads: list[threading.Thread] = []
        here = threading.current_thread
        self.patch(store, "_call", lambda name: threads.append(here()))
        service = StoreService(store, reactor)
        service.startService()
        await service.book.change(lambda draft: None)
        await service.book.catch_up()
        await service.stopService()
        self.assertEqual(len(set(threads)), 1)
        self.assertNotIn(threading.main_thread(), threads)
        self.assertFalse(threads[0].is_alive())

    async def test_stop_in_the_middle(self) -> None:
        """A change that was begun is kept before the store is closed."""
        from twisted.internet import reactor

        store = FakeStore()
        service = StoreService(store, reactor)
        service.startService()
        changed = service.book.change(lambda draft: "done")
        await service.stopService()
        self.assertEqual(self.successResultOf(changed), "done")
        self.assertEqual(store.calls[-2:], ["release", "close"])
