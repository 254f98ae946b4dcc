"""How long to wait before dialling a relay again (relay-protocol section 5.5)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

DELAYS = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before each attempt; the last one goes on for ever."""

FIRST_JITTER = 1.0
"""The first attempt comes at once, but within this many seconds of chance."""

JITTER = 0.2
"""How much a later delay may be shorter or longer, as a part of it."""


class Backoff:
    """
    Counts failed attempts and says how long to wait.  Chance spreads the
    listeners of a relay that was restarted (reliability-security F1).

    @param rng: gives a number from 0 to below 1, as L{random.random} does.
    @param delays: seconds, at least one.
    """

    def __init__(
        self, rng: Callable[[], float], delays: Sequence[float] = DELAYS
    ) -> None:
        self._rng = rng
        self._delays = tuple(delays)
        self._attempts = 0

    @property
    def attempts(self) -> int:
        """How often L{next} was called since the start or L{reset}."""
        return self._attempts

    def next(self) -> float:
        """The seconds to wait before the next attempt."""
        delay = self._delays[min(self._attempts, len(self._delays) - 1)]
        self._attempts += 1
        if delay == 0.0:
            return self._rng() * FIRST_JITTER
        return delay * (1 - JITTER + 2 * JITTER * self._rng())

    def reset(self) -> None:
        """Begin anew; to be called when a connection has lasted a while."""
        self._attempts = 0
