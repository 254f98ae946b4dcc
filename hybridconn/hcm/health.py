"""Whether a target is there: what senders find out, and looks in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import define
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.hcm.connector import Reached
from hybridconn.listener.reject import Reject


@define
class TargetHealth:
    """
    What is known of a target.

    @ivar reachable: L{None}: nobody has tried yet.
    @ivar since: when that changed, seconds since 1970-01-01 UTC.
    @ivar checked_at: when it was tried last.
    @ivar seconds: how long it took to take the last connection.
    @ivar error: why not.
    """

    wall: Callable[[], float]
    reachable: bool | None = None
    since: float | None = None
    checked_at: float | None = None
    seconds: float | None = None
    address: str = ""
    error: str = ""

    def reached(self, seconds: float, address: str) -> None:
        """It took a connection."""
        self._note(True)
        self.seconds, self.address, self.error = seconds, address, ""

    def answered(self) -> None:
        """It answered a request, maybe over a connection that was there already."""
        self._note(True)
        self.error = ""

    def missed(self, why: str) -> None:
        """It did not."""
        self._note(False)
        self.error = why

    def _note(self, reachable: bool) -> None:
        self.checked_at = self.wall()
        if reachable is not self.reachable:
            self.reachable, self.since = reachable, self.checked_at


class TargetCheck:
    """
    Looks at a target from time to time.

    @param probe: one look; fails with L{Reject}.
    @param health: where the result is noted.
    @param looked: called after each look.
    @param interval: seconds between two.
    """

    log = Logger()

    def __init__(
        self,
        probe: Callable[[], Deferred[Reached]],
        health: TargetHealth,
        looked: Callable[[], None],
        clock: IReactorTime,
        interval: float,
    ) -> None:
        self._probe = probe
        self._health = health
        self._looked = looked
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock
        self._interval = interval
        self._probing: Deferred[Any] | None = None

    def start(self, now: bool = True) -> None:
        """Look, at once or after a while, and again and again."""
        if not self._loop.running:
            self._loop.start(self._interval, now=now)

    def stop(self) -> None:
        """Look no more."""
        if self._loop.running:
            self._loop.stop()
        probing, self._probing = self._probing, None
        if probing is not None:
            probing.cancel()

    def _look(self) -> None:
        if self._probing is not None:
            return  # the last look is still under way

        def taken(reached: Reached) -> None:
            self._health.reached(reached.seconds, reached.address)

        def failed(failure: Failure) -> None:
            if isinstance(failure.value, Reject):
                self._health.missed(failure.value.description)
            elif not failure.check(CancelledError):
                self.log.failure("a look at a target failed", failure)

        def over(_: object) -> None:
            if self._probing is not None:
                self._probing = None
                self._looked()

        self._probing = probing = self._probe()
        probing.addCallbacks(taken, failed).addCallback(over)
