"""Bodies of answers that are read whole, because they are short."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.iweb import IResponse


def short_body(
    response: IResponse, most: int, too_long: Exception, broken: Exception
) -> Deferred[bytes]:
    """
    Read the body of C{response}.

    @param most: bytes that it may have.
    @param too_long: what it fails with if it has more.
    @param broken: what it fails with if it ends before its end.
    @return: cancelling it closes the connection.
    """
    collector = _Collector(most, too_long, broken)
    response.deliverBody(collector)
    return collector.body


class _Collector(Protocol):
    """Gathers a body of bounded size."""

    def __init__(self, most: int, too_long: Exception, broken: Exception) -> None:
        self.body: Deferred[bytes] = Deferred(self._give_up)
        self._most = most
        self._too_long = too_long
        self._broken = broken
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        """A part of the body (Twisted)."""
        self._size += len(data)
        self._parts.append(data)
        if self._size > self._most:
            self._parts.clear()
            self._give_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end of the body (Twisted)."""
        body = self.body
        if body.called:
            return
        if self._size > self._most:
            body.errback(self._too_long)
        elif reason.check(ResponseDone, PotentialDataLoss):
            body.callback(b"".join(self._parts))
        else:
            body.errback(self._broken)

    def _give_up(self, _: object = None) -> None:
        transport: Any = self.transport
        transport.loseConnection()
