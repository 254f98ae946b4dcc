"""Whole messages, for the one place that wants them: control channels."""

from __future__ import annotations

from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.interfaces import ITunnel, ITunnelSink
from hybridconn.websocket.closing import TOO_BIG


@implementer(ITunnelSink)
class MessageSink:
    """
    Gathers pieces into messages of bounded size.  Subclass it.

    @param tunnel: the WebSocket whose messages these are; may be given later.
    @param max_bytes: a longer message closes the tunnel with 1009.
    """

    tunnel: ITunnel

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._size = 0

    def piece_received(self, data: bytes, binary: bool, final: bool) -> None:
        self._size += len(data)
        if self._size > self._max_bytes:
            self.tunnel.finish(TOO_BIG, b"message too big")
            return
        self._pieces.append(data)
        if final:
            whole, self._pieces, self._size = b"".join(self._pieces), [], 0
            self.message_received(whole, binary)

    def message_received(self, message: bytes, binary: bool) -> None:
        """
        A message is complete.  To be overridden.

        @param binary: L{False} for text, which is not yet checked to be UTF-8.
        """
        raise NotImplementedError

    def close_received(self, code: int | None, reason: bytes) -> None:
        """The peer closes; on a control channel that is the end of both halves."""
        self.tunnel.send_close(code, reason)

    def tunnel_lost(self, reason: Failure) -> None:
        """The connection is gone.  To be extended."""
