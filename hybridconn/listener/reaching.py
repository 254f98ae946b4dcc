"""Reaching what a sender is to be joined to."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.core.commands import Accept
from hybridconn.interfaces import ITargetConnector, ITunnelEnd
from hybridconn.listener.reject import Reject
from hybridconn.listener.rejecting import Rejections
from hybridconn.websocket.addresses import HybridConnectionAddress
from hybridconn.websocket.protocol_end import ProtocolEnd
from hybridconn.websocket.words import is_surprise


class Reach:
    """
    @param host: the relay's.
    @param entity: the hybrid connection's path.
    @param decide: called with each sender; raises, or fails with, L{Reject} for one
        that is not wanted.
    @param running: whether the listener does.
    """

    log = Logger()

    def __init__(
        self,
        host: str,
        entity: str,
        connector: ITargetConnector,
        decide: Callable[[Accept], Deferred[None] | None],
        running: Callable[[], bool],
        rejections: Rejections,
    ) -> None:
        self._host = host
        self._entity = entity
        self._connector = connector
        self._decide = decide
        self._running = running
        self._rejections = rejections

    async def first(self, accept: Accept) -> ITunnelEnd:
        """
        For a sender that waits at its rendezvous.

        @raise Reject: there is nothing for it.
        """
        try:
            await maybeDeferred(self._decide, accept)
            end = await maybeDeferred(self._connector.connect, accept)
        except Reject:
            raise
        except Exception as error:
            if not self._running():
                raise
            failure = Failure(error)
            if is_surprise(failure):
                what = "{entity}: failed to serve a sender"
                self.log.failure(what, failure, entity=self._entity)
            raise Reject(502, "The listener failed") from None
        if not IProtocol.providedBy(end) or ITunnelEnd.providedBy(end):
            return end
        here = HybridConnectionAddress(self._host, self._entity)
        there = HybridConnectionAddress(self._host, self._entity, accept.id)
        return ProtocolEnd(end, here, there)

    async def again(self, accept: Accept) -> ITunnelEnd:
        """
        For one more connection on the same tunnel.

        @raise Reject: there is nothing for it; that is noted.
        """
        if not self._running():
            raise Reject(503, "The listener stops")
        try:
            return await self.first(accept)
        except Reject as no:
            self._rejections.note(accept, no)
            raise
