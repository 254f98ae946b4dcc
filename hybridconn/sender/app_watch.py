"""What an app uses, followed while it changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import random
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.core.backoff import Backoff
from hybridconn.sender.app_reader import AppConnections, AppReader, AppUnknown

#: Seconds before each new attempt while the management API does not answer.
RETRIES: Final[Sequence[float]] = (1.0, 2.0, 5.0, 10.0, 30.0)


class AppWatch:
    """
    Reads again and again.  While nobody answers, what is known stays good.

    @ivar known: L{None} before the first answer.
    @param changed: called with each answer that differs from the one before.
    """

    log = Logger()

    def __init__(
        self,
        reader: AppReader,
        name: str,
        reactor: Any,
        changed: Callable[[AppConnections], None],
        interval: float,
        rng: Callable[[], float] = random,
    ) -> None:
        self.known: AppConnections | None = None
        self._reader = reader
        self._name = name
        self._reactor = reactor
        self._changed = changed
        self._interval = interval
        self._backoff = Backoff(rng, RETRIES)
        self._reading: Deferred[Any] | None = None
        self._next: IDelayedCall | None = None
        self._why = ""

    def start(self) -> None:
        """Read now, and again from time to time."""
        self._next = None
        self._reading = reading = self._reader.read()
        reading.addCallbacks(self._read, self._failed)
        reading.addErrback(self._bug)

    def stop(self) -> None:
        """Read no more; what is known stays in force."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
        later, self._next = self._next, None
        if later is not None:
            later.cancel()

    def _read(self, found: AppConnections) -> None:
        self._backoff.reset()
        self._again_in(self._interval)
        if self._why:
            self._why = ""
            self.log.info("app {name}: read again", name=self._name)
        before, self.known = self.known, found
        if found == before:
            return
        told = () if before is None else before.warnings
        self.log.info(
            "app {name}: {count} hybrid connections are served",
            name=self._name,
            count=len(found.served),
        )
        for line in found.warnings:
            if line not in told:
                self.log.warn("app {name}: {line}", name=self._name, line=line)
        self._changed(found)

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError) and self._reading is None:
            return
        self._again_in(self._backoff.next())
        if failure.check(AppUnknown):
            why = str(failure.value)
        else:
            self._bug(failure)
            why = "its connections cannot be read"
        if why == self._why:
            return  # said already
        self._why = why
        kept = "nothing is served for it yet"
        if self.known is not None:
            kept = f"the {len(self.known.served)} that are known stay"
        self.log.warn("app {name}: {why}; {kept}", name=self._name, why=why, kept=kept)

    def _again_in(self, seconds: float) -> None:
        self._reading = None
        self._next = self._reactor.callLater(seconds, self.start)

    def _bug(self, failure: Failure) -> None:
        self.log.failure("app {name}", failure, name=self._name)
