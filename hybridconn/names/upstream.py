"""
Asking other name servers, with the bytes of the query as they are.

A server that does not answer in time is not waited for: the next one is asked as
well, and the first answer counts.  One that cannot be reached at all is passed over
at once.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
)
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IDelayedCall, IReadDescriptor
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.config.addresses import HostPort
from hybridconn.names.packet import (
    MOST_BYTES,
    PacketError,
    Question,
    id_of,
    is_response,
    question,
    servfail,
    with_id,
)

#: Queries that wait for other servers at a time; further ones get SERVFAIL.
MOST_WAITING = 512
#: Datagrams that are read before others have their turn.
_READS_AT_ONCE = 8


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
        self._last_good: HostPort | None = None
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
            answered.callback(servfail(query))
            return answered
        asking = _Asking(self, query, stream, answered)
        self._asking.add(asking)
        asking.next_server()
        return answered

    def stop(self) -> None:
        """Wait for no answer any more."""
        for asking in tuple(self._asking):
            asking.give_up()

    # --- for what is asked ---

    def order(self) -> list[HostPort]:
        """The servers, the one that answered last in front."""
        servers = list(self._servers())
        if self._last_good in servers:
            servers.remove(self._last_good)
            servers.insert(0, self._last_good)
        return servers

    def over(self, asking: _Asking, server: HostPort | None) -> None:
        """
        Something was answered.

        @param server: by which; L{None}: by none.
        """
        self._asking.discard(asking)
        self._last_good = server
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
        self._attempts: list[_DatagramAttempt | _StreamAttempt] = []
        self._failed = 0
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
        kind = _StreamAttempt if self._stream else _DatagramAttempt
        attempt = kind(self, server, self._query, around._chance, around._reactor)
        self._attempts.append(attempt)
        if self._left:
            self._next = around._reactor.callLater(around._timeout, self.next_server)
        attempt.start()

    def answer(self, packet: bytes, server: HostPort) -> None:
        """A server answered."""
        self._finish(with_id(packet, id_of(self._query)), server)

    def failed(self) -> None:
        """A server cannot be asked at all."""
        self._failed += 1
        if self._answered.called:
            return
        if self._next is not None:
            self._next.cancel()
        if self._next is not None or not self._left:
            self.next_server()

    def give_up(self) -> None:
        """There is no answer."""
        self._finish(servfail(self._query), None)

    def _finish(self, packet: bytes, server: HostPort | None) -> None:
        if self._answered.called:
            return
        for timer in (self._end, self._next):
            if timer is not None and timer.active():
                timer.cancel()
        self._next = None
        self._left = []
        for attempt in self._attempts:
            attempt.stop()
        self._around.over(self, server)
        self._answered.callback(packet)


class _Attempt:
    """One query at one server, under an id of its own."""

    def __init__(
        self,
        asking: _Asking,
        server: HostPort,
        query: bytes,
        chance: Random,
        reactor: Any,
    ) -> None:
        self._asking = asking
        self._server = server
        self._id = chance.getrandbits(16)
        self._packet = with_id(query, self._id)
        self._asked = _question_of(query)
        self._reactor = reactor
        self._open = asking.open_socket
        self._over = False

    def take(self, packet: bytes) -> bool:
        """Take it if it is the answer."""
        try:
            good = is_response(packet) and id_of(packet) == self._id
            asked = question(packet) if good else None
        except PacketError:
            return False
        if not good or self._over:
            return False
        # A server that understood nothing may leave the question out.
        if asked is not None and self._asked is not None:
            good = asked.folded == self._asked.folded
        if good:
            self._asking.answer(packet, self._server)
        return good

    def fail(self) -> None:
        """The server cannot be asked."""
        if not self._over:
            self.stop()
            self._asking.failed()

    def stop(self) -> None:
        """Nothing of it is wanted any more."""
        self._over = True


@implementer(IReadDescriptor)
class _DatagramAttempt(_Attempt):
    """
    By UDP, from a socket of its own.  Twisted's UDP ports write two lines into the log
    for each, which would be two for each name that is looked up.
    """

    _socket: socket.socket | None = None

    def start(self) -> None:
        """Ask."""
        family = socket.AF_INET6 if ":" in self._server.host else socket.AF_INET
        try:
            # The system chooses the port by chance.
            self._socket = made = self._open(family, socket.SOCK_DGRAM)
            made.setblocking(False)
            # A connected socket takes answers of that server only, and hears of a
            # refusal.
            made.connect((self._server.host, self._server.port))
            made.send(self._packet)
        except OSError:
            self.fail()
            return
        self._reactor.addReader(self)

    def doRead(self) -> None:
        """Perhaps the answer (Twisted)."""
        for _ in range(_READS_AT_ONCE):
            if self._socket is None:
                return
            try:
                packet = self._socket.recv(MOST_BYTES)
            except BlockingIOError:
                return
            except OSError:  # nobody listens there
                self.fail()
                return
            self.take(packet)

    def fileno(self) -> int:
        """See L{IReadDescriptor} (Twisted)."""
        return -1 if self._socket is None else self._socket.fileno()

    def logPrefix(self) -> str:
        """See L{IReadDescriptor} (Twisted)."""
        return "name server"

    def connectionLost(self, reason: Failure) -> None:
        """The socket is broken (Twisted)."""
        self.fail()

    def stop(self) -> None:
        """Close the socket."""
        super().stop()
        known, self._socket = self._socket, None
        if known is not None:
            self._reactor.removeReader(self)
            known.close()


class _StreamAttempt(_Attempt):
    """By TCP."""

    _dial: Deferred[Any] | None = None
    _protocol: _StreamProtocol | None = None

    def start(self) -> None:
        """Connect, then ask."""
        kind = TCP6ClientEndpoint if ":" in self._server.host else TCP4ClientEndpoint
        endpoint = kind(self._reactor, self._server.host, self._server.port)
        factory = Factory.forProtocol(lambda: _StreamProtocol(self))
        factory.noisy = False
        self._dial = dial = endpoint.connect(factory)
        dial.addCallbacks(self._connected, self._not_connected)

    def _connected(self, protocol: _StreamProtocol) -> None:
        self._dial = None
        self._protocol = protocol
        if self._over:
            protocol.leave()
        else:
            protocol.sendString(self._packet)

    def _not_connected(self, failure: Failure) -> None:
        self._dial = None
        if not self._over:
            failure.trap(ConnectError, OSError)
            self.fail()

    def stop(self) -> None:
        """Close the connection."""
        super().stop()
        dial, self._dial = self._dial, None
        if dial is not None:
            dial.addErrback(lambda _: None)
            dial.cancel()
        if self._protocol is not None:
            self._protocol.leave()


class _StreamProtocol(Int16StringReceiver):
    """Messages with their length in front (RFC 1035 section 4.2.2)."""

    def __init__(self, attempt: _StreamAttempt) -> None:
        self._attempt = attempt

    def stringReceived(self, string: bytes) -> None:
        """Perhaps the answer (Twisted)."""
        self._attempt.take(string)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The server closed (Twisted)."""
        self._attempt.fail()

    def leave(self) -> None:
        """Close."""
        transport: Any = self.transport
        transport.abortConnection()


def _question_of(packet: bytes) -> Question | None:
    try:
        return question(packet)
    except PacketError:
        return None
