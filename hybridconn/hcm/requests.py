"""
What became of the last HTTP requests of a hybrid connection, as L{timeline
<hybridconn.hcm.timeline>} tells it of tunnels: in bounded memory, nothing per byte.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

from attrs import define, field
from twisted.internet.interfaces import IReactorTime

from hybridconn.core.text import printable, utc_text
from hybridconn.hcm.timeline import MOST_REMEMBERED, MOST_SHOWN
from hybridconn.listener.request import ListenerRequest

#: Characters of a path and of a reason.
_MOST_TEXT: Final = 200
#: Characters of a method.
_MOST_METHOD: Final = 16


@define(eq=False)
class RequestLine:
    """
    One request, a L{RequestWatcher <hybridconn.listener.request.RequestWatcher>}.
    Times are seconds since it came; L{None}: it did not come to that.

    @ivar path: without a query, which may hold what nobody else is to see.
    @ivar status: of the answer.
    @ivar responded: the answer began.
    @ivar ended: all of it was on its way, or nobody wanted it any more.
    @ivar outcome: C{open}, C{answered}, C{refused} by this service, or C{lost}.
    @ivar why: it was refused.
    """

    _book: RequestBook
    tracking_id: str
    peer: str
    method: str
    path: str
    began_at: float
    _began: float
    _over: Callable[[RequestLine], None]
    status: int | None = None
    responded: float | None = None
    ended: float | None = None
    outcome: str = "open"
    why: str = ""

    def answer_begun(self, status: int) -> None:
        """The head of an answer is there."""
        self.status = status
        if self.responded is None:
            self.responded = self._since()

    def refused(self, why: str) -> None:
        """The answer is ours."""
        self.why = printable(why, _MOST_TEXT)

    def answer_ended(self, whole: bool) -> None:
        """It is over; what is said after that does not count."""
        if self.ended is not None:
            return
        self.ended = self._since()
        if not whole:
            self.outcome = "lost"
        else:
            self.outcome = "refused" if self.why else "answered"
        self._book.over(self)
        self._over(self)

    @property
    def target_failed(self) -> bool:
        """Whether it was refused because of the target."""
        # A body that breaks off has the same status.
        return self.status in (502, 504) and self.why.startswith("The target ")

    def view(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "trackingId": self.tracking_id,
            "peer": self.peer,
            "method": self.method,
            "path": self.path,
            "startedAt": utc_text(self.began_at),
            "outcome": self.outcome,
            "status": self.status,
            "responded": self.responded,
            "ended": self.ended,
            "why": self.why,
        }

    def _since(self) -> float:
        return round(max(0.0, self._book.clock.seconds() - self._began), 4)


@define(eq=False)
class RequestBook:
    """
    The HTTP requests of one hybrid connection, over all restarts of its listener.

    @ivar total: how many there were, ever.
    """

    clock: IReactorTime
    wall: Callable[[], float]
    total: int = 0
    _open: dict[RequestLine, None] = field(factory=dict)
    _over: deque[RequestLine] = field(factory=lambda: deque(maxlen=MOST_REMEMBERED))

    def watch(
        self, request: ListenerRequest, over: Callable[[RequestLine], None]
    ) -> None:
        """
        Count one that has come, and follow it.

        @param over: called when it is over.
        """
        peer = request.peer
        line = RequestLine(
            self,
            str(request.tracking),
            f"{peer.host}:{peer.port}",
            printable(request.head.method, _MOST_METHOD),
            printable(request.head.target.partition("?")[0], _MOST_TEXT),
            self.wall(),
            self.clock.seconds(),
            over,
        )
        self.total += 1
        self._open[line] = None
        request.watcher = line

    def over(self, line: RequestLine) -> None:
        """It is answered, or lost."""
        self._open.pop(line, None)
        self._over.append(line)

    def views(self) -> list[dict[str, Any]]:
        """Those without a whole answer, the newest first, then those that are over."""
        running = list(reversed(self._open))[:MOST_SHOWN]
        return [line.view() for line in (*running, *reversed(self._over))]
