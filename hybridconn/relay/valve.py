"""Backpressure from one side of an HTTP exchange to the other."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer


@implementer(IPushProducer)
class Valve:
    """
    Lets the side that is written to pause the side that is read.

    @param held_back: told whether it does.
    """

    def __init__(
        self,
        pause: Callable[[], None],
        resume: Callable[[], None],
        held_back: Callable[[bool], None],
    ) -> None:
        self._pause = pause
        self._resume = resume
        self._held_back = held_back

    def pauseProducing(self) -> None:
        self._held_back(True)
        self._pause()

    def resumeProducing(self) -> None:
        self._held_back(False)
        self._resume()

    def stopProducing(self) -> None:
        """The exchange hears of it by itself."""
