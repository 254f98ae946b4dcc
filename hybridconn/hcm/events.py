"""What changes in a manager, for those who watch."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any, Final

from attrs import frozen

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
    """Tells watchers of events, and remembers the last ones."""

    def __init__(self) -> None:
        self._numbers = count(1)
        self._recent: deque[Event] = deque(maxlen=MOST_EVENTS)
        self._watchers: list[Callable[[Event], None]] = []
        self.last = 0

    @property
    def watched(self) -> bool:
        """Whether anybody watches."""
        return bool(self._watchers)

    def publish(self, kind: str, value: dict[str, Any]) -> None:
        """Tell everybody."""
        event = Event(next(self._numbers), kind, value)
        self.last = event.number
        self._recent.append(event)
        for watcher in tuple(self._watchers):
            watcher(event)

    def watch(self, watcher: Callable[[Event], None]) -> Callable[[], None]:
        """
        Call C{watcher} with each event from now on.

        @return: ends that.
        """
        self._watchers.append(watcher)

        def end() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)

        return end

    def since(self, number: int) -> Iterator[Event] | None:
        """
        The events after C{number}; L{None} if some of them are forgotten, or were
        never there.
        """
        first = self._recent[0].number if self._recent else self.last + 1
        if not first - 1 <= number <= self.last:
            return None
        return iter([event for event in self._recent if event.number > number])
