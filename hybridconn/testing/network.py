"""
A network in memory: listen and dial without a socket, in fake time.

    >>> from twisted.internet.protocol import Factory, Protocol
    >>> class Echo(Protocol):
    ...     def dataReceived(self, data):
    ...         self.transport.write(data)
    >>> class Show(Protocol):
    ...     def dataReceived(self, data):
    ...         print(data.decode())
    ...     def connectionLost(self, reason):
    ...         print(reason.type.__name__)
    >>> network = MemoryNetwork()
    >>> port = network.listen("db.corp", 5432, Factory.forProtocol(Echo))
    >>> endpoint = network.client_endpoint("db.corp", 5432)
    >>> dialled = endpoint.connect(Factory.forProtocol(Show))
    >>> network.flush()
    >>> dialled.result.transport.write(b"hello")
    >>> network.flush()
    hello
    >>> network.connections[0].cut()
    >>> network.flush()
    ConnectionLost
"""

from __future__ import annotations

from ipaddress import ip_address
from itertools import count
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock
from zope.interface import implementer

from hybridconn.testing.connection import Connection
from hybridconn.testing.dialling import (
    MemoryClientEndpoint,
    MemoryDialer,
    MemoryServerEndpoint,
)
from hybridconn.testing.faults import Faults
from hybridconn.testing.transport import IPAddress

#: Where dials come from unless told; one of the addresses kept for examples.
DEFAULT_SOURCE = "192.0.2.1"


@implementer(IListeningPort)
class MemoryPort:
    """Accepts dials until it is stopped."""

    def __init__(
        self,
        network: MemoryNetwork,
        host: str,
        address: IPAddress,
        factory: IProtocolFactory,
    ) -> None:
        self.host = host
        self.address = address
        self.factory = factory
        self._network = network

    def startListening(self) -> None:
        """
        @raise CannotListenError: somebody listens there already.
        """
        if not self._network.add_port(self):
            raise CannotListenError(self.host, self.address.port, "in use")
        self.factory.doStart()

    def stopListening(self) -> Deferred[None]:
        """Refuse dials from now on; connections stay."""
        if self._network.remove_port(self):
            self.factory.doStop()
        return succeed(None)

    def getHost(self) -> IPAddress:
        """The address that it listens on."""
        return self.address


class MemoryNetwork:
    """
    Hosts, ports and connections in memory.  Names need not be declared: every
    name has an address.

    @ivar clock: the only source of motion: bytes move by its delayed calls.
    @ivar faults: what befalls every connection.
    @ivar connections: those of which at least one end is alive, oldest first.
    @cvar steps_at_once: so many steps without time passing are taken for a test
        that would never end.
    """

    steps_at_once = 1_000_000

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = Clock() if clock is None else clock
        self.faults = Faults()
        self.connections: tuple[Connection, ...] = ()
        self._ports: dict[tuple[str, int], MemoryPort] = {}
        self._names: dict[str, str] = {}
        self._numbers = count(49152)

    # --- time ---

    def flush(self) -> None:
        """Let everything happen that can happen now, without time passing."""
        self.advance(0.0)

    def advance(self, seconds: float) -> None:
        """
        Let time pass, from one delayed call to the next: unlike
        L{Clock.advance <twisted.internet.task.Clock.advance>}, which is at its
        end at once and lets bytes and time-outs meet there.

        @raise AssertionError: it never becomes quiet; two peers answer each
            other for ever, for example.
        """
        end = self.clock.seconds() + seconds
        steps = 0
        while (due := self._next_call()) is not None and due <= end:
            now = self.clock.seconds()
            steps = steps + 1 if due <= now else 0
            if steps > self.steps_at_once:
                raise AssertionError(f"still busy after {steps} steps at {now} s")
            self._run_next()
        self.clock.rightNow = max(end, self.clock.seconds())

    def _run_next(self) -> None:
        # One call, not all that are due as Clock.advance does: peers that answer
        # each other at once would keep it busy for ever, uncounted.
        call = min(self.clock.calls, key=lambda one: one.getTime())
        self.clock.calls.remove(call)
        self.clock.rightNow = max(self.clock.rightNow, call.getTime())
        call.called = 1
        call.func(*call.args, **call.kw)

    def _next_call(self) -> float | None:
        calls = self.clock.getDelayedCalls()
        return min((call.getTime() for call in calls), default=None)

    # --- places ---

    def listen(self, host: str, port: int, factory: IProtocolFactory) -> MemoryPort:
        """
        Accept dials to C{host} and C{port} with C{factory}.

        @param host: a name or an address; an empty one stands for every name
            where nobody else listens.
        @param port: 0 takes a free one, which C{getHost} of the result tells.
        @raise CannotListenError: somebody listens there already.
        """
        address = self.address(host, port or next(self._numbers))
        listening = MemoryPort(self, host.lower(), address, factory)
        listening.startListening()
        return listening

    def dialer(self, source: str = DEFAULT_SOURCE) -> MemoryDialer:
        """
        The way out for a listener or a sender under test.

        @param source: the address that its connections come from.
        """
        return MemoryDialer(self, source)

    def client_endpoint(
        self,
        host: str,
        port: int,
        *,
        secure: bool = False,
        source: str = DEFAULT_SOURCE,
        timeout: float = 30.0,
    ) -> MemoryClientEndpoint:
        """An endpoint that dials; as TLS if C{secure}, though not encrypted."""
        return MemoryClientEndpoint(self, host, port, secure, source, timeout)

    def server_endpoint(self, host: str, port: int) -> MemoryServerEndpoint:
        """An endpoint that listens."""
        return MemoryServerEndpoint(self, host, port)

    def address(self, host: str, port: int) -> IPAddress:
        """The address of a name; an address stands for itself."""
        try:
            version = ip_address(host).version
        except ValueError:
            number = 1 + len(self._names) % 254
            host = self._names.setdefault(host.lower(), f"198.51.100.{number}")
            version = 4
        kind = IPv4Address if version == 4 else IPv6Address
        return kind("TCP", host, port)

    # --- for ports and endpoints ---

    def add_port(self, port: MemoryPort) -> bool:
        """Start to dispatch dials to C{port}; whether its place was free."""
        place = port.host, port.address.port
        return self._ports.setdefault(place, port) is port

    def remove_port(self, port: MemoryPort) -> bool:
        """Dispatch no more dials to C{port}; whether it was known."""
        place = port.host, port.address.port
        if self._ports.get(place) is not port:
            return False
        del self._ports[place]
        return True

    def connect(
        self, host: str, port: int, secure: bool, source: str
    ) -> Connection | None:
        """
        Make a connection whose server end is alive.

        @return: L{None} if nobody listens there.
        """
        place = host.lower(), port
        listening = self._ports.get(place) or self._ports.get(("", port))
        if listening is None or self.faults.refuses(host, port):
            return None
        client = self.address(source, next(self._numbers))
        server = self.address(host, port)
        connection = Connection(
            self.clock, self.faults, self._forget, host, port, secure, client, server
        )
        self.connections += (connection,)
        protocol: Any = listening.factory.buildProtocol(client)
        connection.server.start(Protocol() if protocol is None else protocol)
        if protocol is None:
            connection.server.loseConnection()
        return connection

    def _forget(self, connection: Connection) -> None:
        self.connections = tuple(c for c in self.connections if c is not connection)
