"""Whether a request's body goes on (reliability-security T16)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

#: Seconds; sums of times are not exact, and a time that is all but over is over.
_SLACK: Final = 0.001


class BodyWatch:
    """
    Looks after one body at a time, with one timer: it may neither be silent for a
    while, nor drip.

    @param clock: the reactor.
    @param seconds: of silence that are too many.
    @param rate: bytes per second that must come in as long a time; 0: any number.
    """

    def __init__(self, clock: IReactorTime, seconds: float, rate: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._least = rate * seconds
        self._call: IDelayedCall | None = None
        self._begun = self._last = 0.0
        self._bytes = 0

    def start(self, late: Callable[[], None]) -> None:
        """Begin, or begin anew; C{late()} is called once."""
        self.stop()
        self._begun = self._last = self._clock.seconds()
        self._bytes = 0
        self._call = self._clock.callLater(self._seconds, self._look, late)

    def received(self, count: int) -> None:
        """C{count} bytes came."""
        self._bytes += count
        self._last = self._clock.seconds()

    def stop(self) -> None:
        """Call nothing."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _look(self, late: Callable[[], None]) -> None:
        self._call = None
        now = self._clock.seconds()
        if now - self._begun >= self._seconds - _SLACK:
            if self._bytes < self._least:
                late()
                return
            self._begun, self._bytes = now, 0
        if now - self._last >= self._seconds - _SLACK:
            late()
            return
        next_look = min(self._begun, self._last) + self._seconds
        self._call = self._clock.callLater(next_look - now, self._look, late)
