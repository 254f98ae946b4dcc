"""
What became of the last tunnels of a hybrid connection: for each a line of times, kept
in bounded memory.  Nothing here runs per byte or frame; the bytes of a tunnel are
read off when somebody asks.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any, Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from hybridconn.core.text import printable, utc_text
from hybridconn.websocket.joint import Joint

#: How many ended tunnels of one hybrid connection are remembered.
MOST_REMEMBERED: Final = 50
#: How many that run are listed one by one; all are counted.
MOST_SHOWN: Final = 200
#: Characters of a text that is remembered.
_MOST_TEXT: Final = 200


@define(eq=False)
class Timeline:
    """
    One tunnel.  Times are seconds since its beginning; L{None}: it did not come
    to that.

    @ivar tracking_id: names it in the relay's log.
    @ivar peer: the sender's address, as the relay says.
    @ivar target: what it was to be joined to.
    @ivar began_at: seconds since 1970-01-01 UTC.
    @ivar looked_up: the target's name had an address.
    @ivar address: that address.
    @ivar dialled: the target took the connection.
    @ivar joined: the rendezvous was open too.
    @ivar first_byte: the target's first byte came.
    @ivar ended: it was over.
    @ivar outcome: C{open}, C{closed}, C{refused} or C{lost}.
    @ivar ended_by: C{sender}, C{target} or C{us}.
    @ivar why: in what way, or why not.
    @ivar code: of the Close of its WebSocket, or the status of a refusal.
    """

    tracking_id: str
    peer: str
    began_at: float
    _began: float
    target: str = ""
    looked_up: float | None = None
    address: str = ""
    dialled: float | None = None
    joined: float | None = None
    first_byte: float | None = None
    ended: float | None = None
    outcome: str = "open"
    ended_by: str = ""
    why: str = ""
    code: int | None = None
    bytes_from_target: int = 0
    bytes_from_sender: int = 0
    joint: Joint | None = None

    def since(self, now: float) -> float:
        """Seconds since it began."""
        return round(max(0.0, now - self._began), 4)

    def view(self) -> dict[str, Any]:
        """As JSON has it."""
        target, sender = self.bytes()
        return {
            "trackingId": self.tracking_id,
            "peer": self.peer,
            "target": self.target,
            "address": self.address,
            "startedAt": utc_text(self.began_at),
            "outcome": self.outcome,
            "lookedUp": self.looked_up,
            "dialled": self.dialled,
            "joined": self.joined,
            "firstByte": self.first_byte,
            "ended": self.ended,
            "endedBy": self.ended_by,
            "why": self.why,
            "code": self.code,
            "bytesFromTarget": target,
            "bytesFromSender": sender,
        }

    def bytes(self) -> tuple[int, int]:
        """How many came from the target and from the sender, up to now."""
        if self.joint is not None:
            return self.joint.bytes_out, self.joint.bytes_in
        return self.bytes_from_target, self.bytes_from_sender


@define(eq=False)
class TunnelBook:
    """
    The tunnels of one hybrid connection, over all restarts of its listener.

    @ivar total: how many were joined, ever.
    @ivar refused: how many senders were told no, ever.
    @ivar refusals: the same by the status that they got.
    @ivar registrations: how often it came online, ever.
    @ivar changed: called with each tunnel that is over.
    """

    clock: IReactorTime
    wall: Callable[[], float]
    changed: Callable[[Timeline], None] = lambda _: None
    total: int = 0
    refused: int = 0
    refusals: Counter[int] = field(factory=Counter)
    registrations: int = 0
    last_error: str = ""
    last_error_at: float = 0.0
    last_error_id: str = ""
    _from_target: int = 0
    _from_sender: int = 0
    _open: dict[Timeline, None] = field(factory=dict)
    _over: deque[Timeline] = field(factory=lambda: deque(maxlen=MOST_REMEMBERED))

    # --- a tunnel's life ---

    def begin(self, tracking_id: str, peer: str) -> Timeline:
        """A sender is here; nothing is counted yet."""
        return Timeline(tracking_id, peer, self.wall(), self.clock.seconds())

    def begin_anew(self, line: Timeline, tracking_id: str) -> None:
        """What was dialled before there was a sender has one now."""
        line.tracking_id = tracking_id
        line.began_at, line._began = self.wall(), self.clock.seconds()
        line.looked_up = line.dialled = None

    def now(self, line: Timeline) -> float:
        """Seconds since C{line} began."""
        return line.since(self.clock.seconds())

    def joined(self, line: Timeline) -> None:
        """It runs."""
        line.joined = self.now(line)
        self.total += 1
        self._open[line] = None

    def refused_one(self, line: Timeline, status: int, why: str) -> None:
        """Its sender was told no."""
        self.refused += 1
        self.refusals[status] += 1
        line.code = status
        self._close(line, "refused", "us", why)
        self.failed(why, line.tracking_id)

    def lost(self, line: Timeline, why: str) -> None:
        """The relay had no more use for it."""
        self._close(line, "lost", "sender", why)

    def left(self, line: Timeline, by: str, why: str, code: int | None = None) -> None:
        """It was joined, and is over."""
        if self._open.pop(line, self) is self:
            return
        line.bytes_from_target, line.bytes_from_sender = line.bytes()
        line.joint = None
        line.code = code
        self._from_target += line.bytes_from_target
        self._from_sender += line.bytes_from_sender
        self._close(line, "closed", by, why)

    def failed(self, why: str, tracking_id: str) -> None:
        """Remember the last error."""
        self.last_error = printable(why, _MOST_TEXT)
        self.last_error_at = self.wall()
        self.last_error_id = tracking_id

    def _close(self, line: Timeline, outcome: str, by: str, why: str) -> None:
        line.ended = self.now(line)
        line.outcome = outcome
        line.ended_by = by
        line.why = printable(why, _MOST_TEXT)
        self._over.append(line)
        self.changed(line)

    # --- to be shown ---

    @property
    def open(self) -> int:
        """How many run."""
        return len(self._open)

    def bytes(self) -> tuple[int, int]:
        """From targets and from senders, ever, up to now."""
        target, sender = self._from_target, self._from_sender
        for line in self._open:
            more = line.bytes()
            target += more[0]
            sender += more[1]
        return target, sender

    def views(self) -> list[dict[str, Any]]:
        """Those that run, the newest first, and then those that are over."""
        running: Iterable[Timeline] = list(reversed(self._open))[:MOST_SHOWN]
        return [line.view() for line in (*running, *reversed(self._over))]
