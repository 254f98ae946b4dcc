"""
The last half hour of each hybrid connection: what went through, how many tunnels there
were, and what became of its status; in bounded memory, by a look each second.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Any, Final

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.task import LoopingCall

from hybridconn.core.text import utc_text
from hybridconn.hcm.connection import ManagedConnection
from hybridconn.hcm.manager import Manager
from hybridconn.hcm.words import Verdict

#: Seconds between two looks at states; a sample of the traffic is taken at every fifth.
LOOK: Final = 1.0
LOOKS_PER_SAMPLE: Final = 5
#: How many samples and changes of state are remembered.
MOST_SAMPLES: Final = 360
MOST_STATES: Final = 50

_DIGITS: Final = re.compile(r"\d+")


@define
class _Past:
    """
    @ivar samples: bytes from the target and from senders in one interval, and tunnels
        that were open at its end.
    @ivar states: status, reason, and since when.
    """

    bytes: tuple[int, int]
    samples: deque[tuple[int, int, int]] = field(
        factory=lambda: deque(maxlen=MOST_SAMPLES)
    )
    states: deque[tuple[str, str, float]] = field(
        factory=lambda: deque(maxlen=MOST_STATES)
    )


class History(Service):
    """
    Looks while it runs.

    @ivar interval: seconds of one sample.
    @ivar most: how many samples there can be.
    """

    interval = LOOK * LOOKS_PER_SAMPLE
    most = MOST_SAMPLES

    def __init__(self, manager: Manager, clock: Any, wall: Any) -> None:
        self._manager = manager
        self._wall = wall
        self._past: dict[ManagedConnection, _Past] = {}
        self._looks = LoopingCall(self._look)
        self._looks.clock = clock
        self._count = 0

    def startService(self) -> None:
        """Begin (Twisted)."""
        super().startService()
        self._looks.start(LOOK, now=True)

    def stopService(self) -> None:
        """Look no more (Twisted)."""
        super().stopService()
        if self._looks.running:
            self._looks.stop()

    def view(self, connection: ManagedConnection, samples: int) -> dict[str, Any]:
        """The last samples as JSON has them, the oldest first."""
        past = self._past.get(connection)
        found = [] if past is None else list(past.samples)
        found = found[max(0, len(found) - samples) :]
        return {
            "bytesFromTarget": [one[0] for one in found],
            "bytesFromSender": [one[1] for one in found],
            "open": [one[2] for one in found],
        }

    def states(self, connection: ManagedConnection) -> list[dict[str, Any]]:
        """What its status was, the newest first."""
        past = self._past.get(connection)
        if past is None:
            return []
        # Who asks because it has just changed is told so, before the next look.
        self._note_state(past, connection)
        return [
            {"status": word, "reason": reason, "at": utc_text(at)}
            for word, reason, at in reversed(past.states)
        ]

    def _look(self) -> None:
        sample = self._count % LOOKS_PER_SAMPLE == 0
        self._count += 1
        known, self._past = self._past, {}
        for connection in self._manager:
            past = known.get(connection)
            if past is None:
                past = _Past(connection.book.bytes())
            elif sample:
                now = connection.book.bytes()
                before, past.bytes = past.bytes, now
                past.samples.append(
                    (now[0] - before[0], now[1] - before[1], connection.book.open)
                )
            self._past[connection] = past
            self._note_state(past, connection)

    def _note_state(self, past: _Past, connection: ManagedConnection) -> None:
        verdict = connection.verdict()
        if not past.states or not _same(past.states[-1], verdict):
            past.states.append((verdict.word, verdict.reason, self._wall()))


def _same(state: tuple[str, str, float], verdict: Verdict) -> bool:
    # A reason may count seconds; that alone is no change.
    return state[0] == verdict.word and (
        _DIGITS.sub("", state[1]) == _DIGITS.sub("", verdict.reason)
    )
