"""
One direction of a connection in memory, and what may go wrong with it.

    writer --write--> [ unread bytes, then the end ] --clock--> reader

Nothing moves within the caller's call: each step is a C{callLater} of the
network's clock.  There is no kernel here, so a byte is unread, and counts for the
writer's backpressure, until the reader has it.
"""

from __future__ import annotations

import enum
from collections import deque
from typing import Protocol

from attrs import define
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from hybridconn.testing.faults import Faults


class Ending(enum.Enum):
    """What follows the last byte."""

    FIN = "an orderly end of stream"
    RESET = "the connection is broken"


class Writer(Protocol):
    """The end that fills the pipe."""

    def emptied(self) -> None:
        """Nothing is unread any more."""


class Reader(Protocol):
    """The end that empties the pipe."""

    @property
    def reading(self) -> bool:
        """Whether it takes bytes, or an end, now."""

    @property
    def busy_writing(self) -> bool:
        """Whether it has bytes of its own on the way, and so notices a reset."""

    @property
    def gone(self) -> bool:
        """Whether it is closed altogether."""

    def arrived(self, data: bytes) -> None:
        """Take bytes."""

    def ended(self, ending: Ending) -> None:
        """Take the end."""


@define
class _Chunk:
    due: float
    data: memoryview


class Pipe:
    """
    Bytes on their way from one end to the other.

    @ivar delay: seconds on the way; L{None} is as the network's faults say.
    @ivar piece_bytes: most bytes at once; L{None} is as the network's faults say.
    @ivar unread: bytes that were written and not yet read.
    @ivar carried: bytes that the reader got.
    @ivar swallowed: bytes that nobody will ever read.
    """

    _writer: Writer
    _reader: Reader
    _back: Pipe

    def __init__(self, clock: IReactorTime, faults: Faults) -> None:
        self.delay: float | None = None
        self.piece_bytes: int | None = None
        self.unread = 0
        self.carried = 0
        self.swallowed = 0
        self._clock = clock
        self._faults = faults
        self._chunks: deque[_Chunk] = deque()
        self._ending: Ending | None = None
        self._ending_due = 0.0
        self._told = False
        self._sure_to_be_noticed = False
        self._asked = False
        self._silent = False
        self._stalled = False
        self._cut_at: int | None = None
        self._turn: IDelayedCall | None = None

    def join(self, writer: Writer, reader: Reader, back: Pipe) -> None:
        """Say who is at the ends; C{back} is the pipe the other way."""
        self._writer = writer
        self._reader = reader
        self._back = back

    # --- for tests ---

    def silence(self) -> None:
        """
        Let all that is written vanish from now on while the writer believes that
        it arrived: a peer that is there no more, behind something that still
        acknowledges.  The end of the stream does not come through either.
        """
        self._silent = True
        self.nudge()

    def stall(self) -> None:
        """Have the reader take nothing, so that the writer's buffer fills."""
        self._stalled = True

    def heal(self) -> None:
        """End L{silence} and L{stall}; bytes that vanished stay lost."""
        self._silent = self._stalled = False
        self.nudge()

    def cut(self) -> None:
        """Break the connection, this way and back; unread bytes are lost."""
        both = (self, self._back)
        busy = [pipe._reader.busy_writing for pipe in both]
        for pipe, noticed in zip(both, busy, strict=True):
            pipe.reset(noticed)

    def cut_after(self, count: int) -> None:
        """L{cut} when C{count} more bytes have been carried this way."""
        self._cut_at = self.carried + count

    # --- for the ends ---

    def write(self, data: bytes) -> None:
        """Send bytes on their way."""
        if self._ending is Ending.RESET:
            self._back.reset(noticed=True)
        elif self._ending is None and data:
            self._chunks.append(_Chunk(self._arrival(), memoryview(data)))
            self.unread += len(data)
            self.nudge()

    def end(self, ending: Ending) -> None:
        """Say that nothing more will be written."""
        if self._ending is None:
            self._ending, self._ending_due = ending, self._arrival()
            self.nudge()

    def reset(self, noticed: bool = False) -> None:
        """
        Break this direction: what is unread is lost.

        @param noticed: tell the reader even if it does not read just now.
            Otherwise it learns of it when it reads or writes again, as with a
            socket that is not polled.
        """
        self._chunks.clear()
        self.unread = 0
        self._sure_to_be_noticed |= noticed
        if self._ending is not Ending.RESET:
            self._ending, self._ending_due = Ending.RESET, self._arrival()
            self._told = False
        self.nudge()

    def ask(self) -> None:
        """Have the writer told when nothing is unread, even if that is so now."""
        self._asked = True
        self.nudge()

    def nudge(self) -> None:
        """Something changed: plan the next step, if there is one."""
        at = self._next()
        if self._turn is not None:
            if at is not None and self._turn.getTime() <= at:
                return
            self._turn.cancel()
            self._turn = None
        if at is not None:
            wait = max(0.0, at - self._clock.seconds())
            self._turn = self._clock.callLater(wait, self._step)

    # --- ours ---

    @property
    def _draining(self) -> bool:
        return self._silent or self._reader.gone

    def _arrival(self) -> float:
        delay = self._faults.delay if self.delay is None else self.delay
        # A shorter delay does not let later bytes overtake earlier ones.
        last = self._chunks[-1].due if self._chunks else 0.0
        return max(last, self._clock.seconds() + delay)

    def _next(self) -> float | None:
        if self._asked and not self.unread:
            return self._clock.seconds()
        open_for_reader = not self._stalled and self._reader.reading
        if self._chunks:
            movable = self._draining or open_for_reader
            return self._chunks[0].due if movable else None
        if self._ending is None or self._told or self._draining or self._stalled:
            return None
        if open_for_reader or self._sure_to_be_noticed:
            return self._ending_due
        return None

    def _step(self) -> None:
        self._turn = None
        at = self._next()
        if at is not None and at <= self._clock.seconds():
            self._move()
        self.nudge()

    def _move(self) -> None:
        taken = 0
        if self._draining:
            taken = len(self._take(self.unread))
            self.swallowed += taken
            if taken and not self._silent:
                # As TCP answers bytes for a socket that is closed.
                self._back.reset(noticed=True)
        elif self._chunks:
            data = self._take(self._room())
            taken = len(data)
            self.carried += taken
            if taken:
                self._reader.arrived(data)
            if self._cut_at is not None and self.carried >= self._cut_at:
                self._cut_at = None
                self.cut()
        elif self._ending is not None and not self._told and not self._stalled:
            self._told = True
            self._reader.ended(self._ending)
        if not self.unread and (taken or self._asked):
            self._asked = False
            self._writer.emptied()

    def _room(self) -> int:
        room = self.piece_bytes or self._faults.piece_bytes
        if self._cut_at is not None:
            room = min(room, self._cut_at - self.carried)
        return room

    def _take(self, count: int) -> bytes:
        now = self._clock.seconds()
        taken: list[memoryview] = []
        while count > 0 and self._chunks and self._chunks[0].due <= now:
            chunk = self._chunks[0]
            taken.append(chunk.data[:count])
            chunk.data = chunk.data[count:]
            if not chunk.data:
                self._chunks.popleft()
            count -= len(taken[-1])
        data = b"".join(taken)
        self.unread -= len(data)
        return data
