"""Deadlines: waiting for something to become true, and for nothing longer."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

# How often a condition is asked again, in seconds.
_STEP = 0.02


class Late(AssertionError):
    """What a test waited for did not come in time."""


def wait_for(what: str, ask: Callable[[], T | None], seconds: float = 15.0) -> T:
    """
    Ask again and again until the answer is true.

    @param what: names it for people, as in "the listener to be online".
    @raise Late: after C{seconds}.
    """
    deadline = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Late(f"waited {seconds:g} s for {what}")
        time.sleep(_STEP)


_given: set[int] = set()


def free_port() -> int:
    """
    A port of 127.0.0.1 that nobody uses.

    It is below the range from which the system takes ports for outgoing
    connections: a program that is restarted on it finds it free again.
    """
    while True:
        port = random.randrange(18_000, 32_000)
        if port in _given:
            continue  # whoever has it may not have opened it yet
        with socket.socket() as probe:
            # As servers do: connections of an earlier test may linger there.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.add(port)
            return port
