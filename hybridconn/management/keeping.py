"""The store of a relay while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from hybridconn.interfaces import IResourceStore
from hybridconn.management.book import ResourceBook
from hybridconn.management.follower import Follower


class StoreService(Service):
    """
    Has one thread for the calls of a store: they block, and their order matters.

    @param store: read here, once.
    @raise StoreError: it cannot be read.
    @ivar book: what is in it; follows what other nodes change while this runs.
    """

    def __init__(self, store: IResourceStore, reactor: Any) -> None:
        self._store = store
        self._reactor = reactor
        self._pool = ThreadPool(0, 1, "store")
        self.book = ResourceBook(store, self.run)
        self._follower = Follower(self.book, store, self.run, reactor)

    def run(self, call: Callable[[], Any]) -> Deferred[Any]:
        """Make a call there."""
        if not self._pool.started:
            self._pool.start()
        return deferToThreadPool(self._reactor, self._pool, call)

    def startService(self) -> None:
        """Follow the others (Twisted)."""
        super().startService()
        self._follower.startService()

    def stopService(self) -> Deferred[None]:
        """Let go of the store, when all that was begun is done (Twisted)."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._follower.stopService()
        await self.book.close()
        await self.run(self._store.close)
        self._pool.stop()
