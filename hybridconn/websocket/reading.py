"""
How much is read from a connection in one go, and who has to wait for it.

A large read costs less for each byte, a small one lets the others have their
turn sooner.  So one busy connection reads much, and many read little each.  Where a
tunnel that carries little is beside a busy one, the busy one also leaves the
processor to others for a moment after each turn: the parts of a tunnel may share
a machine, and a kernel that is not asked lets whoever works go on for milliseconds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IReactorTime

#: A read of at least so many bytes makes a connection a busy one.
BULK: Final = 16384

#: Nothing less is read at once: it is one TLS record.
_SMALLEST: Final = 16384

#: Seconds over which busy connections are counted.
_WINDOW: Final = 0.05

#: Bytes of a read at most beside a tunnel that carries little.
_POLITE: Final = 65536

#: Seconds for which a tunnel counts as one that carries little, but something.
_QUIET: Final = 1.0


def _nap() -> None:
    # A sleep, however short, takes the process off the queue of those that want
    # the processor, and it comes back in front of those that had much of it.
    # sched_yield puts it at the end instead, for as long as everybody's slice.
    time.sleep(0.00001)


class ReadSizes:
    """
    Shares out one amount of bytes among the connections that are busy.

    @param clock: tells how long ago a connection was busy.
    @param largest: bytes of a read while one connection is busy; two read half
        of it each, and so on.
    @param nap: leaves the processor to others for a moment.
    @ivar bulk: whether there were busy connections of late; only then need
        L{small} be called.
    """

    def __init__(
        self, clock: IReactorTime, largest: int, nap: Callable[[], None] = _nap
    ) -> None:
        self._clock = clock
        self._seconds = clock.seconds
        self._largest = largest
        self._nap = nap
        self._size = largest
        self._until = self._polite_until = 0.0
        self._busy: set[Any] = set()
        self._tunnels: set[Any] = set()
        self._tunnels_before: set[Any] = set()
        self._napping = False
        self.bulk = False

    def busy(self, tcp: Any, tunnel: Any) -> None:
        """
        Set how much C{tcp} reads next time; to be called when it read L{BULK}
        or more.

        @param tcp: one of Twisted's TCP transports; its C{bufferSize} is used.
        @param tunnel: the same for all connections of one tunnel.
        """
        now = self._seconds()
        if now >= self._until:
            self._size = max(_SMALLEST, self._largest // (len(self._busy) or 1))
            self._busy.clear()
            self._tunnels_before, self._tunnels = self._tunnels, set()
            self._until = now + _WINDOW
            self.bulk = True
        self._busy.add(tcp)
        self._tunnels.add(tunnel)
        if now >= self._polite_until:
            tcp.bufferSize = self._size
            return
        tcp.bufferSize = min(self._size, _POLITE)
        if not self._napping:
            self._napping = True
            # When all have had their turn that had something.
            self._clock.callLater(0, self._rest)

    def small(self, tunnel: Any) -> None:
        """
        A read of less than L{BULK}: if nothing else of that tunnel is busy, those
        that are become polite.
        """
        if tunnel in self._tunnels or tunnel in self._tunnels_before:
            return
        now = self._seconds()
        if now >= self._until + _WINDOW:
            self.bulk = False
        else:
            self._polite_until = now + _QUIET

    def _rest(self) -> None:
        self._napping = False
        self._nap()
