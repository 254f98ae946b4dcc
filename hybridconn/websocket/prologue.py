"""What is said at the beginning of a tunnel, before the connection itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost, TimeoutError
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.frames import Piece
from hybridconn.interfaces import IBatchSink
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.closing import NORMAL, TunnelClosed, reason_text

_T = TypeVar("_T")


@implementer(IBatchSink)
class Prologue(Generic[_T]):
    """
    Reads what comes first, and gives the tunnel back: whatever comes behind it waits
    for the next sink.

    @ivar done: fires with what was read.  Fails with what C{read} raised, with
        L{TunnelClosed}, or with Twisted's C{ConnectionLost} or C{TimeoutError}.
        Cancelling it gives the tunnel back as well.
    @param read: gets all bytes until now; returns what they mean and how many of them
        that took, or L{None} if there must be more to come.  A L{ValueError} ends it.
    @param timeout: seconds.
    """

    def __init__(
        self,
        tunnel: StreamingWebSocket,
        read: Callable[[bytes], tuple[_T, int] | None],
        timeout: float,
    ) -> None:
        self._tunnel = tunnel
        self._read = read
        self._data = b""
        self.done: Deferred[_T] = Deferred(lambda _: self._settle())
        self._timer = tunnel.clock.callLater(timeout, self._late)
        tunnel.attach(self)

    # --- IBatchSink ---

    def piece_received(self, data: bytes, binary: bool, final: bool) -> None:
        self.pieces_received(((data, binary, final),))

    def pieces_received(self, pieces: Sequence[Piece]) -> None:
        self._data += b"".join([piece[0] for piece in pieces])
        try:
            found = self._read(self._data)
        except ValueError as error:
            self._settle()
            self.done.errback(error)
            return
        if found is not None:
            value, used = found
            self._settle(self._data[used:])
            self.done.callback(value)

    def close_received(self, code: int | None, reason: bytes) -> None:
        self._settle()
        words = reason_text(reason)
        self.done.errback(TunnelClosed(NORMAL if code is None else code, words))

    def tunnel_lost(self, reason: Failure) -> None:
        self._settle()
        self.done.errback(ConnectionLost("connection broken"))

    # --- ours ---

    def _late(self) -> None:
        self._settle()
        self.done.errback(TimeoutError())

    def _settle(self, rest: bytes = b"") -> None:
        if self._timer.active():
            self._timer.cancel()
        self._tunnel.detach(rest)


@implementer(IBatchSink)
class Farewell:
    """
    Hears nothing of a tunnel but its end.

    @ivar done: fires with that.
    """

    def __init__(self, tunnel: StreamingWebSocket) -> None:
        self.done: Deferred[None] = Deferred()
        tunnel.attach(self)

    def piece_received(self, data: bytes, binary: bool, final: bool) -> None:
        """It comes too late."""

    def pieces_received(self, pieces: Sequence[Piece]) -> None:
        """It comes too late."""

    def close_received(self, code: int | None, reason: bytes) -> None:
        """Ours is out or will be."""

    def tunnel_lost(self, reason: Failure) -> None:
        self.done.callback(None)
