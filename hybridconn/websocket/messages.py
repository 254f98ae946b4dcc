"""Whole messages, for those who want them; control channels do."""

from __future__ import annotations

from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.frames import TOO_BIG
from hybridconn.interfaces import ITunnel, ITunnelSink


class TooBig(Exception):
    """A message is longer than it may be."""


class Gatherer:
    """
    Makes messages of their pieces.

    @param max_bytes: what a message may have.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._pieces: list[bytes] = []
        self._size = 0

    def add(self, data: bytes, final: bool) -> bytes | None:
        """
        Take one more piece.

        @return: the message, if this was its last piece.
        @raise TooBig: as soon as it is.
        """
        self._size += len(data)
        if self._size > self._max_bytes:
            raise TooBig(f"a message may have {self._max_bytes} bytes")
        self._pieces.append(data)
        if not final:
            return None
        whole, self._pieces, self._size = b"".join(self._pieces), [], 0
        return whole


@implementer(ITunnelSink)
class MessageSink:
    """
    Gathers pieces into messages of bounded size.  Subclass it.

    @param tunnel: the WebSocket whose messages these are; may be given later.
    @param max_bytes: a longer message closes the tunnel with 1009.
    """

    tunnel: ITunnel

    def __init__(self, max_bytes: int) -> None:
        self._gatherer = Gatherer(max_bytes)

    def piece_received(self, data: bytes, binary: bool, final: bool) -> None:
        try:
            message = self._gatherer.add(data, final)
        except TooBig:
            self.tunnel.finish(TOO_BIG, b"message too big")
            return
        if message is not None:
            self.message_received(message, binary)

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
