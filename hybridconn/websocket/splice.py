"""
Two WebSockets made one: the data phase of a tunnel at the relay
(relay-protocol section 6.4).

    sender's leg --pieces, Close--> listener's leg
                 <--pieces, Close--

Each piece is passed on as it comes, so what a tunnel holds is one read and one
write buffer each way.  Pings end at each leg; no leg is read while the other
cannot write.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.frames import Piece
from hybridconn.core.limits import Limits
from hybridconn.interfaces import IBatchSink
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.closing import reason_text


@frozen
class Ending:
    """
    How a tunnel ended.

    @ivar ended_by: C{sender}, C{listener} or C{relay}.
    @ivar ended_in: C{close} after both Closes, C{data} when a leg was lost.
    @ivar why: close code and reason, or what became of the connection.
    """

    ended_by: str
    ended_in: str
    why: str
    sender_bytes: int
    listener_bytes: int


@implementer(IPushProducer)
class _Valve:
    """Lets one leg's transport pause the reading of the other leg."""

    def __init__(self, source: StreamingWebSocket) -> None:
        self._source = source

    def pauseProducing(self) -> None:
        self._source.pause()

    def resumeProducing(self) -> None:
        self._source.resume()

    def stopProducing(self) -> None:
        """The splice hears of it by itself."""


@implementer(IBatchSink)
class _Half:
    """What comes from one leg, on its way to the other."""

    def __init__(
        self,
        name: str,
        source: StreamingWebSocket,
        target: StreamingWebSocket,
        splice: Splice,
    ) -> None:
        self.name = name
        self.bytes = 0
        self.closed = ""
        self.lost = False
        self.source = source
        self._send_pieces = target.send_pieces
        self.target = target
        self._splice = splice

    def piece_received(self, data: bytes, binary: bool, final: bool) -> None:
        self.pieces_received(((data, binary, final),))

    def pieces_received(self, pieces: Sequence[Piece]) -> None:
        self.bytes += sum([len(piece[0]) for piece in pieces])
        self._send_pieces(pieces)

    def close_received(self, code: int | None, reason: bytes) -> None:
        text = reason_text(reason)
        self.closed = f"{code if code is not None else 'no code'} {text}".rstrip()
        self._splice.half_closed(self)
        self.target.send_close(code, reason)

    def tunnel_lost(self, reason: Failure) -> None:
        self.lost = True
        self._splice.half_lost(self, reason)


class Splice:
    """
    Joins two legs until both are gone.

    @param sender: the sender's leg; its handshake may be still to come.
    @param listener: the listener's leg.
    @param ended: called once with an L{Ending} when both legs are gone.
    """

    def __init__(
        self,
        sender: StreamingWebSocket,
        listener: StreamingWebSocket,
        limits: Limits,
        ended: Callable[[Ending], None],
    ) -> None:
        self._limits = limits
        self._ended = ended
        self._first = ""
        self._orderly = False
        self._why = ""
        self._up = _Half("sender", sender, listener, self)
        self._down = _Half("listener", listener, sender, self)
        self._stalled: dict[_Half, tuple[int, float]] = {}
        self._half_open: tuple[int, float] | None = None
        sender.tunnel = listener
        sender.attach(self._up)
        listener.attach(self._down)

    @property
    def carried(self) -> tuple[int, int]:
        """Bytes from the sender and from the listener so far."""
        return self._up.bytes, self._down.bytes

    def wire(self) -> None:
        """Let each leg pause the other; to be called when both have a transport."""
        for half in (self._up, self._down):
            half.target.register_producer(_Valve(half.source), True)

    def close(self, code: int, reason: bytes) -> None:
        """End the tunnel from the relay's side, with C{code} to both ends."""
        self._blame("relay", f"{code} {reason.decode('utf-8', 'replace')}")
        for half in (self._up, self._down):
            half.source.finish(code, reason)

    def half_closed(self, half: _Half) -> None:
        """A leg sent its Close; the other one may go on for long."""
        self._blame(half.name, half.closed)
        self._orderly = bool(self._up.closed and self._down.closed)

    def half_lost(self, half: _Half, reason: Failure) -> None:
        """A leg's connection is gone."""
        if not self._orderly:
            self._blame(half.name, reason.getErrorMessage())
        if self._up.lost and self._down.lost:
            self._ended(
                Ending(
                    self._first,
                    "close" if self._orderly else "data",
                    self._why,
                    self._up.bytes,
                    self._down.bytes,
                )
            )
        elif not self._orderly:
            # No Close: the other end must not take this for an orderly end.
            half.target.drop()

    def look(self, now: float) -> None:
        """End what stalls for too long (called by L{Upkeep
        <hybridconn.websocket.upkeep.Upkeep>})."""
        for half in (self._up, self._down):
            if self._overdue_write(half, now):
                self._blame("relay", f"{half.name}'s data could not be written")
                self._up.source.abort()
                self._down.source.abort()
                return
        if self._overdue_close(now):
            self._blame("relay", "the second half was not closed in time")
            self._up.source.drop()
            self._down.source.drop()

    def _overdue_write(self, half: _Half, now: float) -> bool:
        flow = half.target.flow
        if not flow.blocked or not self._limits.write_stall_timeout:
            self._stalled.pop(half, None)
            return False
        turns, since = self._stalled.get(half, (-1, now))
        if turns != flow.turns:
            self._stalled[half] = (flow.turns, now)
            return False
        return now - since >= self._limits.write_stall_timeout

    def _overdue_close(self, now: float) -> bool:
        if bool(self._up.closed) == bool(self._down.closed):
            return False
        flows = self._up.target.flow, self._down.target.flow
        progress = self._up.bytes + self._down.bytes + sum(f.turns for f in flows)
        # Data that waits for its reader is no silence; write_stall_timeout is for it.
        waiting = any(flow.blocked for flow in flows)
        if self._half_open is None or self._half_open[0] != progress or waiting:
            self._half_open = (progress, now)
            return False
        return now - self._half_open[1] >= self._limits.half_close_timeout

    def _blame(self, name: str, why: str) -> None:
        if not self._first:
            self._first, self._why = name, why
