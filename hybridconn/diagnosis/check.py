"""One thing that was looked at."""

from __future__ import annotations

import enum
from typing import Any

from attrs import field, frozen


class Result(enum.StrEnum):
    """How it is."""

    PASS = "PASS"
    FAIL = "FAIL"
    SKIP = "SKIP"


def _result(value: Result | bool) -> Result:
    if isinstance(value, Result):
        return value
    return Result.PASS if value else Result.FAIL


@frozen
class Check:
    """
    @ivar subject: of whom or what.
    @ivar name: what was looked at.
    @ivar result: may be given as whether all is well.
    @ivar seen: what was found, in words.
    @ivar mend: what to do; empty if nothing is to be done.
    @ivar seconds: how long it took; L{None} if that says nothing.
    """

    subject: str
    name: str
    result: Result = field(converter=_result)
    seen: str
    mend: str = ""
    seconds: float | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong, as far as is known."""
        return self.result is not Result.FAIL

    def view(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "subject": self.subject,
            "name": self.name,
            "ok": self.ok,
            "result": self.result.value,
            "detail": self.seen,
            "nextStep": self.mend,
            "seconds": self.seconds,
        }
