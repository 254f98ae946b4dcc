"""A wait that ends early when something happens."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall


class Nap:
    """For one that waits again and again, and is woken by others."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._asleep: tuple[Deferred[None], IDelayedCall] | None = None

    async def sleep(self, seconds: float) -> None:
        """Wait so long, or until L{wake}."""
        woken: Deferred[None] = Deferred()
        timer = self._reactor.callLater(seconds, self._end)
        self._asleep = woken, timer
        await woken

    def wake(self) -> None:
        """End the wait, if there is one."""
        if self._asleep is not None:
            self._asleep[1].cancel()
            self._end()

    def _end(self) -> None:
        assert self._asleep is not None
        woken, _ = self._asleep
        self._asleep = None
        woken.callback(None)
