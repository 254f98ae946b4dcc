"""Tests for L{hybridconn.testing.network} and L{hybridconn.testing.dialling}."""

from __future__ import annotations

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import (
    CannotListenError,
    ConnectingCancelledError,
    ConnectionRefusedError,
    NoProtocol,
    TimeoutError,
)
from twisted.internet.interfaces import (
    IListeningPort,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Factory
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.interfaces import IDialer
from hybridconn.testing import MemoryNetwork, one_protocol
from tests.testing.recording import Recorder, connected


class _Nothing(Factory):
    """Builds no protocol and counts starts and stops."""

    noisy = False

    def __init__(self) -> None:
        self.running = 0

    def doStart(self) -> None:
        self.running += 1

    def doStop(self) -> None:
        self.running -= 1

    def buildProtocol(self, addr: object) -> None:
        return None


class ListeningTests(SynchronousTestCase):
    """Ports and server endpoints."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()

    def test_interfaces(self) -> None:
        """Everything offered as a Twisted or hybridconn interface provides it."""
        network = self.network
        port = network.listen("a.test", 80, Factory())
        self.assertTrue(verifyObject(IListeningPort, port))
        self.assertTrue(verifyObject(IDialer, network.dialer()))
        client = network.client_endpoint("a.test", 80)
        self.assertTrue(verifyObject(IStreamClientEndpoint, client))
        server = network.server_endpoint("a.test", 81)
        self.assertTrue(verifyObject(IStreamServerEndpoint, server))

    def test_taken(self) -> None:
        """A place has one listener at a time."""
        port = self.network.listen("a.test", 80, Factory())
        endpoint = self.network.server_endpoint("a.test", 80)
        self.failureResultOf(endpoint.listen(Factory()), CannotListenError)
        self.successResultOf(port.stopListening())
        self.successResultOf(endpoint.listen(Factory()))

    def test_free_port(self) -> None:
        """Port 0 takes a free one, which getHost tells."""
        ports = {self.network.listen("a.test", 0, Factory()).getHost() for _ in "ab"}
        self.assertEqual(len(ports), 2)
        self.assertNotIn(0, {address.port for address in ports})

    def test_starts_and_stops_factory(self) -> None:
        """The factory is told when its port opens and closes."""
        factory = _Nothing()
        port = self.network.listen("a.test", 80, factory)
        self.assertEqual(factory.running, 1)
        port.stopListening()
        port.stopListening()
        self.assertEqual(factory.running, 0)

    def test_any_name(self) -> None:
        """An empty host takes the dials for which nobody else listens."""
        named, rest = Recorder(), Recorder()
        self.network.listen("a.test", 80, one_protocol(named))
        self.network.listen("", 80, one_protocol(rest))
        for host in ("A.test", "b.test"):
            endpoint = self.network.client_endpoint(host, 80)
            endpoint.connect(one_protocol(Recorder()))
        self.network.flush()
        self.assertEqual((named.events, rest.events), (["made"], ["made"]))


class DiallingTests(SynchronousTestCase):
    """Client endpoints."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.server = Recorder()
        self.network.listen("a.test", 80, one_protocol(self.server))

    def test_connects_later(self) -> None:
        """Nothing happens within connect(); then both ends are connected."""
        client = Recorder()
        endpoint = self.network.client_endpoint("a.test", 80)
        dialled = endpoint.connect(one_protocol(client))
        self.assertNoResult(dialled)
        self.network.flush()
        self.assertIs(self.successResultOf(dialled), client)
        self.assertEqual((client.events, self.server.events), (["made"], ["made"]))
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_addresses(self) -> None:
        """Each end sees the other's address; every name has one of its own."""
        client = Recorder()
        connected_to = self.network.client_endpoint("a.test", 80, source="192.0.2.9")
        connected_to.connect(one_protocol(client))
        self.network.flush()
        wire = client.wire
        self.assertIsInstance(wire.getPeer(), IPv4Address)
        self.assertEqual(wire.getPeer(), self.server.wire.getHost())
        self.assertEqual(wire.getHost(), self.server.wire.getPeer())
        self.assertEqual((wire.getHost().host, wire.getPeer().port), ("192.0.2.9", 80))
        other = self.network.address("b.test", 80).host
        self.assertNotEqual(other, wire.getPeer().host)
        self.assertEqual(self.network.address("B.test", 80).host, other)

    def test_ipv6(self) -> None:
        """An IPv6 address stands for itself."""
        self.assertEqual(
            self.network.address("2001:db8::7", 80),
            IPv6Address("TCP", "2001:db8::7", 80),
        )

    def test_refused(self) -> None:
        """Where nobody listens the dial is refused."""
        for host, port in (("a.test", 81), ("b.test", 80)):
            factory = _Nothing()
            dialled = self.network.client_endpoint(host, port).connect(factory)
            self.network.flush()
            self.failureResultOf(dialled, ConnectionRefusedError)
            self.assertEqual(factory.running, 0)

    def test_refused_by_fault(self) -> None:
        """faults.refuse turns dials away until it is mended."""
        self.network.faults.refuse("a.test", 80)
        endpoint = self.network.client_endpoint("a.test", 80)
        dialled = endpoint.connect(one_protocol(Recorder()))
        self.network.flush()
        self.failureResultOf(dialled, ConnectionRefusedError)
        self.network.faults.mend("a.test", 80)
        dialled = endpoint.connect(one_protocol(Recorder()))
        self.network.flush()
        self.successResultOf(dialled)

    def test_ignored_by_fault(self) -> None:
        """A dial that nobody answers ends at its time limit."""
        self.network.faults.ignore("a.test", 80)
        endpoint = self.network.client_endpoint("a.test", 80, timeout=7.0)
        dialled = endpoint.connect(one_protocol(Recorder()))
        self.network.advance(6.9)
        self.assertNoResult(dialled)
        self.network.advance(0.1)
        self.failureResultOf(dialled, TimeoutError)

    def test_cancelled(self) -> None:
        """A cancelled dial fails as with TCP and leaves nothing behind."""
        factory = _Nothing()
        dialled = self.network.client_endpoint("a.test", 80).connect(factory)
        dialled.cancel()
        self.failureResultOf(dialled, ConnectingCancelledError)
        self.assertEqual(factory.running, 0)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_protocol(self) -> None:
        """A client factory without a protocol fails the dial and hangs up."""
        dialled = self.network.client_endpoint("a.test", 80).connect(_Nothing())
        self.network.flush()
        self.failureResultOf(dialled, NoProtocol)
        self.assertEqual(self.server.events, ["made", "lost"])
        self.assertEqual(self.network.connections, ())

    def test_not_welcome(self) -> None:
        """A server factory without a protocol hangs up on the client."""
        self.network.listen("b.test", 80, _Nothing())
        client = Recorder()
        endpoint = self.network.client_endpoint("b.test", 80)
        endpoint.connect(one_protocol(client))
        self.network.flush()
        self.assertEqual(client.events, ["made", "lost"])

    def test_dialer(self) -> None:
        """A dialer remembers what was asked for, and its connections show it."""
        dialer = self.network.dialer("192.0.2.77")
        endpoint = dialer.endpoint("a.test", 80, True)
        endpoint.connect(one_protocol(Recorder()))
        self.network.flush()
        self.assertEqual(dialer.dialled, [("a.test", 80, True)])
        (connection,) = self.network.connections
        self.assertTrue(connection.secure)
        self.assertEqual((connection.host, connection.port), ("a.test", 80))
        self.assertEqual(connection.client.getHost().host, "192.0.2.77")


class TimeTests(SynchronousTestCase):
    """Motion in fake time."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()

    def test_in_order(self) -> None:
        """advance() runs each call at its own time, not all at the end."""
        clock, times = self.network.clock, []

        def again() -> None:
            times.append(clock.seconds())
            clock.callLater(2.0, again)

        again()
        self.network.advance(5.0)
        self.assertEqual(times, [0.0, 2.0, 4.0])
        self.assertEqual(clock.seconds(), 5.0)

    def test_flush_takes_no_time(self) -> None:
        """flush() lets no time pass."""
        called: list[str] = []
        self.network.clock.callLater(0.001, called.append, "later")
        self.network.flush()
        self.assertEqual((called, self.network.clock.seconds()), ([], 0.0))

    def test_odd_fractions(self) -> None:
        """Times that floating point cannot hold exactly do not stop it."""
        called: list[float] = []
        for number in range(1, 200):
            self.network.clock.callLater(number / 7 + 0.1, called.append, number)
        self.network.advance(0.3)
        self.network.advance(40.0)
        self.assertEqual(called, list(range(1, 200)))

    def test_endless(self) -> None:
        """Two ends that answer each other for ever are a failure, not a hang."""
        self.patch(MemoryNetwork, "steps_at_once", 1000)

        class Echo(Recorder):
            def dataReceived(self, data: bytes) -> None:
                self.wire.write(data)

        client = Echo()
        connected(self.network, client, Echo())
        client.wire.write(b"ball")
        error = self.assertRaises(AssertionError, self.network.flush)
        self.assertIn("still busy after 1001 steps", str(error))
