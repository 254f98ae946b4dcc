"""
What went through the hybrid connections of one node in the last half hour.

It looks every five seconds, and only while somebody wants to know.  What is kept is
what moved: a hybrid connection at rest costs two look-ups and nothing more, so that ten
thousand of them take some milliseconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final

from twisted.application.service import Service
from twisted.internet.task import LoopingCall

if TYPE_CHECKING:
    from hybridconn.relay.desk import Desk, EntityKey

#: Seconds of one sample, and how many are remembered.
INTERVAL: Final = 5.0
MOST_SAMPLES: Final = 360
#: Seconds for which it goes on after the last one who wanted to know.
INTEREST: Final = 600.0

#: The number of an interval, counted from 1970 on; bytes of senders and of listeners.
Sample = tuple[int, int, int]


class Traffic(Service):
    """
    Looks while it runs and somebody is interested.

    @param clock: the reactor.
    @param wall: seconds since 1970-01-01 UTC, which numbers the samples.
    """

    def __init__(self, desk: Desk, clock: Any, wall: Callable[[], float]) -> None:
        self._desk = desk
        self._clock = clock
        self._wall = wall
        self._wanted_until = 0.0
        self._totals: dict[EntityKey, tuple[int, int]] = {}
        self._past: dict[EntityKey, deque[Sample]] = {}
        self._all: deque[Sample] = deque(maxlen=MOST_SAMPLES + 1)
        self._looks = LoopingCall(self._look)
        self._looks.clock = clock

    def stopService(self) -> None:
        """Look no more (Twisted)."""
        super().stopService()
        self._stop()

    def want(self) -> None:
        """Somebody is interested."""
        self._wanted_until = self._clock.seconds() + INTEREST
        if self.running and not self._looks.running:
            self._totals = dict(self._read())
            self._looks.start(INTERVAL, now=False)

    def of(self, key: EntityKey | None, samples: int) -> list[Sample]:
        """
        The last samples in which anything moved, the oldest first; and the one of the
        interval that is not over, if there is one.

        @param key: of a hybrid connection; L{None}: all together.
        """
        past = self._all if key is None else self._past.get(key, ())
        oldest = self._number() - samples
        return [one for one in past if one[0] >= oldest]

    def _number(self) -> int:
        return int(self._wall() / INTERVAL)

    def _read(self) -> Iterator[tuple[EntityKey, tuple[int, int]]]:
        for key in self._desk.known:
            entity, ended = self._desk.at(key)
            sender, listener = ended.sender_bytes, ended.listener_bytes
            for one in entity.open:
                from_sender, from_listener = one.carried
                sender += from_sender
                listener += from_listener
            yield key, (sender, listener)

    def _look(self) -> None:
        if self._clock.seconds() > self._wanted_until:
            self._stop()
            return
        number, before, self._totals = self._number(), self._totals, {}
        oldest = number - MOST_SAMPLES
        all_senders = all_listeners = 0
        for key, total in self._read():
            self._totals[key] = total
            last = before.get(key, (0, 0))
            # One that was deleted and made again begins anew.
            sender, listener = max(0, total[0] - last[0]), max(0, total[1] - last[1])
            if not sender and not listener:
                continue
            past = self._past.setdefault(key, deque(maxlen=MOST_SAMPLES + 1))
            past.append((number, sender, listener))
            all_senders += sender
            all_listeners += listener
        if all_senders or all_listeners:
            self._all.append((number, all_senders, all_listeners))
        for key, past in tuple(self._past.items()):
            if past[-1][0] < oldest or key not in self._totals:
                del self._past[key]

    def _stop(self) -> None:
        if self._looks.running:
            self._looks.stop()
        self._totals.clear()
        self._past.clear()
        self._all.clear()
