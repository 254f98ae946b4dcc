"""
The name server for apps on this machine: it answers for the names that are
redirected, and passes every other query on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol, Factory, connectionDone
from twisted.logger import Logger
from twisted.names import dns
from twisted.protocols.basic import Int16StringReceiver
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure

from hybridconn.config.addresses import HostPort
from hybridconn.names.answers import answer
from hybridconn.names.cache import AnswerCache
from hybridconn.names.packet import (
    HEADER,
    NXDOMAIN,
    PacketError,
    answers,
    is_query,
    is_response,
    question,
    status,
    with_lifetimes,
)
from hybridconn.names.plan import NameTable
from hybridconn.names.upstream import Upstreams
from hybridconn.startup import PortService, local_endpoint

Failed = Callable[[Failure], NoReturn]

#: What is asked for by programs that are about to connect.
_TO_DIAL = (dns.A, dns.AAAA, dns.ALL_RECORDS)
#: Programs that ask by TCP, at a time.
_MOST_STREAMS = 128
#: Seconds that such a connection may be silent.
_STREAM_IDLE = 20.0


class Responder(Protocol):
    """Whoever answers queries."""

    def respond(self, query: bytes, stream: bool) -> Deferred[bytes] | None: ...


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

    def respond(self, query: bytes, stream: bool) -> Deferred[bytes] | None:
        """
        @return: L{None} if that is no query; else the answer, without fail.
        """
        if len(query) < HEADER or is_response(query):
            return None
        if is_query(query):
            try:
                ours = self._ours(query)
            except PacketError:
                return None
            if ours is not None:
                return succeed(ours)
        kept = self._cache.find(query)
        if kept is not None:
            return succeed(kept)
        return self._upstreams.ask(query, stream).addCallback(self._passed, query)

    def stop(self) -> None:
        """Wait for no other server any more."""
        self._upstreams.stop()

    def _ours(self, query: bytes) -> bytes | None:
        asked = question(query)
        if asked is None or asked.cls not in (dns.IN, dns.ANY):
            return None
        addresses = self._table.find(asked.name, asked.kind in _TO_DIAL)
        if addresses is None:
            return None
        return answer(query, asked, addresses, self._ttl)

    def _passed(self, packet: bytes, query: bytes) -> bytes:
        if self.unsettled:
            try:
                if status(packet) == NXDOMAIN or not answers(packet):
                    return with_lifetimes(packet, float("inf"))
            except PacketError:
                return packet
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
            transport.write(packet, addr)


class StreamServer(Int16StringReceiver, TimeoutMixin):
    """Queries by TCP, several at a time; each is answered when its answer is there."""

    factory: StreamServerFactory
    _gone = False

    def connectionMade(self) -> None:
        """Somebody is there (Twisted)."""
        self.factory.open.add(self)
        self.setTimeout(self.factory.idle)

    def stringReceived(self, string: bytes) -> None:
        """A query (Twisted)."""
        self.resetTimeout()
        answered = self.factory.responder.respond(string, stream=True)
        if answered is None:
            transport: Any = self.transport
            transport.loseConnection()
        else:
            answered.addCallback(self._send)

    def callLater(self, period: float, func: Any) -> Any:
        """The time-out's clock (Twisted)."""
        return self.factory.reactor.callLater(period, func)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It left (Twisted)."""
        self._gone = True
        self.setTimeout(None)
        self.factory.open.discard(self)

    def _send(self, packet: bytes) -> None:
        if not self._gone:
            self.sendString(packet)


class StreamServerFactory(Factory):
    """
    @ivar open: the connections that there are.
    """

    noisy = False
    protocol: type[StreamServer] = StreamServer  # type: ignore[assignment]

    def __init__(self, responder: Responder, reactor: Any, idle: float) -> None:
        self.responder = responder
        self.reactor = reactor
        self.idle = idle
        self.open: set[StreamServer] = set()

    def buildProtocol(self, addr: Any) -> Any:
        """Take a connection, unless there are too many (Twisted)."""
        if len(self.open) >= _MOST_STREAMS:
            return None
        made = self.protocol()
        made.factory = self
        return made

    def doStop(self) -> None:
        """The port is closed: so is what came by it (Twisted)."""
        super().doStop()
        for one in tuple(self.open):
            transport: Any = one.transport
            transport.abortConnection()


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
    """

    def __init__(
        self, server: NameServer, bind: HostPort, reactor: Any, failed: Failed
    ) -> None:
        super().__init__()
        self.server = server
        datagrams = DatagramPort(reactor, bind, DatagramServer(server), failed)
        datagrams.setServiceParent(self)
        streams = PortService(
            local_endpoint(reactor, bind),
            StreamServerFactory(server, reactor, _STREAM_IDLE),
            failed,
        )
        streams.setServiceParent(self)

    def stopService(self) -> Deferred[Any]:
        """Close both (Twisted)."""
        self.server.stop()
        return maybeDeferred(super().stopService)
