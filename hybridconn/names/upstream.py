"""
Asking other name servers, with the bytes of the query as they are.

A server that does not answer in time is not waited for: the next one is asked as
well, and the first answer counts.  One that cannot be reached at all is passed over
at once, and so is one that says that it cannot answer.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from hybridconn.config.addresses import HostPort
from hybridconn.names.attempts import Attempt, DatagramAttempt, StreamAttempt
from hybridconn.names.packet import (
    FORMERR,
    NOTIMP,
    REFUSED,
    SERVFAIL,
    PacketError,
    asked_bytes,
    failure,
    id_of,
    status,
    with_id,
)

#: Answers of servers that have none: others may have one.
_HELPLESS = (SERVFAIL, NOTIMP, REFUSED)
#: Queries that wait for other servers at a time; further ones get SERVFAIL.  Each may
#: take a socket for each server.
MOST_WAITING = 256
#: Seconds that a server is asked first after it answered in another's place.
_PREFERRED = 30.0


@frozen
class _Answer:
    packet: bytes
    server: HostPort


class Upstreams:
    """
    @param servers: tells the servers, the first one first.  Asked for each query,
        as a laptop moves from network to network.
    @param chance: for ids and ports that nobody can guess.
    @param timeout: seconds after which the next server is asked too.
    @param deadline: seconds after which there is no answer.
    @param open_socket: for UDP.
    """

    log = Logger()

    def __init__(
        self,
        servers: Callable[[], Sequence[HostPort]],
        reactor: Any,
        chance: Random,
        timeout: float,
        deadline: float,
        open_socket: Callable[..., socket.socket] = socket.socket,
    ) -> None:
        self.open_socket = open_socket
        self._servers = servers
        self._reactor = reactor
        self._chance = chance
        self._timeout = timeout
        self._deadline = deadline
        self._asking: set[_Asking] = set()
        self._preferred: HostPort | None = None
        self._until = 0.0
        self._silent = False

    def ask(self, query: bytes, stream: bool) -> Deferred[bytes]:
        """
        Have C{query} answered.

        @param stream: by TCP, as it came itself by TCP.
        @return: fires with the answer, under the query's id; SERVFAIL if there is
            none.
        """
        answered: Deferred[bytes] = Deferred()
        if len(self._asking) >= MOST_WAITING:
            answered.callback(failure(query))
            return answered
        try:
            asked_bytes(query)
        except PacketError:
            answered.callback(failure(query, FORMERR))
            return answered
        asking = _Asking(self, query, stream, answered)
        self._asking.add(asking)
        asking.next_server()
        return answered

    def stop(self) -> None:
        """Wait for no answer any more."""
        for asking in tuple(self._asking):
            asking.give_up()

    def servers(self) -> list[HostPort]:
        """The servers that there are now, the first one first."""
        return list(self._servers())

    # --- for what is asked ---

    def order(self) -> list[HostPort]:
        """
        The servers as they are to be asked: one that answered in the place of another
        is in front for a while, not for ever, as they may know different names.
        """
        servers = self.servers()
        if self._preferred in servers and self._reactor.seconds() < self._until:
            servers.remove(self._preferred)
            servers.insert(0, self._preferred)
        return servers

    def over(self, asking: _Asking, server: HostPort | None) -> None:
        """
        Something was answered.

        @param server: by which; L{None}: by none.
        """
        self._asking.discard(asking)
        if server is not None and server != asking.asked[0]:
            self._preferred = server
            self._until = self._reactor.seconds() + _PREFERRED
        silent = server is None
        if silent and not self._silent:
            asked = ", ".join(map(str, asking.asked)) or "there is none"
            self.log.warn("no name server answers ({asked})", asked=asked)
        elif self._silent and not silent:
            self.log.info("name server {server} answers again", server=str(server))
        self._silent = silent


class _Asking:
    """One query that waits for its answer."""

    def __init__(
        self, around: Upstreams, query: bytes, stream: bool, answered: Deferred[bytes]
    ) -> None:
        self._around = around
        self._query = query
        self._stream = stream
        self._answered = answered
        self._attempts: list[Attempt] = []
        self._failed = 0
        self._helpless: _Answer | None = None
        self._left = around.order()
        self.open_socket = around.open_socket
        self.asked: list[HostPort] = []
        reactor = around._reactor
        self._end: IDelayedCall = reactor.callLater(around._deadline, self.give_up)
        self._next: IDelayedCall | None = None

    def next_server(self) -> None:
        """Ask one more, and the one behind it in a while."""
        self._next = None
        if not self._left:
            if self._failed == len(self.asked):
                self.give_up()
            return
        server = self._left.pop(0)
        self.asked.append(server)
        around = self._around
        kind = StreamAttempt if self._stream else DatagramAttempt
        attempt = kind(self, server, self._query, around._chance, around._reactor)
        self._attempts.append(attempt)
        if self._left:
            self._next = around._reactor.callLater(around._timeout, self.next_server)
        attempt.start()

    def answer(self, packet: bytes, server: HostPort) -> bool:
        """A server answered (see L{Asking})."""
        found = _Answer(packet, server)
        if status(packet) in _HELPLESS:
            self._helpless = self._helpless or found
            return False
        self._finish(found)
        return True

    def failed(self) -> None:
        """A server has no answer (see L{Asking})."""
        self._failed += 1
        if self._answered.called:
            return
        if self._next is not None:
            self._next.cancel()
        if self._next is not None or not self._left:
            self.next_server()

    def give_up(self) -> None:
        """There is no answer, or none that is of use."""
        self._finish(self._helpless)

    def _finish(self, found: _Answer | None) -> None:
        if self._answered.called:
            return
        for timer in (self._end, self._next):
            if timer is not None and timer.active():
                timer.cancel()
        self._next = None
        self._left = []
        for attempt in self._attempts:
            attempt.stop()
        self._around.over(self, None if found is None else found.server)
        if found is None:
            self._answered.callback(failure(self._query))
        else:
            self._answered.callback(with_id(found.packet, id_of(self._query)))
