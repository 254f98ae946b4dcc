"""What goes on at all processes of one relay."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.core.entities import Claim
from hybridconn.core.live import Counts
from hybridconn.interfaces import ILiveRelay
from hybridconn.relay.overview import PATIENCE
from hybridconn.testing import MemoryCluster, MemoryNetwork, MemoryRelay
from hybridconn.testing.ws_peer import WsPeer
from tests.relay.test_presence import LIMITS, Named

KEY = ("testing", "hyco")


class OverviewTests(SynchronousTestCase):
    """Two workers, one listener at the first, one sender at the second."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.cluster = MemoryCluster(self.network.clock)
        self.first, self.second = (self.relay(port) for port in (443, 444))
        self.network.flush()

    def tearDown(self) -> None:
        for relay in (self.first, self.second):
            relay.stop()

    def relay(self, port: int) -> MemoryRelay:
        return MemoryRelay(
            ["hyco"],
            self.network,
            port=port,
            limits=LIMITS,
            seed=port,
            bus=self.cluster.bus(f"1.{port}"),
        )

    def ask(self, relay: MemoryRelay, what: str, *args: Any) -> Any:
        """What a relay answers when it has heard of the others."""
        asked: Deferred[Any] = getattr(relay.service.live, what)(*args)
        self.network.flush()
        return self.successResultOf(asked)

    def control(self) -> WsPeer:
        """A control channel at the first."""
        token = {"ServiceBusAuthorization": self.first.token("hyco", Claim.LISTEN)}
        target = "/$hc/hyco?sb-hc-action=listen"
        peer = WsPeer.client(target, self.first.host, token)
        peer.dial(self.network, self.first.host, 443, secure=True)
        self.network.flush()
        self.assertEqual(peer.status, 101)
        return peer

    def tunnel(self) -> Any:
        """A sender at the second, and the listener at the first."""
        factory: Any = Factory()
        factory.buildProtocol = lambda _: Named(b"hello")
        listening: Deferred[Any] = self.first.server_endpoint("hyco").listen(factory)
        self.network.flush()
        dialled = self.second.client_endpoint("hyco").connect(
            Factory.forProtocol(Protocol)
        )
        self.network.flush()
        self.successResultOf(dialled)
        return self.successResultOf(listening)

    def test_interface(self) -> None:
        """It is what the management API asks for."""
        self.assertTrue(verifyObject(ILiveRelay, self.first.service.live))

    def test_shown(self) -> None:
        """Both show the same, each thing once, with the name of its worker."""
        self.tunnel()
        for relay in (self.first, self.second):
            (listener,) = self.ask(relay, "listeners", KEY)
            self.assertEqual((listener.id, listener.rule), ("1.443/L1", "Listen"))
            (tunnel,) = self.ask(relay, "tunnels", KEY, "", 10)
            self.assertEqual((tunnel.id, tunnel.listener), ("1.444/T1", "1.443/L1"))
            self.assertEqual(self.ask(relay, "tunnel", KEY, "1.444/T1"), tunnel)
            self.assertIsNone(self.ask(relay, "tunnel", KEY, "1.443/T1"))
            counts = Counts(listeners=1, tunnels=1, listener_bytes=5)
            self.assertEqual(self.ask(relay, "counts", [KEY]), [counts])
            self.assertEqual(self.ask(relay, "sums"), {"testing": counts})

    def test_closed(self) -> None:
        """Either ends what the other has."""
        peer = self.control()
        self.assertFalse(self.ask(self.second, "close_listener", KEY, "1.444/L1"))
        self.assertTrue(self.ask(self.second, "close_listener", KEY, "1.443/L1"))
        self.network.flush()
        self.assertEqual(peer.close_frame and peer.close_frame[0], 1001)
        self.assertEqual(self.ask(self.second, "listeners", KEY), [])
        self.tunnel()
        self.assertTrue(self.ask(self.first, "close_tunnel", KEY, "1.444/T1"))
        self.network.advance(6.0)
        self.assertEqual(self.ask(self.first, "tunnels", KEY, "", 10), [])

    def test_pages(self) -> None:
        """A page of both together is what follows a place, in order."""
        for _ in range(2):
            self.control()
        found = self.ask(self.second, "listeners", KEY)
        self.assertEqual([one.id for one in found], ["1.443/L1", "1.443/L2"])
        for relay in (self.first, self.second, self.second):
            token = relay.token("hyco", Claim.SEND)
            peer = WsPeer.client(
                "/$hc/hyco?sb-hc-action=connect",
                relay.host,
                {"ServiceBusAuthorization": token},
            )
            peer.dial(self.network, relay.host, relay.port, secure=True)
        self.network.flush()
        (counts,) = self.ask(self.first, "counts", [KEY])
        self.assertEqual((counts.listeners, counts.waiting), (2, 3))

    def test_silent(self) -> None:
        """One that does not answer is left out in the end; a lost one at once."""
        self.tunnel()
        silent: Any = self.second.service.presence
        silent._answered = silent.message_received = lambda *_: None
        asked = self.first.service.live.counts([KEY])
        self.network.advance(PATIENCE / 2)
        self.assertNoResult(asked)
        self.network.advance(PATIENCE / 2)
        self.assertEqual(self.successResultOf(asked), [Counts(listeners=1)])
        asked = self.first.service.live.counts([KEY])
        self.cluster.lose("1.444")
        self.network.flush()
        self.assertEqual(self.successResultOf(asked), [Counts(listeners=1)])
