"""The last lines of this process's log, for those who ask over the admin port."""

from __future__ import annotations

from collections import deque
from itertools import count
from typing import Any, Final

from attrs import frozen
from twisted.logger import (
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
    globalLogPublisher,
)
from zope.interface import implementer

from hybridconn.core.text import utc_text
from hybridconn.hcm.watchers import Watchers

#: How many lines are remembered, and how many characters of each.
MOST_LINES: Final = 1000
_MOST_TEXT: Final = 1000
#: In which events say what they are about.
_ABOUT: Final = ("entity", "name")


@frozen
class Line:
    """
    @ivar entity: the hybrid connection's path, if it is about one.
    """

    number: int
    at: float
    level: str
    text: str
    entity: str

    def view(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "number": self.number,
            "at": utc_text(self.at),
            "level": self.level,
            "text": self.text,
            "entity": self.entity,
        }


@implementer(ILogObserver)
class LogBook:
    """
    An observer that remembers; tracebacks are left to the log itself.

    @ivar watch: C{watch(watcher)} has a function called with each line from now on;
        what it returns ends that.
    """

    def __init__(self) -> None:
        self._lines: deque[Line] = deque(maxlen=MOST_LINES)
        self._numbers = count(1)
        self._watchers: Watchers[Line] = Watchers()
        self.watch = self._watchers.add

    def start(self) -> None:
        """Begin to listen to the log."""
        globalLogPublisher.addObserver(self)

    def stop(self) -> None:
        """Listen no more."""
        globalLogPublisher.removeObserver(self)

    def __call__(self, event: LogEvent) -> None:
        """One event (Twisted)."""
        level = event.get("log_level", LogLevel.info)
        if level is LogLevel.debug:
            return
        about = next((event[key] for key in _ABOUT if key in event), "")
        line = Line(
            next(self._numbers),
            event.get("log_time", 0.0),
            getattr(level, "name", "info"),
            formatEvent(event)[:_MOST_TEXT],
            str(about),
        )
        self._lines.append(line)
        self._watchers.tell(line)

    def lines(self, most: int, entity: str = "") -> list[Line]:
        """
        The last lines, the oldest first.

        @param entity: only those about this hybrid connection.
        """
        if entity:
            found = [line for line in self._lines if line.entity == entity]
        else:
            found = list(self._lines)
        return found[max(0, len(found) - most) :]
