"""A reactor whose timers do not care when somebody sets the clock of the machine."""

from __future__ import annotations

import time
from typing import Any

from twisted.internet.base import ReactorBase


def keep_steady(reactor: Any) -> None:
    """
    Have C{reactor} measure time by a clock that nobody sets.

    Twisted's measures it by the time of day: set back by an hour, that keeps every
    timer from firing for an hour, pings and reconnects too; set forward, all are due
    at once, and who owes a pong seems dead.  A reactor that has timers already is
    left alone: what they are waiting for would never come.
    """
    if isinstance(reactor, ReactorBase) and not reactor.getDelayedCalls():
        vars(reactor)["seconds"] = time.monotonic
