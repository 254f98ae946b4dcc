"""Follows what other nodes change in the store."""

from __future__ import annotations

from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger

from hybridconn.interfaces import IResourceStore
from hybridconn.management.book import ResourceBook, Run
from hybridconn.nap import Nap
from hybridconn.stores.errors import StoreError
from hybridconn.stores.vault import VaultError

#: How often to look, in seconds, if nothing is heard: where nothing can be, and where
#: something may get lost.
LOOK, LOOK_ANYWAY = 0.5, 5.0
#: How often a store that is gone is tried, in seconds.
RETRY = 0.5


class Follower(Service):
    """
    Has a book catch up when another node changed something: at once where the database
    says so, and after every interruption.

    @param run: makes the blocking calls of C{store}.
    """

    log = Logger()

    def __init__(
        self, book: ResourceBook, store: IResourceStore, run: Run, reactor: Any
    ) -> None:
        self._book = book
        self._store = store
        self._run = run
        self._reactor = reactor
        self._doorbell: Any = None
        self._nap = Nap(reactor)
        self._rung = False
        self._trouble = ""
        self._ended: Deferred[None] = succeed(None)

    def startService(self) -> None:
        """Begin (Twisted)."""
        super().startService()
        self._ended = Deferred.fromCoroutine(self._follow())

    def stopService(self) -> Deferred[None]:
        """End; fires when the store is not asked any more (Twisted)."""
        super().stopService()
        self._ring()
        return self._ended

    async def _follow(self) -> None:
        while self.running:
            self._rung = False
            try:
                await self._look()
                self._say("")
                pause = LOOK_ANYWAY if self._store.rings else LOOK
            except (StoreError, VaultError) as error:
                self._hang_up()
                self._say(str(error))
                pause = RETRY
            except Exception:  # a bug, which must not make us deaf for ever
                self.log.failure("the store was not followed")
                pause = LOOK_ANYWAY
            if self.running and not self._rung:
                await self._nap.sleep(pause)
        self._hang_up()

    async def _look(self) -> None:
        # First the bell, then the look: what is changed between them is heard.
        if self._store.rings and self._doorbell is None:
            doorbell = await self._run(
                lambda: self._store.listen(self._heard, self._lost)
            )
            self._doorbell = doorbell
            self._reactor.addReader(doorbell)
        if self.running:
            await self._book.catch_up()

    def _heard(self, revision: int) -> None:
        # Our own changes are heard of too.
        if revision > self._store.revision:
            self._ring()

    def _lost(self) -> None:
        self._doorbell = None
        self._ring()

    def _hang_up(self) -> None:
        doorbell, self._doorbell = self._doorbell, None
        if doorbell is not None:
            self._reactor.removeReader(doorbell)
            doorbell.close()

    def _ring(self) -> None:
        self._rung = True
        self._nap.wake()

    def _say(self, trouble: str) -> None:
        if trouble and not self._trouble:
            self.log.error(
                "{trouble}; what was read before goes on being served, and changes "
                "are refused, until it is back",
                trouble=trouble,
            )
        elif self._trouble and not trouble:
            self.log.info("the store is back")
        self._trouble = trouble
