"""An app's protocol as the end of a tunnel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.interfaces import ITunnelEnd
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.transport import TunnelTransport


@implementer(ITunnelEnd)
class ProtocolEnd:
    """
    Runs C{protocol} over the tunnel.

    @param protocol: what a factory's C{buildProtocol} made.
    @param host: the address of this end.
    @param peer: the address of the other end.
    """

    def __init__(self, protocol: Any, host: IAddress, peer: IAddress) -> None:
        self.protocol = protocol
        self._host = host
        self._peer = peer
        self._tunnel: StreamingWebSocket | None = None
        self._done: Deferred[None] = Deferred()

    def join(self, tunnel: Any) -> Deferred[None]:
        """The protocol's C{connectionMade} runs now."""
        self._tunnel = tunnel
        done = self._done
        transport = _Transport(
            self.protocol, self._host, self._peer, lambda: done.callback(None)
        )
        transport.start(tunnel)
        return done

    def abandon(self) -> None:
        """The protocol never learns that it was made."""

    def end(self, code: int, reason: bytes) -> None:
        """Close from here; the protocol's connection is lost."""
        if self._tunnel is not None:
            self._tunnel.finish(code, reason)


class _Transport(TunnelTransport):
    """A transport that says when it is over."""

    def __init__(
        self, protocol: Any, host: IAddress, peer: IAddress, over: Callable[[], None]
    ) -> None:
        super().__init__(protocol, host, peer)
        self._over = over

    def tunnel_lost(self, reason: Failure) -> None:
        try:
            super().tunnel_lost(reason)
        finally:
            self._over()
