"""A time-out that starts over with every sign of life, without a timer for each."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class IdleTimer:
    """
    Runs for one thing at a time.

    @param clock: the reactor.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._call: IDelayedCall | None = None
        self._seconds = 0.0
        self._last = 0.0

    def start(self, seconds: float, expired: Callable[[], None]) -> None:
        """
        Call C{expired()} after C{seconds} without L{touch}; what ran before is
        forgotten.
        """
        self.stop()
        self._seconds = seconds
        self._last = self._clock.seconds()
        self._call = self._clock.callLater(seconds, self._look, expired)

    def touch(self) -> None:
        """There was a sign of life."""
        self._last = self._clock.seconds()

    def stop(self) -> None:
        """Call nothing."""
        call, self._call = self._call, None
        if call is not None:
            call.cancel()

    def _look(self, expired: Callable[[], None]) -> None:
        left = self._last + self._seconds - self._clock.seconds()
        if left > 0:
            self._call = self._clock.callLater(left, self._look, expired)
        else:
            self._call = None
            expired()
