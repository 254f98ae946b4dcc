"""A listener whose senders say which port they want (product-behaviour section 7.3)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol
from zope.interface.verify import verifyObject

from hybridconn.config.addresses import Target, parse_target
from hybridconn.config.ports import NamedPort, parse_port
from hybridconn.core.entities import Claim
from hybridconn.core.preamble import IS_DATAGRAM, IS_STREAM, UNSUPPORTED
from hybridconn.interfaces import ITargetConnector, ITunnelEnd
from hybridconn.listener.datagrams import DatagramEnd
from hybridconn.listener.forward import ForwardConnector
from hybridconn.listener.listener import HybridConnectionListener
from hybridconn.listener.named_ports import (
    PREAMBLE_TIMEOUT,
    NamedPortConnector,
    NamedPortEnd,
    NamedPorts,
)
from hybridconn.testing.relay import MemoryRelay
from hybridconn.testing.ws_peer import WsPeer
from hybridconn.websocket.joint import JointNames
from tests.listener.scene import LogTestCase, Peer
from tests.listener.test_forward import ACCEPT

SQL = b"\x01\x00\x00\x03sql"
DNS = b"\x01\x00\x01\x03dns"


class Greeter(Protocol):
    """Says hello, and everything back; its end is the client's end."""

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.write(b"hello ")

    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        transport.write(data)


def said(peer: WsPeer) -> list[bytes]:
    """The binary messages that came."""
    return [one for one in peer.messages if isinstance(one, bytes)]


