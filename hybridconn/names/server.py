"""
The name server for apps on this machine: it answers for the names that are
redirected, and passes every other query on.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError, MessageLengthError
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.config.addresses import HostPort
from hybridconn.names.answers import own_answer
from hybridconn.names.cache import AnswerCache
from hybridconn.names.packet import (
    FORMERR,
    HEADER,
    NXDOMAIN,
    REFUSED,
    PacketError,
    answers,
    failure,
    id_of,
    is_query,
    is_response,
    question,
    questions,
    status,
    with_id,
    with_lifetimes,
)
from hybridconn.names.plan import NameTable
from hybridconn.names.streams import Responder, StreamServerFactory
from hybridconn.names.upstream import MOST_WAITING, Upstreams
from hybridconn.startup import PortService, local_endpoint

Failed = Callable[[Failure], NoReturn]

#: Copies of a whole zone, AXFR and IXFR, which are many messages.
_TRANSFERS = (251, 252)
#: What everybody takes by UDP (RFC 1035 section 4.2.1).
_LEAST_BYTES = 512
#: Seconds that a connection may be silent.
_STREAM_IDLE = 20.0


class NameServer:
    """
    @param table: the names that are answered here.
    @ivar unsettled: not all names are known yet.  Until they are, nobody is to keep
        that a name does not exist.
    """

    log = Logger()
    unsettled = False

    def __init__(
        self, table: NameTable, upstreams: Upstreams, cache: AnswerCache, ttl: int
    ) -> None:
        self._table = table
        self._upstreams = upstreams
        self._cache = cache
        self._ttl = ttl
        self._servers: list[HostPort] = []
        self._waiting: dict[tuple[bytes, bool], list[tuple[int, Deferred[bytes]]]] = {}

    def respond(self, query: bytes, stream: bool) -> Deferred[bytes] | None:
        """
        @param stream: it came by TCP.
        @return: L{None} if that is no query; else the answer, without fail.
        """
        if len(query) < HEADER or is_response(query):
            return None
        if is_query(query):
            try:
                ours = self._ours(query)
            except PacketError:
                ours = failure(query, FORMERR)
            if ours is not None:
                return succeed(ours)
        self._mind_servers()
        kept = self._cache.find(query)
        if kept is not None:
            return succeed(kept)
        return self._ask(query, stream)

    def stop(self) -> None:
        """Wait for no other server any more."""
        self._upstreams.stop()

    def _ours(self, query: bytes) -> bytes | None:
        if questions(query) > 1:
            return failure(query, FORMERR)
        asked = question(query)
        if asked is not None and asked.kind in _TRANSFERS:
            return failure(query, REFUSED)
        return own_answer(self._table, query, self._ttl)

    def _mind_servers(self) -> None:
        """What other servers said, such as those of another network, is void."""
        servers = self._upstreams.servers()
        if servers != self._servers:
            self._servers = servers
            self._cache.clear()

    def _ask(self, query: bytes, stream: bool) -> Deferred[bytes]:
        """
        Ask others, once at a time for the same: else whoever forges answers would have
        as many chances as there are questions (RFC 5452 section 5), and a server that
        asks us in turn would never end.
        """
        answered: Deferred[bytes] = Deferred()
        key = (query[2:], stream)
        waiting = self._waiting.get(key)
        if waiting is not None and len(waiting) < MOST_WAITING:
            waiting.append((id_of(query), answered))
            return answered
        if waiting is not None:
            return succeed(failure(query))
        waiting = self._waiting[key] = [(id_of(query), answered)]

        def passed(packet: bytes) -> None:
            del self._waiting[key]
            packet = self._passed(packet, query, stream)
            for number, one in waiting:
                one.callback(with_id(packet, number))

        self._upstreams.ask(query, stream).addCallback(passed)
        return answered

    def _passed(self, packet: bytes, query: bytes, stream: bool) -> bytes:
        if self.unsettled:
            try:
                if status(packet) == NXDOMAIN or not answers(packet):
                    return with_lifetimes(packet, float("inf"))
            except PacketError:
                return packet
        # What came by TCP may be too long for those who ask the same by UDP.
        if not stream or len(packet) <= _LEAST_BYTES:
            self._cache.keep(query, packet)
        return packet


class DatagramServer(DatagramProtocol):
    """Queries by UDP."""

    noisy = False

    def __init__(self, responder: Responder) -> None:
        self._responder = responder

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """A query (Twisted)."""
        answered = self._responder.respond(datagram, stream=False)
        if answered is not None:
            answered.addCallback(self._send, addr)

    def _send(self, packet: bytes, addr: Any) -> None:
        transport: Any = self.transport
        if transport is not None:
            # Whoever gets no answer asks again; a filter may forbid it, for one.
            with suppress(OSError, MessageLengthError):
                transport.write(packet, addr)


class DatagramPort(Service):
    """
    A UDP port that is open while it runs.

    @param failed: called with the L{Failure} if it cannot be opened; raises.
    """

    def __init__(
        self, reactor: Any, bind: HostPort, protocol: DatagramProtocol, failed: Failed
    ) -> None:
        self._reactor = reactor
        self._bind = bind
        self._protocol = protocol
        self._failed = failed
        self.port: Any = None

    def privilegedStartService(self) -> None:
        """Open the port while it may be one below 1024 (Twisted)."""
        try:
            self.port = self._reactor.listenUDP(
                self._bind.port,
                self._protocol,
                interface=self._bind.host,
                maxPacketSize=65536,
            )
        except CannotListenError:
            self._failed(Failure())

    def startService(self) -> None:
        """Open the port, if it is not yet open (Twisted)."""
        super().startService()
        if self.port is None:
            self.privilegedStartService()

    def stopService(self) -> Deferred[Any]:
        """Close the port (Twisted)."""
        super().stopService()
        port, self.port = self.port, None
        return succeed(None) if port is None else maybeDeferred(port.stopListening)


class NameService(MultiService):
    """
    The name server's two ports.

    @param failed: called with the L{Failure} if one cannot be opened; raises.
    @param ports: opens them in place of the reactor.
    """

    def __init__(
        self,
        server: NameServer,
        bind: HostPort,
        reactor: Any,
        failed: Failed,
        ports: Any = None,
    ) -> None:
        super().__init__()
        ports = ports or reactor
        self.server = server
        datagrams = DatagramPort(ports, bind, DatagramServer(server), failed)
        datagrams.setServiceParent(self)
        streams = PortService(
            local_endpoint(ports, bind),
            StreamServerFactory(server, reactor, _STREAM_IDLE),
            failed,
        )
        streams.setServiceParent(self)

    def stopService(self) -> Deferred[Any]:
        """Close both (Twisted)."""
        self.server.stop()
        return maybeDeferred(super().stopService)
