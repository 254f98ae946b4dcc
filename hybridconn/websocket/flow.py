"""Two small meters that every WebSocket of ours carries."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer


@implementer(IPushProducer)
class Flow:
    """
    Stands between a transport and the producer that feeds it, to know whether
    the transport takes what is written.

    @ivar blocked: the transport's buffer is full.
    @ivar turns: how often it became full or empty; unchanged while C{blocked}
        means that nothing at all is leaving.
    """

    blocked = False
    turns = 0
    _producer: Any = None

    def drive(self, producer: Any) -> None:
        """Pass pauses on to C{producer} from now on."""
        self._producer = producer

    def release(self) -> None:
        """Pass nothing on any more."""
        self._producer = None
        self.blocked = False

    def pauseProducing(self) -> None:
        """The buffer is full (Twisted)."""
        self.blocked = True
        self.turns += 1
        if self._producer is not None:
            self._producer.pauseProducing()

    def resumeProducing(self) -> None:
        """The buffer has room again (Twisted)."""
        self.blocked = False
        self.turns += 1
        if self._producer is not None:
            self._producer.resumeProducing()

    def stopProducing(self) -> None:
        """The connection is gone (Twisted)."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()


class FrameBudget:
    """
    A token bucket for control frames: each costs more to answer than to send.

    @param per_second: how many are fine for ever.
    @param burst: how many may come at once.
    """

    def __init__(self, per_second: float, burst: float) -> None:
        self._rate = per_second
        self._burst = burst
        self._left = burst
        self._at = 0.0

    def spend(self, now: float) -> bool:
        """
        Take one from the bucket.

        @param now: seconds of a monotonic clock.
        @return: L{False} if it is empty.
        """
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
