"""One relay in several processes: a listener at one, a sender at another."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.balancers.roundrobin import RoundRobinBalancer
from hybridconn.core.limits import Limits
from hybridconn.endpoints import HybridConnectionServerEndpoint
from hybridconn.interfaces import IPresence
from hybridconn.relay.presence import Alone, Presence
from hybridconn.sender.errors import HybridConnectionError
from hybridconn.testing import MemoryCluster, MemoryNetwork, MemoryRelay

LIMITS = Limits(exempt_networks=("0.0.0.0/0", "::/0"), listeners_per_entity=3)


class Named(Protocol):
    """Says who it is to whoever comes."""

    def __init__(self, name: bytes) -> None:
        self.name = name

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(self.name)


class Heard(Protocol):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.received = b""

    def dataReceived(self, data: bytes) -> None:
        self.received += data


class PresenceTests(SynchronousTestCase):
    """Two workers of one relay, with the ports 443 and 444."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.cluster = MemoryCluster(self.network.clock)
        self.relays = {port: self.relay(str(port), port) for port in (443, 444)}
        self.network.advance(0)

    def relay(self, node: str, port: int) -> MemoryRelay:
        return MemoryRelay(
            ["hyco"],
            self.network,
            port=port,
            balancer=RoundRobinBalancer(),
            limits=LIMITS,
            seed=port,
            bus=self.cluster.bus(node),
        )

    def tearDown(self) -> None:
        for relay in self.relays.values():
            relay.stop()

    def listen(self, port: int, name: bytes) -> Any:
        """A listener at one of the workers, online."""
        factory: Any = Factory()
        factory.buildProtocol = lambda _: Named(name)
        endpoint: HybridConnectionServerEndpoint = self.relays[port].server_endpoint(
            "hyco"
        )
        listening: Deferred[Any] = endpoint.listen(factory)
        self.network.advance(0)
        return self.successResultOf(listening)

    def connect(self, port: int) -> Deferred[Any]:
        """A sender at one of the workers."""
        dialled = (
            self.relays[port]
            .client_endpoint("hyco")
            .connect(Factory.forProtocol(Heard))
        )
        self.network.advance(0)
        return dialled

    def hear(self, port: int) -> bytes:
        """Whom a sender at one of the workers reaches."""
        heard: bytes = self.successResultOf(self.connect(port)).received
        return heard

    def test_interfaces(self) -> None:
        """Both kinds of presence are one."""
        relay = self.relays[443]
        presence = Presence(self.cluster.bus("x"), relay.service.desk, LIMITS)
        self.assertTrue(verifyObject(IPresence, presence))
        self.assertTrue(verifyObject(IPresence, Alone()))

    def test_across(self) -> None:
        """A sender reaches a listener of another worker, and bytes go both ways."""
        self.listen(443, b"one")
        self.assertEqual(self.hear(444), b"one")
        desk = self.relays[444].service.desk
        self.assertEqual(len(desk.keys), 1)
        # The tunnel is in the sender's worker alone: two legs there.
        self.assertEqual([c.port for c in self.network.connections].count(444), 2)

    def test_all_listeners(self) -> None:
        """The balancer of each worker has the listeners of both."""
        self.listen(443, b"one")
        self.listen(444, b"two")
        for port in (443, 444):
            heard = {self.hear(port) for _ in range(4)}
            self.assertEqual(heard, {b"one", b"two"})

    def test_came_before(self) -> None:
        """A worker that starts later learns of listeners that are there."""
        self.listen(443, b"one")
        self.relays[445] = self.relay("445", 445)
        self.network.advance(0)
        self.assertEqual(self.hear(445), b"one")

    def test_complete(self) -> None:
        """A worker knows when it has heard of all that were there."""
        first = self.relays[443].service.presence
        assert isinstance(first, Presence)
        self.successResultOf(first.complete)
        self.listen(443, b"one")
        desk = self.relays[443].service.desk
        late = Presence(self.cluster.bus("late"), desk, LIMITS)
        self.assertNoResult(late.complete)
        self.network.advance(0)
        self.network.advance(0)
        self.successResultOf(late.complete)

    def test_complete_without_the_lost(self) -> None:
        """It does not wait for one that is lost."""
        self.cluster.lose("444")
        desk = self.relays[443].service.desk
        late = Presence(self.cluster.bus("late"), desk, LIMITS)
        self.cluster.lose("443")
        self.network.advance(0)
        self.successResultOf(late.complete)

    def test_left(self) -> None:
        """A listener that goes is gone for all."""
        port = self.listen(443, b"one")
        port.stopListening()
        self.network.advance(6)
        error = self.failureResultOf(self.connect(444), HybridConnectionError).value
        self.assertEqual(error.status_code, 404)
        self.assertIn("no listeners", str(error))

    def test_worker_lost(self) -> None:
        """So are all listeners of a worker that dies; the others serve on."""
        self.listen(443, b"one")
        self.listen(444, b"two")
        self.cluster.lose("443")
        self.assertEqual({self.hear(444) for _ in range(4)}, {b"two"})

    def test_left_meanwhile(self) -> None:
        """An offer that comes too late goes to the next listener at once."""
        self.listen(443, b"one")
        self.listen(444, b"two")
        presence: Any = self.relays[443].service.presence
        presence._ours.clear()
        self.assertEqual({self.hear(444) for _ in range(4)}, {b"two"})
        self.assertEqual(
            self.relays[444].service.desk.listeners(("testing", "hyco")), 1
        )

    def test_drained(self) -> None:
        """
        A listener that drains gets nobody from any worker, nor from one that comes
        later; then all of them know that it does not any more.
        """
        self.listen(443, b"one")
        self.listen(444, b"two")
        live = self.relays[444].service.live
        for on, heard in ((True, {b"two"}), (False, {b"one", b"two"})):
            done = live.drain_listener(("testing", "hyco"), "443/L1", on)
            self.network.advance(0)
            self.network.advance(0)
            self.assertTrue(self.successResultOf(done))
            port = 445 if on else 446
            self.relays[port] = self.relay(str(port), port)
            self.network.advance(0)
            for worker in (443, 444, port):
                self.assertEqual({self.hear(worker) for _ in range(6)}, heard)

    def test_quota(self) -> None:
        """An entity has so many listeners in all, wherever they are."""
        for port, name in ((443, b"1"), (444, b"2"), (443, b"3")):
            self.listen(port, name)
        endpoint = self.relays[444].server_endpoint("hyco")
        listening = endpoint.listen(Factory.forProtocol(Heard))
        self.network.advance(0)
        self.failureResultOf(listening)

    def test_stop(self) -> None:
        """A worker that stops takes its own listeners along, not the others'."""
        self.listen(443, b"one")
        self.listen(444, b"two")
        self.relays[443].stop()
        self.network.advance(0)
        self.assertEqual({self.hear(444) for _ in range(4)}, {b"two"})
