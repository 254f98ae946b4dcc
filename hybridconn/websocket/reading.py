"""
How much is read from a connection in one go.

A large read costs less for each byte, a small one lets the others have their
turn sooner.  So one busy connection reads much, and many read little each.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IReactorTime

#: A read of at least so many bytes makes a connection a busy one.
BULK: Final = 16384

#: Nothing less is read at once: it is one TLS record.
_SMALLEST: Final = 16384

#: Seconds over which busy connections are counted.
_WINDOW: Final = 0.05


class ReadSizes:
    """
    Shares out one amount of bytes among the connections that are busy.

    @param clock: tells how long ago a connection was busy.
    @param largest: bytes of a read while one connection is busy; two read half
        of it each, and so on.
    """

    def __init__(self, clock: IReactorTime, largest: int) -> None:
        self._seconds = clock.seconds
        self._largest = largest
        self._size = largest
        self._until = 0.0
        self._busy: set[Any] = set()

    def busy(self, tcp: Any) -> None:
        """
        Set how much C{tcp} reads next time; to be called when it read L{BULK}
        or more.

        @param tcp: one of Twisted's TCP transports; its C{bufferSize} is used.
        """
        now = self._seconds()
        if now >= self._until:
            self._size = max(_SMALLEST, self._largest // (len(self._busy) or 1))
            self._busy.clear()
            self._until = now + _WINDOW
        self._busy.add(tcp)
        tcp.bufferSize = self._size
