"""Senders that say which port of the listener they want."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import fail
from twisted.internet.error import CannotListenError, ConnectError, ConnectionLost
from twisted.python.failure import Failure

from hybridconn.config.addresses import HostPort
from hybridconn.core.preamble import DATAGRAM, IS_DATAGRAM
from hybridconn.sender.datagrams import (
    MOST_PEERS,
    MOST_WAITING,
    MOST_WAITING_BYTES,
    REST,
    UdpForward,
    UdpPort,
)
from hybridconn.sender.forward import LocalForward
from hybridconn.sender.preamble import ANSWER_TIMEOUT, PreambleTunnels
from hybridconn.testing.ws_peer import WsPeer, one_protocol
from tests.sender.scene import SenderTestCase
from tests.websocket.test_joint import App

YES = b"\x01\x00\x00"


class StreamTests(SenderTestCase):
    """A local TCP port."""

    def setUp(self) -> None:
        super().setUp()
        self.forward = LocalForward(self.connector, port_name="sql")
        self.network.listen("127.0.0.1", 15432, self.forward)
        self.listen()

    def dial(self) -> tuple[App, WsPeer]:
        """An app, and the listener that came for it."""
        app = App()
        endpoint = self.network.client_endpoint("127.0.0.1", 15432)
        endpoint.connect(one_protocol(app))
        self.network.flush()
        return app, self.accept()

    def tearDown(self) -> None:
        self.forward.close_all()
        super().tearDown()

    def test_taken(self) -> None:
        """Two messages, three bytes, and then both are joined, in both directions."""
        app, there = self.dial()
        app.wire.write(b"early")
        self.network.flush()
        self.assertEqual(there.messages, [b"\x01\x00\x00\x03", b"sql"])
        there.binary(YES + b"hello")
        self.network.flush()
        self.assertEqual((app.received, there.messages[2:]), (b"hello", [b"early"]))
        app.wire.loseWriteConnection()
        self.network.flush()
        self.assertEqual(there.close_frame, (1000, "Shutdown"))
        there.binary(b" and bye")
        there.close()
        self.network.flush()
        self.assertEqual(app.received, b"hello and bye")
        app.wire.loseConnection()
        self.assertEqual(self.forward.joints, set())

    def test_nothing_kept(self) -> None:
        """A tunnel serves one connection: no other program would understand more."""
        app, there = self.dial()
        there.binary(YES)
        there.close()
        app.wire.loseConnection()
        self.network.flush()
        self.dial()
        self.assertEqual(len(self.accepts), 2)
        self.assertNotIn("Sec-WebSocket-Protocol", self.accepts[1]["connectHeaders"])

    def refused(self, *words: str) -> WsPeer:
        app, there = self.dial()
        self.say(there)
        self.network.flush()
        assert app.lost is not None
        self.assertTrue(app.lost.check(ConnectionLost))
        self.assertLogged("hyco: no tunnel for", "port 'sql' of the listener", *words)
        return there

    def test_refused(self) -> None:
        """Each way in which a listener says no is told apart."""
        for say, words in (
            (lambda there: there.binary(IS_DATAGRAM), 'use protocol = "udp"'),
            (lambda there: there.binary(b"SSH-2.0"), 'use mode = "raw"'),
            (lambda there: there.close(1000), "may have no port of that name"),
            (lambda there: there.close(1011, b"it is down"), "listener: it is down"),
            (lambda there: there.abort(), "before there was an answer"),
            (lambda there: self.network.advance(ANSWER_TIMEOUT), "no answer in 30 s"),
        ):
            self.say: Any = say
            there = self.refused(words)
            if not there.close_frame and there.status == 101:
                self.network.flush()
            there.hang_up()
            self.network.flush()

    def test_app_leaves(self) -> None:
        """The listener is let go of."""
        app, there = self.dial()
        app.wire.abortConnection()
        self.network.flush()
        self.assertIsNotNone(there.close_frame)
        there.close()
        self.assertEqual(self.forward.joints, set())


class FakeUdp:
    """A UDP port's transport."""

    def __init__(self) -> None:
        self.written: list[tuple[bytes, Any]] = []

    def write(self, data: bytes, address: Any) -> None:
        if not data:
            raise OSError("the buffer is full")
        self.written.append((data, address))


