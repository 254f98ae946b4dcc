"""
How often one and the same complaint is written down (reliability-security
section 5): a client that fails as fast as it can must not fill the disk.
"""

from __future__ import annotations

from collections import OrderedDict

from attrs import define
from twisted.logger import Logger

#: Seconds for which lines are counted.
WINDOW = 60.0
#: Sources and causes that are remembered; the eldest is told of and forgotten.
MOST_ENTRIES = 10_000


@define
class _Entry:
    """What one source did for one cause since C{since}."""

    since: float
    written: int = 0
    kept_back: int = 0


class Logbook:
    """
    Lets so many lines of each source and cause through in a minute, and gives the
    number of the others when it is over.  Have L{look} called now and then.

    @param per_minute: lines of one source and cause; 0 is no limit.
    """

    log = Logger()

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        # The eldest first: all of them end equally long after they began.
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()

    def may_write(self, source: str, cause: str, now: float) -> bool:
        """
        Count one line.

        @param source: whose fault it is, an IP address.
        @param cause: what it is about; without anything that a peer chooses.
        @param now: seconds of a monotonic clock.
        @return: whether to write it.
        """
        if not self._per_minute:
            return True
        self.look(now)
        entry = self._entries.get((source, cause))
        if entry is None:
            if len(self._entries) >= MOST_ENTRIES:
                self._end(next(iter(self._entries)))
            entry = self._entries[source, cause] = _Entry(now)
        if entry.written < self._per_minute:
            entry.written += 1
            return True
        entry.kept_back += 1
        return False

    def look(self, now: float) -> None:
        """Write the counts of those whose minute is over."""
        while self._entries:
            key, entry = next(iter(self._entries.items()))
            if now - entry.since < WINDOW:
                break
            self._end(key)

    def _end(self, key: tuple[str, str]) -> None:
        entry = self._entries.pop(key)
        if entry.kept_back:
            self.log.info(
                "{count} more from {source} within a minute: {cause}",
                count=entry.kept_back,
                source=key[0],
                cause=key[1],
            )
