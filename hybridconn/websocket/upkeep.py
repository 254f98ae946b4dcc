"""
One slow timer for all WebSockets of a process: pings, silence, stalls.

Nothing here runs per frame.  At each turn a connection's counters are compared
with those of the turn before; so a time-out is met with the precision of one
turn, which is a quarter of the shortest of them.
"""

from __future__ import annotations

from typing import Protocol

from twisted.application.service import Service
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from hybridconn import memory
from hybridconn.websocket.base import StreamingWebSocket


class Kept(Protocol):
    """Something that is looked at regularly."""

    def look(self, now: float) -> bool | None:
        """
        Do what is due.

        @param now: seconds of a monotonic clock.
        @return: whether a good deal of memory was freed.
        """


class Upkeep(Service):
    """
    Looks at everything that was added, once a turn, while it runs.

    @param clock: the reactor.
    @param turn: seconds between two looks.
    """

    _log = Logger()

    def __init__(self, clock: IReactorTime, turn: float) -> None:
        self._clock = clock
        self._turn = turn
        self._kept: set[Kept] = set()
        self._loop = LoopingCall(self._look)
        self._loop.clock = clock

    @staticmethod
    def turn_for(*timeouts: float) -> float:
        """A turn that serves all C{timeouts}: between a quarter and 5 seconds."""
        shortest = min((t for t in timeouts if t > 0), default=20.0)
        return max(0.25, min(5.0, shortest / 4))

    def startService(self) -> None:
        """Begin (Twisted)."""
        super().startService()
        self._loop.start(self._turn, now=False)

    def stopService(self) -> None:
        """End (Twisted)."""
        if self._loop.running:
            self._loop.stop()
        super().stopService()

    def add(self, kept: Kept) -> None:
        """Look at C{kept} from now on."""
        self._kept.add(kept)

    def discard(self, kept: Kept) -> None:
        """Look at it no more."""
        self._kept.discard(kept)

    def _look(self) -> None:
        now = self._clock.seconds()
        freed = False
        for kept in tuple(self._kept):
            try:
                freed = bool(kept.look(now)) or freed
            except Exception:  # a bug in one must not end the watch over all
                self._log.failure("upkeep of {kept} failed", kept=kept)
        if freed:
            memory.give_back()


class Liveness:
    """
    Finds out whether a peer is still there (reliability: half-open peers).

    After C{interval} without a byte it is pinged; if C{patience} later there is
    still none, it is gone.  A peer that we do not read from, that does not take
    what we write, or that has closed its half is given no verdict: its pong
    could not come.  Nor is one that we have closed our half to: no ping may
    follow a Close, and it may take its time for an answer (relay-protocol section
    6.4).  The kernel's keep-alive is left then.
    """

    log = Logger()

    def __init__(
        self, socket: StreamingWebSocket, interval: float, patience: float, name: str
    ) -> None:
        self._socket = socket
        self._interval = interval
        self._patience = patience
        self._name = name
        self._seen = -1
        self._since = 0.0
        self._pinged = False

    def look(self, now: float) -> bool:
        """Ping or give up, if it is time; free what an idle connection holds."""
        socket = self._socket
        closing = socket.close_sent or socket.close_received
        excused = closing or socket.paused or socket.flow.blocked
        if excused or socket.bytes_received != self._seen:
            self._seen = socket.bytes_received
            self._since = now
            self._pinged = False
        elif self._pinged:
            if now - self._since >= self._patience:
                self.log.info("{name}: no sign of life, dropped", name=self._name)
                socket.abort()
        elif self._interval and now - self._since >= self._interval:
            self.ping(now)
        return socket.release_if_idle()

    def ping(self, now: float) -> None:
        """Ask for a sign of life, unless that is under way."""
        socket = self._socket
        if self._pinged or socket.close_sent or socket.close_received:
            return
        self._seen = socket.bytes_received
        self._pinged = True
        self._since = now
        socket.send_ping()

    def unanswered(self, now: float) -> float | None:
        """Since how many seconds a ping has had no answer; L{None}: there is none."""
        if not self._pinged or self._socket.bytes_received != self._seen:
            return None
        return now - self._since