class UdpTests(SenderTestCase):
    """A local UDP port."""

    one = ("127.0.0.1", 40000)
    other = ("127.0.0.1", 40001)

    def setUp(self) -> None:
        super().setUp()
        tunnels = PreambleTunnels(self.connector, "dns", DATAGRAM)
        self.forward = UdpForward(self.connector, tunnels, 240.0)
        self.udp = self.forward.transport = FakeUdp()

    def say(self, data: bytes, address: tuple[str, int] | None = None) -> None:
        self.forward.datagramReceived(data, address or self.one)
        self.network.flush()

    def open(self, data: bytes = b"hi") -> WsPeer:
        """An app that says something, and its listener."""
        self.listen()
        self.say(data)
        there = self.accept()
        self.assertEqual(there.messages, [b"\x01\x00\x01\x03", b"dns"])
        there.binary(b"\x01\x00\x01")
        self.network.flush()
        return there

    def tearDown(self) -> None:
        self.forward.drain(0)
        super().tearDown()

    def test_datagrams(self) -> None:
        """Both ways; what came early is kept; what the system refuses is counted."""
        there = self.open()
        self.say(b"two")
        there.binary(b"\x00\x03abc\x00\x00")
        self.network.flush()
        self.assertEqual(there.messages[2:], [b"\x00\x02hi", b"\x00\x03two"])
        self.assertEqual(self.udp.written, [(b"abc", self.one)])
        self.assertEqual(self.forward.dropped, 1)
        there.close()
        self.network.flush()
        self.assertLogged("datagrams of 127.0.0.1:40000", "2 from the app, 2 from the")

    def test_each_its_own(self) -> None:
        """Each address has a tunnel of its own."""
        there = self.open()
        self.say(b"ho", self.other)
        self.assertEqual(len(self.accepts), 2)
        second = self.accept()
        second.binary(b"\x01\x00\x01\x00\x01y")
        there.binary(b"\x00\x01x")
        self.network.flush()
        self.assertEqual(self.udp.written, [(b"y", self.other), (b"x", self.one)])

    def test_idle(self) -> None:
        """After C{udp_idle_time} without a datagram it is over; the next one begins."""
        there = self.open()
        self.network.advance(239)
        self.assertIsNone(there.close_frame)
        self.network.advance(2)
        self.assertEqual(there.close_frame, (1000, "Shutdown"))
        there.close()
        self.network.flush()
        self.say(b"again")
        self.assertEqual(len(self.accepts), 2)

    def test_waiting(self) -> None:
        """While a tunnel opens a few datagrams wait; the others are lost, and told."""
        self.listen()
        for _ in range(MOST_WAITING + 3):
            self.say(b"x")
        self.assertEqual(self.forward.dropped, 3)
        self.assertEqual(sum("dropped up to now" in line for line in self.lines), 1)

    def test_no_tunnel(self) -> None:
        """The log says why, and the next datagram tries again."""
        self.say(b"x")
        self.assertLogged("no tunnel for datagrams of 127.0.0.1:40000: 404")
        self.assertEqual(self.forward.dropped, 1)
        self.network.advance(REST)
        self.open()

    def test_no_tunnel_at_once(self) -> None:
        """What is said while there can be no tunnel is not kept for ever."""
        self.patch(PreambleTunnels, "connect", lambda *_: fail(ConnectError()))
        self.forward.datagramReceived(b"x", self.one)
        self.assertEqual(self.forward.dropped, 1)
        self.assertTrue(self.forward.keep(MOST_WAITING_BYTES))

    def test_rests(self) -> None:
        """A flood of datagrams is no flood of attempts, nor of lines in the log."""
        for port in range(50):
            self.say(b"x", ("127.0.0.1", port))
        self.assertEqual(self.forward.dropped, 50)
        self.assertEqual(sum("no tunnel for" in line for line in self.lines), 1)

    def test_waiting_bytes(self) -> None:
        """What waits of all addresses together is bounded, and given free again."""
        self.network.faults.ignore("relay.test", 443)
        large = bytes(65000)
        most = MOST_WAITING_BYTES // len(large)
        for number in range(most + 2):
            self.forward.datagramReceived(large, ("127.0.0.1", number))
        self.assertEqual(self.forward.dropped, 2)
        self.forward.drain(0)
        self.network.advance(1)
        self.assertTrue(self.forward.keep(MOST_WAITING_BYTES))

    def test_most(self) -> None:
        """Only so many addresses have one."""
        self.network.faults.ignore("relay.test", 443)
        for number in range(MOST_PEERS + 2):
            self.forward.datagramReceived(b"x", ("127.0.0.1", number))
        self.assertEqual(self.forward.dropped, 2)
        self.forward.drain(0)
        self.network.advance(1)

    def test_stops(self) -> None:
        """At a stop the listener hears 1001, and nothing is taken any more."""
        there = self.open()
        drained = self.forward.drain(5)
        self.network.flush()
        self.assertEqual(there.close_frame, (1001, "the sender stops"))
        there.close()
        self.network.flush()
        self.successResultOf(drained)
        self.say(b"x", self.other)
        self.assertEqual(len(self.accepts), 1)


class UdpPortTests(SenderTestCase):
    """The service that has it open."""

    def listenUDP(self, port: int, protocol: Any, interface: str, **how: Any) -> Any:
        if port == 1:
            raise CannotListenError(interface, port, OSError("taken"))
        self.opened.append((interface, port))
        return self

    def stopListening(self) -> None:
        self.opened.clear()

    def test_life(self) -> None:
        """It is open while the service runs; if it cannot be, that is told."""
        self.opened: list[Any] = []
        failures: list[Failure] = []
        tunnels = PreambleTunnels(self.connector, "dns", DATAGRAM)
        forward = UdpForward(self.connector, tunnels, 1.0)
        failed: Any = failures.append
        port = UdpPort(self, HostPort("127.0.0.1", 53), forward, failed)
        port.startService()
        self.assertEqual(self.opened, [("127.0.0.1", 53)])
        self.successResultOf(port.stopService())
        self.assertEqual(self.opened, [])
        UdpPort(self, HostPort("::1", 1), forward, failed).privilegedStartService()
        self.assertTrue(failures[0].check(CannotListenError))
