"""The store of a relay while it runs."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred

from hybridconn.callthread import CallThread
from hybridconn.interfaces import IResourceStore
from hybridconn.management.book import ResourceBook
from hybridconn.management.follower import Follower


class StoreService(Service):
    """
    Has a thread for the calls of a store.

    @param store: read here, once.
    @raise StoreError: it cannot be read.
    @ivar book: what is in it; follows what other nodes change while this runs.
    """

    def __init__(self, store: IResourceStore, reactor: Any) -> None:
        self._store = store
        self._thread = thread = CallThread(reactor, "store", store.abort)
        self.book = ResourceBook(store, thread.run)
        self._follower = Follower(self.book, store, thread.run, reactor)

    def startService(self) -> None:
        """Follow the others (Twisted)."""
        super().startService()
        self._follower.startService()

    def stopService(self) -> Deferred[None]:
        """Let go of the store, when all that was begun is done (Twisted)."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._thread.hurry()
        await self._follower.stopService()
        await self.book.close()
        await self._thread.run(self._store.close)
        self._thread.end()