class FakeUdp:
    """A UDP port's transport."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.to: tuple[str, int] | None = None
        self.stopped = False

    def connect(self, host: str, port: int) -> None:
        if ":" in host:
            raise OSError(101, "Network is unreachable")
        self.to = (host, port)

    def write(self, data: bytes) -> None:
        if data == b"too much":
            raise OSError("the buffer is full")
        self.written.append(data)

    def stopListening(self) -> None:
        self.stopped = True


class Scene(LogTestCase):
    """A relay in memory, a listener with ports, and senders made of bytes."""

    ports: tuple[str, ...] = (
        "sql=db.corp:1433",
        "dns=udp:198.18.0.53:53",
        "8080=a.b:80",
        "far=udp:[2001:db8::1]:53",
    )

    def setUp(self) -> None:
        super().setUp()
        self.relay = MemoryRelay(["hyco"])
        self.network = self.relay.network
        self.network.listen("db.corp", 1433, Factory.forProtocol(Greeter))
        self.udp: list[DatagramEnd] = []
        self.only: Target | None = None
        forward = ForwardConnector(
            self.target, "hyco", self, 10.0, self.endpoint, udp_idle_time=240.0
        )
        self.ported = NamedPorts([*map(parse_port, self.ports)], self.target)
        self.connector = NamedPortConnector(self.ported, forward)
        self.listener = HybridConnectionListener(
            self.relay.parsed_connection_string("hyco", Claim.LISTEN),
            self.connector,
            self.relay.dialer(),
            self.network.clock,
            wall=self.relay.wall,
        )
        self.listener.startService()
        self.network.flush()

    # --- the reactor of the forward connector ---

    def callLater(self, *arguments: Any) -> Any:
        return self.network.clock.callLater(*arguments)

    def listenUDP(self, port: int, protocol: Any, **how: Any) -> None:
        protocol.transport = FakeUdp()
        self.udp.append(protocol)

    def target(self) -> Deferred[Target]:
        assert self.only is not None
        return succeed(self.only)

    def endpoint(self, target: Target) -> Any:
        place = target.host_port
        assert place is not None
        return self.network.client_endpoint(place.host, place.port, timeout=300.0)

    def sender(self, *messages: bytes) -> WsPeer:
        """A sender says something."""
        peer = Peer.client(
            "/$hc/hyco?sb-hc-action=connect",
            headers={"ServiceBusAuthorization": self.relay.token("hyco", Claim.SEND)},
        )
        peer.dial(self.network, "relay.test", 443, secure=True)
        self.network.flush()
        self.assertEqual(peer.status, 101)
        for message in messages:
            peer.binary(message)
            self.network.flush()
        return peer

    def tearDown(self) -> None:
        self.listener.stopService()
        self.network.advance(90)
        self.relay.stop()
        self.network.advance(90)
        self.assertEqual(self.network.connections, ())
        self.assertEqual(self.network.clock.getDelayedCalls(), [])


class NamedPortTests(Scene):
    """Streams."""

    def test_interfaces(self) -> None:
        """A connector, and ends of tunnels."""
        self.assertTrue(verifyObject(ITargetConnector, self.connector))
        end = self.successResultOf(self.connector.connect(ACCEPT))
        self.assertTrue(verifyObject(ITunnelEnd, end))
        names = JointNames("e", "target", "sender", "a", "b")
        self.assertTrue(verifyObject(ITunnelEnd, DatagramEnd(names, 1.0)))

    def test_stream(self) -> None:
        """The answer, then the target's bytes; what came early is not lost."""
        for messages in ((SQL[:4], SQL[4:], b"you"), (SQL + b"you",)):
            peer = self.sender(*messages)
            self.assertEqual(b"".join(said(peer)), b"\x01\x00\x00hello you")
            self.assertEqual(peer.messages[0], b"\x01\x00\x00")
            peer.close()
            self.network.flush()
            self.assertEqual(peer.close_frame, (1000, "Shutdown"))
        self.assertLogged("ended by sender in close", "to db.corp:1433")

    def test_half_close(self) -> None:
        """A Close right behind the preamble is the end of one direction only."""
        peer = self.sender(SQL, b"last words")
        peer.close(1000, b"Shutdown")
        self.network.flush()
        self.assertEqual(b"".join(said(peer)), b"\x01\x00\x00hello last words")

    def test_unknown(self) -> None:
        """No port of that name: no answer, a Close, and both names in the log."""
        peer = self.sender(b"\x01\x00\x00\x05redis")
        self.assertEqual(peer.messages, [])
        assert peer.close_frame is not None
        self.assertEqual(peer.close_frame[0], 1000)
        self.assertLogged("refused", "no port 'redis' here, only sql, dns, 8080")
        peer.close()

    def test_wrong_mode(self) -> None:
        """A stream to a UDP port and the other way have answers of their own."""
        for said, answer, word in (
            (b"\x01\x00\x00\x03dns", IS_DATAGRAM, "is for UDP"),
            (b"\x01\x00\x01\x03sql", IS_STREAM, "is for TCP"),
        ):
            peer = self.sender(said)
            self.assertEqual(peer.messages, [answer])
            self.assertLogged("refused", word)
            peer.close()

    def test_no_preamble(self) -> None:
        """A sender in raw mode is told at once, and so is the log."""
        peer = self.sender(b"GET / HTTP/1.1\r\n\r\n")
        self.assertEqual(peer.messages, [UNSUPPORTED])
        self.assertLogged("does not begin with azbridge's preamble", 'mode = "raw"')
        peer.close()

    def test_silent(self) -> None:
        """A sender that says nothing is closed after a while."""
        peer = self.sender()
        self.network.advance(PREAMBLE_TIMEOUT + 1)
        self.assertIsNotNone(peer.close_frame)
        self.assertLogged("no preamble in 20 s")
        peer.close()

    def test_leaves(self) -> None:
        """One that leaves first is let go."""
        peer = self.sender(SQL[:2])
        peer.close()
        self.network.flush()
        self.assertLogged("refused", "no preamble: tunnel closed with 1000")
        self.assertEqual(self.listener.tunnels, 0)

    def test_target_down(self) -> None:
        """Its words are the reason of the Close."""
        peer = self.sender(b"\x01\x00\x00\x048080")
        self.assertEqual(peer.messages, [])
        self.assertEqual(
            peer.close_frame, (1011, "target a.b:80 refused the connection")
        )
        peer.close()

    def test_stops(self) -> None:
        """A listener that stops ends those that have said nothing, too."""
        peer = self.sender(SQL[:2])
        stopped = self.listener.stopService()
        self.network.advance(10)
        self.assertEqual(peer.close_frame, (1001, "the listener stops"))
        peer.close()
        self.network.advance(10)
        self.successResultOf(stopped)

    def test_stops_while_closing(self) -> None:
        """It does not wait for ever for one that was told no and says no goodbye."""
        for message in (b"GET / HTTP/1.1\r\n\r\n", b"\x01\x00\x00\x048080"):
            peer = self.sender(message)
            self.assertIsNotNone(peer.close_frame)
            self.assertEqual(self.listener.tunnels, 1)
            stopped = self.listener.stopService()
            self.network.advance(10)
            peer.close()
            self.network.advance(90)
            self.assertEqual(self.listener.tunnels, 0)
            self.successResultOf(stopped)
            self.listener.startService()
            self.network.flush()


