"""Server-sent events: what happens, as it happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IPushProducer, IReactorTime
from twisted.internet.task import LoopingCall
from zope.interface import implementer

from hybridconn.interfaces import IHeldRequest

#: Seconds between two signs of life.
SIGN_OF_LIFE: Final = 15.0
#: Milliseconds after which a browser comes back.
_RETRY: Final = 2000


def event_bytes(kind: str, value: Any, number: int | None = None) -> bytes:
    """One event as it is sent."""
    mark = "" if number is None else f"id: {number}\n"
    return f"{mark}event: {kind}\ndata: {json.dumps(value)}\n\n".encode()


@implementer(IPushProducer)
class EventStream:
    """
    One client that listens.  One that does not take what it is sent misses some, and
    begins anew when it does.

    @param begin: called when something was missed.
    """

    def __init__(
        self,
        request: IHeldRequest,
        clock: IReactorTime,
        begin: Callable[[], None],
    ) -> None:
        self._begin = begin
        self._ends: list[Callable[[], None]] = []
        self._paused = False
        self._missed = False
        self._over = False
        self._signs = LoopingCall(self._sign)
        self._signs.clock = clock
        request.on_gone(self.close)
        headers = (
            ("Content-Type", "text/event-stream; charset=utf-8"),
            ("Cache-Control", "no-store"),
            ("X-Accel-Buffering", "no"),
        )
        self._answer = request.begin_answer(200, "", headers)
        self._answer.register_producer(self)
        self._answer.write(b"retry: %d\n\n" % _RETRY)
        if not self._over:
            self._signs.start(SIGN_OF_LIFE, now=False)

    def send(self, kind: str, value: Any, number: int | None = None) -> None:
        """Tell of an event."""
        if self._over:
            return
        if self._paused:
            self._missed = True
        else:
            self._answer.write(event_bytes(kind, value, number))

    def until_gone(self, end: Callable[[], None]) -> None:
        """Call C{end} when the client is gone; at once if it is."""
        if self._over:
            end()
        else:
            self._ends.append(end)

    def close(self) -> None:
        """Send nothing more: the client is gone."""
        if self._over:
            return
        self._over = True
        if self._signs.running:
            self._signs.stop()
        ends, self._ends = self._ends, []
        for end in ends:
            end()

    def end(self) -> None:
        """End it in order."""
        self.close()
        self._answer.finish()

    def _sign(self) -> None:
        self._answer.write(b": here\n\n")

    def pauseProducing(self) -> None:
        """The client takes nothing (Twisted)."""
        self._paused = True

    def resumeProducing(self) -> None:
        """It does again (Twisted)."""
        self._paused = False
        if self._missed:
            self._missed = False
            self._begin()

    def stopProducing(self) -> None:
        """It is gone, which C{on_gone} says too (Twisted)."""
