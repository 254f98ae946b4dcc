"""
A WebSocket joined to another one, message by message, at an end of a tunnel: a
listener's to that of a service, an app's to a sender's.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from zope.interface import implementer

from hybridconn.core.limits import Limits
from hybridconn.interfaces import ITunnel, ITunnelEnd
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.splice import Ending, Splice


@implementer(ITunnelEnd)
class WebSocketEnd:
    """
    One WebSocket, to become one with a tunnel.

    @ivar subprotocol: what was agreed on with it, and so must be with the tunnel.
    @ivar ending: how both ended, once they have.
    @param ended: told how both ended.
    """

    def __init__(
        self,
        socket: StreamingWebSocket,
        subprotocol: str | None,
        limits: Limits,
        ended: Callable[[Ending], None],
    ) -> None:
        self.subprotocol = subprotocol
        self._socket = socket
        self._limits = limits
        self._ended = ended
        self._splice: Splice | None = None
        self.ending: Ending | None = None

    def join(self, tunnel: ITunnel) -> Deferred[None]:
        done: Deferred[None] = Deferred()

        def ended(ending: Ending) -> None:
            self.ending = ending
            self._ended(ending)
            done.callback(None)

        assert isinstance(tunnel, StreamingWebSocket)
        self._splice = splice = Splice(tunnel, self._socket, self._limits, ended)
        splice.wire()
        return done

    def abandon(self) -> None:
        self._socket.abort()

    def end(self, code: int, reason: bytes) -> None:
        if self._splice is not None:
            self._splice.close(code, reason)
