"""Datagrams through a tunnel, in azbridge's way (relay-protocol section 10.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.frames import Piece
from hybridconn.core.preamble import DatagramReader, pack_datagram
from hybridconn.interfaces import IBatchSink
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.closing import NORMAL, reason_text

_SHUTDOWN: Final = b"Shutdown"


@implementer(IBatchSink, IPushProducer)
class DatagramTunnel:
    """
    One tunnel as a way for datagrams.  As ever with datagrams, what the network does
    not take is lost: nothing is kept here.

    @ivar sent: datagrams that went into the tunnel.
    @ivar received: datagrams that came out of it.
    @ivar dropped: datagrams that the tunnel did not take.
    @ivar why: how it ended.
    @ivar done: fires when it is over.
    @param deliver: called with each datagram that comes.
    @param idle_time: seconds without a datagram until it is closed.
    """

    def __init__(
        self,
        tunnel: StreamingWebSocket,
        deliver: Callable[[bytes], None],
        idle_time: float,
    ) -> None:
        self.sent = self.received = self.dropped = 0
        self.bytes_sent = self.bytes_received = 0
        self.why = ""
        self.done: Deferred[None] = Deferred()
        self._tunnel = tunnel
        self._deliver = deliver
        self._reader = DatagramReader()
        self._idle_time = idle_time
        self._full = False
        self._last = tunnel.clock.seconds()
        self._timer: IDelayedCall | None = tunnel.clock.callLater(idle_time, self._look)
        tunnel.register_producer(self, True)
        tunnel.attach(self)

    def send(self, data: bytes) -> None:
        """Send one datagram, if the tunnel takes it."""
        self._last = self._tunnel.clock.seconds()
        if self._full or self.why:
            self.dropped += 1
            return
        self.sent += 1
        self.bytes_sent += len(data)
        self._tunnel.send_piece(pack_datagram(data), True, True)

    def close(self, code: int, reason: bytes, why: str) -> None:
        """End it from here."""
        if not self.why:
            self.why = why
            self._tunnel.unregister_producer()
            self._tunnel.finish(code, reason)

    # --- IPushProducer: the tunnel's network ---

    def pauseProducing(self) -> None:
        """It takes nothing for now."""
        self._full = True

    def resumeProducing(self) -> None:
        """It takes datagrams again."""
        self._full = False

    def stopProducing(self) -> None:
        """It is lost, which tunnel_lost will say."""

    # --- IBatchSink ---

    def piece_received(self, data: bytes, binary: bool, final: bool) -> None:
        self.pieces_received(((data, binary, final),))

    def pieces_received(self, pieces: Sequence[Piece]) -> None:
        self._last = self._tunnel.clock.seconds()
        for data, _, _ in pieces:
            for datagram in self._reader.feed(data):
                self.received += 1
                self.bytes_received += len(datagram)
                self._deliver(datagram)

    def close_received(self, code: int | None, reason: bytes) -> None:
        words = f"closed with {code} {reason_text(reason)}".rstrip()
        self.close(NORMAL, b"", "closed" if code in (None, NORMAL) else words)

    def tunnel_lost(self, reason: Failure) -> None:
        self.why = self.why or "connection broken"
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self.done.callback(None)

    # --- ours ---

    def _look(self) -> None:
        # One timer, looked at when it fires: a datagram costs no timer of its own.
        left = self._last + self._idle_time - self._tunnel.clock.seconds()
        self._timer = None
        if left > 0:
            self._timer = self._tunnel.clock.callLater(left, self._look)
        else:
            self.close(NORMAL, _SHUTDOWN, f"idle for {self._idle_time:g} s")
