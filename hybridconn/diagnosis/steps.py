"""Hops in their order: behind one that failed there is nothing to be seen."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from attrs import frozen
from twisted.internet.interfaces import IReactorTime

from hybridconn.diagnosis.check import Check, Result

_T = TypeVar("_T")


class Trouble(Exception):
    """A hop failed: what was seen, and the mend."""

    def __init__(self, seen: str, mend: str) -> None:
        super().__init__(seen)
        self.seen = seen
        self.mend = mend


class Skipped(Exception):
    """There is nothing to be looked at; the text says why."""


@frozen
class Seen(Generic[_T]):
    """
    A hop is well.

    @ivar value: for the hops behind it.
    """

    words: str
    value: _T


class Steps:
    """
    @ivar failed: the hop behind which nothing is looked at; empty: none failed.
    @param told: called with each check as soon as it is done.
    """

    def __init__(
        self, subject: str, clock: IReactorTime, told: Callable[[Check], object]
    ) -> None:
        self.subject = subject
        self.failed = ""
        self._clock = clock
        self._told = told

    async def run(
        self, name: str, look: Callable[[], Awaitable[Seen[_T]]]
    ) -> _T | None:
        """
        Look at the next hop, unless one before it failed.

        @param look: raises L{Trouble} or L{Skipped}.
        @return: what the hops behind it need; L{None} if there is nothing.
        """
        if self.failed:
            self.skip(name)
            return None
        began = self._clock.seconds()
        try:
            seen = await look()
        except Trouble as trouble:
            self.failed = name
            self.tell(name, Result.FAIL, trouble.seen, trouble.mend, self._lap(began))
        except Skipped as why:
            self.tell(name, Result.SKIP, str(why))
        else:
            self.tell(name, Result.PASS, seen.words, seconds=self._lap(began))
            return seen.value
        return None

    def skip(self, *names: str, why: str = "") -> None:
        """Nothing can be seen there."""
        for name in names:
            self.tell(name, Result.SKIP, why or f"{self.failed} failed")

    def tell(
        self, name: str, result: Result, seen: str, *more: Any, **named: Any
    ) -> None:
        """One was looked at."""
        self._told(Check(self.subject, name, result, seen, *more, **named))

    def _lap(self, began: float) -> float:
        return self._clock.seconds() - began