class OnlyPortTests(Scene):
    """A single port, without a name."""

    ports = ()

    def test_any_number(self) -> None:
        """It answers to every number, and to no name."""
        self.only = parse_target("db.corp:1433")
        self.assertEqual(
            self.sender(b"\x01\x00\x00\x03999").messages, [b"\x01\x00\x00", b"hello "]
        )
        self.sender(SQL).close()
        self.assertLogged("no port 'sql' here, only any number")

    def test_one_named(self) -> None:
        """So does a single port that has a name."""
        ports = NamedPorts([NamedPort("sql", parse_target("db.corp:1433"))])
        for name in ("sql", "17"):
            self.assertEqual(self.successResultOf(ports.find(name)).name, "sql")
        self.failureResultOf(ports.find("other"))

    def test_numbers_of_several(self) -> None:
        """With several ports a number is a name like any other."""
        ports = NamedPorts([parse_port("a.b:1"), parse_port("a.b:2")])
        self.assertEqual(self.successResultOf(ports.find("2")).name, "2")
        self.failureResultOf(ports.find("3"))


class DatagramTests(Scene):
    """A UDP port."""

    def test_datagrams(self) -> None:
        """Both ways; one that the system does not take is lost, and nothing else."""
        peer = self.sender(DNS, b"\x00\x02hi", b"\x00\x08too much", b"\x00\x00\x00\x01")
        (end,) = self.udp
        peer.binary(b"x")
        self.network.flush()
        self.assertEqual(end.transport.to, ("198.18.0.53", 53))
        self.assertEqual(end.transport.written, [b"hi", b"", b"x"])
        end.datagramReceived(b"answer")
        end.connectionRefused()
        self.network.flush()
        self.assertEqual(peer.messages, [b"\x01\x00\x01", b"\x00\x06answer"])
        peer.close()
        self.network.flush()
        self.assertTrue(end.transport.stopped)
        self.assertLogged("datagrams from", "to udp:198.18.0.53:53 ended by sender")
        self.assertLogged("1 from the target, 4 from the sender, 0 dropped")

    def test_idle(self) -> None:
        """After four minutes of silence the way is closed."""
        peer = self.sender(DNS, b"\x00\x02hi")
        self.network.advance(200)
        self.udp[0].datagramReceived(b"late")
        self.network.advance(200)
        self.assertIsNone(peer.close_frame)
        self.network.advance(41)
        self.assertEqual(peer.close_frame, (1000, "Shutdown"))
        peer.close()
        self.network.flush()
        self.assertTrue(self.udp[0].transport.stopped)
        self.assertLogged("ended by us (idle for 240 s)")

    def test_slow_sender(self) -> None:
        """While the tunnel takes nothing, datagrams are dropped and counted."""
        peer = self.sender(DNS)
        peer.pause()
        for _ in range(400):
            self.udp[0].datagramReceived(b"x" * 60000)
            self.network.flush()
        peer.resume()
        self.network.flush()
        self.assertLess(len(peer.messages), 300)
        peer.close()
        self.network.flush()
        (line,) = [line for line in self.lines if "datagrams from" in line]
        self.assertNotIn(" 0 dropped", line)

    def test_stops(self) -> None:
        """A listener that stops closes it."""
        peer = self.sender(DNS)
        self.listener.stopService()
        self.network.advance(10)
        self.assertEqual(peer.close_frame, (1001, "the listener stops"))
        peer.close()

    def test_no_route(self) -> None:
        """A target that there is no way to leaves no port open."""
        peer = self.sender(b"\x01\x00\x01\x03far")
        self.assertEqual(peer.messages, [])
        self.assertEqual(
            peer.close_frame,
            (1011, "target [2001:db8::1]:53 cannot be reached: Network is unreachable"),
        )
        self.assertTrue(self.udp[0].transport.stopped)
        peer.close()

    def test_escapes(self) -> None:
        """What a sender says at its end stirs no terminal, here nor at the relay."""
        for messages in ((DNS,), (SQL[:2],)):
            peer = self.sender(*messages)
            peer.close(4000, b"\x1b]0;owned\x07 fine")
            self.network.flush()
        seen = [line for line in self.lines if "fine" in line]
        self.assertEqual(len(seen), 4, self.lines)
        self.assertNotIn("\x1b", "".join(seen))

    def test_unused(self) -> None:
        """A tunnel that never comes leaves no port behind."""
        end = NamedPortEnd(ACCEPT, self.ported, self.connector._forward)
        end.abandon()
        self.assertEqual(self.udp, [])
