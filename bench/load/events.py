"""How a part and the bench talk: lines of JSON on standard input and output."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

Settings = dict[str, Any]


def settings() -> Settings:
    """What the part is to do: the first line of standard input."""
    given: Settings = json.loads(sys.stdin.readline())
    return given


def say(event: str, **figures: object) -> None:
    """
    Tell the bench that something happened, when, and at what cost so far.

    The clock is the same for all processes of a machine.
    """
    line = {
        "event": event,
        "at": time.monotonic(),
        "cpu": time.process_time(),
        **figures,
    }
    print(json.dumps(line), flush=True)


def wait_for_go() -> None:
    """
    Until the bench says so.

    @raise EOFError: if it is gone.
    """
    if not sys.stdin.readline():
        raise EOFError("nobody is there to say when to go on")
