"""A front door in memory, a wire to it and a handler that only takes notes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import ITCPTransport
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from hybridconn.core.limits import Limits
from hybridconn.interfaces import IHeldRequest, IRequestHandler
from hybridconn.web.admission import Admission
from hybridconn.web.frontdoor import FrontDoor

GUID = "6c1f4aa0-97ad-4b1f-a5b0-0d1d8e2e6f10"
NOW = 1_900_000_000.0

UPGRADE = (
    b"GET /$hc/echo?sb-hc-action=connect HTTP/1.1\r\n"
    b"Host: relay.example\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"\r\n"
)
GET = b"GET /a HTTP/1.1\r\nHost: relay.example\r\n\r\n"


@implementer(ITCPTransport)
class Wire(StringTransport):
    """
    A TCP transport that remembers how it was ended.

    @ivar dataBuffer: what the kernel has not taken yet; the name is Twisted's.
    """

    dataBuffer = b""

    def __init__(self, protocol: Any, host: str = "192.0.2.7") -> None:
        super().__init__(peerAddress=IPv4Address("TCP", host, 40000))
        self.protocol = protocol
        self.ended: list[str] = []
        self.keep_alive = self.no_delay = False
        protocol.makeConnection(self)

    def loseWriteConnection(self) -> None:
        self.ended.append("half")

    def loseConnection(self) -> None:
        self.ended.append("lose")

    def abortConnection(self) -> None:
        self.ended.append("abort")

    def getTcpKeepAlive(self) -> bool:
        return self.keep_alive

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self.keep_alive = enabled

    def getTcpNoDelay(self) -> bool:
        return self.no_delay

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.no_delay = enabled

    def getHandle(self) -> object:
        return None

    def receive(self, data: bytes) -> None:
        """Bytes come in, for whichever protocol has the connection now."""
        self.protocol.dataReceived(data)

    def lose(self) -> None:
        """The other end hangs up."""
        self.protocol.connectionLost(Failure(ConnectionDone()))

    @property
    def feeder(self) -> Any:
        """Whoever is told to pause while the other end takes nothing."""
        return self.producer

    def taken(self) -> bytes:
        """What was written since the last look."""
        written: bytes = self.value()
        self.clear()
        return written


@implementer(IRequestHandler)
class RecordingHandler:
    """
    Keeps what it is given.

    @ivar react: called with each request.
    """

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.react: Callable[[Any], None] = lambda request: None

    def handle(self, request: IHeldRequest) -> None:
        self.requests.append(request)
        self.react(request)


class Stand:
    """
    One front door.

    @param changes: limits other than the defaults.
    """

    def __init__(self, **changes: Any) -> None:
        self.clock = Clock()
        self.limits = evolve(Limits(exempt_networks=()), **changes)
        self.handler = RecordingHandler()
        self.admission = Admission(self.limits, self.clock, lambda: 0.5)
        self.door = FrontDoor(
            self.handler,
            self.limits,
            self.clock,
            self.admission,
            lambda: NOW,
            lambda: GUID,
        )

    def connect(self, host: str = "192.0.2.7") -> Wire:
        """One client; the door must let it in."""
        protocol = self.door.buildProtocol(IPv4Address("TCP", host, 40000))
        assert protocol is not None
        return Wire(protocol, host)


class StandCase(SynchronousTestCase):
    """One front door and one client."""

    def setUp(self) -> None:
        self.stand = Stand()
        self.clock, self.handler = self.stand.clock, self.stand.handler
        self.wire = self.stand.connect()

    def tearDown(self) -> None:
        """A connection that is gone leaves no timer behind."""
        if "abort" not in self.wire.ended:
            self.wire.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.stand.admission.waiting, 0)

    def request(self, data: bytes = GET) -> Any:
        """Send a request that the handler holds."""
        self.wire.receive(data)
        return self.handler.requests[-1]


def status_of(answer: bytes) -> int:
    """The status of the first answer in C{answer}."""
    return int(answer.split(b" ", 2)[1])


def body_of(answer: bytes) -> bytes:
    """What follows the head of an answer."""
    return answer.partition(b"\r\n\r\n")[2]


def fields_of(answer: bytes) -> dict[str, str]:
    """The header fields of the first answer, names in lower case."""
    lines = answer.partition(b"\r\n\r\n")[0].decode("ascii").split("\r\n")[1:]
    pairs = (line.split(": ", 1) for line in lines)
    return {name.lower(): value for name, value in pairs}
