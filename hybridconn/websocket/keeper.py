"""Pings for the WebSockets of a listener or a sender."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.upkeep import Liveness, Upkeep


class Keeper:
    """
    Finds out whether the relay is still there, for each socket it was given.
    Its timer runs only while there is one, so that nothing has to be started or
    stopped by whoever uses an endpoint.

    @param ping_interval: seconds of silence before a ping.
    @param dead_after: seconds of silence, that ping included, after which a
        socket is dropped.
    """

    def __init__(
        self, clock: IReactorTime, ping_interval: float, dead_after: float
    ) -> None:
        patience = dead_after - ping_interval
        turn = Upkeep.turn_for(ping_interval, patience)
        self._upkeep = Upkeep(clock, turn)
        self._interval = ping_interval
        # A look comes up to one turn late, and there are two of them.
        self._patience = max(patience - 2 * turn, patience / 4)
        self._watched: dict[StreamingWebSocket, Liveness] = {}

    def watch(self, socket: StreamingWebSocket, name: str) -> None:
        """
        Ping C{socket} when it is silent, and drop it when it stays so.

        @param name: what the log calls it.
        """
        if not self._watched:
            self._upkeep.startService()
        liveness = Liveness(socket, self._interval, self._patience, name)
        self._watched[socket] = liveness
        self._upkeep.add(liveness)

    def unanswered(self, socket: StreamingWebSocket, now: float) -> float | None:
        """
        @return: since how many seconds a ping of ours has had no answer; L{None} if
            none is waited for.
        """
        liveness = self._watched.get(socket)
        return None if liveness is None else liveness.unanswered(now)

    def ping(self, socket: StreamingWebSocket, now: float) -> None:
        """Ask C{socket}'s peer for a sign of life now."""
        liveness = self._watched.get(socket)
        if liveness is not None:
            liveness.ping(now)

    def forget(self, socket: StreamingWebSocket) -> None:
        """Leave C{socket} alone; harmless if it is not known."""
        liveness = self._watched.pop(socket, None)
        if liveness is None:
            return
        self._upkeep.discard(liveness)
        if not self._watched:
            self._upkeep.stopService()
