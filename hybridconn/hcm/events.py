"""What changes in a manager, for those who watch."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import count
from typing import Any, Final

from attrs import frozen

from hybridconn.hcm.watchers import Watchers

#: How many events are remembered for who comes back.
MOST_EVENTS: Final = 500


@frozen
class Event:
    """
    @ivar number: counts up, over all kinds.
    @ivar kind: C{connection}, C{removed}, C{tunnel} or C{configuration}.
    @ivar value: as JSON has it.
    """

    number: int
    kind: str
    value: dict[str, Any]


class EventHub:
    """
    Tells watchers of events, and remembers the last ones.

    @ivar watch: C{watch(watcher)} has a function called with each event from now on;
        what it returns ends that.
    @ivar last: the number of the last event.
    """

    def __init__(self) -> None:
        self._numbers = count(1)
        self._recent: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._watchers: Watchers[Event] = Watchers()
        self.watch = self._watchers.add
        self.last = 0

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return self._watchers.any

    def publish(self, kind: str, value: dict[str, Any]) -> None:
        """Tell everybody."""
        event = Event(next(self._numbers), kind, value)
        self.last = event.number
        self._recent.append(event)
        self._watchers.tell(event)

    def since(self, number: int) -> Iterator[Event] | None:
        """
        The events after C{number}; L{None} if some of them are forgotten, or were
        never there.
        """
        first = self._recent[0].number if self._recent else self.last + 1
        if not first - 1 <= number <= self.last:
            return None
        return iter([event for event in self._recent if event.number > number])
