"""Which listener is asked; and classes of one's own."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from hybridconn.balancers import LeastConnectionsBalancer
from hybridconn.core.entities import HybridConnection
from hybridconn.core.listeners import ListenerRef, SenderRequest
from hybridconn.interfaces import ILoadBalancer
from hybridconn.relay.control import ControlChannel
from hybridconn.relay.handler import RelayHandler
from hybridconn.relay.service import RelayService
from hybridconn.testing.relay import MemoryRelay
from tests.relay.scene import LIMITS, RelayTestCase


class BalancingTests(RelayTestCase):
    """Which listener is asked, and what the load balancer learns."""

    def test_what_a_balancer_sees(self) -> None:
        """Candidates in the order in which they came, with their load."""
        seen: list[tuple[list[ListenerRef], SenderRequest]] = []

        class Recording:
            def choose(self, candidates: Any, request: SenderRequest) -> ListenerRef:
                seen.append((list(candidates), request))
                first: ListenerRef = candidates[0]
                return first

        balancer: Any = Recording()
        self.relay = MemoryRelay(["hyco"], limits=LIMITS, balancer=balancer)
        self.network = self.relay.network
        first = self.listen(query="sb-hc-id=one&")
        self.network.advance(7)
        self.listen(query="sb-hc-id=two&")
        self.connect("hyco/x", "q=1&", {"X-App": "shop"})
        self.rendezvous(self.accepts(first)[0])
        self.connect()
        (candidates, request), (later, _) = seen
        self.assertEqual([ref.sb_hc_id for ref in candidates], ["one", "two"])
        self.assertEqual([ref.connections for ref in candidates], [0, 0])
        self.assertEqual([ref.connections for ref in later], [1, 0])
        ages = [ref.connected_since for ref in candidates]
        self.assertEqual(ages[1] - ages[0], 7)
        self.assertEqual(len({ref.id for ref in candidates}), 2)
        self.assertEqual(request.headers["X-App"], "shop")
        self.assertEqual((request.entity_path, request.query), ("hyco", "q=1"))
        self.assertNotIn("ServiceBusAuthorization", request.headers)

    def test_senders_at_once(self) -> None:
        """Senders that wait count as load, as long as they wait."""
        seen: list[list[ListenerRef]] = []

        class Recording(LeastConnectionsBalancer):
            def choose(
                self, candidates: Sequence[ListenerRef], request: SenderRequest
            ) -> ListenerRef:
                seen.append(list(candidates))
                return super().choose(candidates, request)

        self.relay = MemoryRelay(["hyco"], limits=LIMITS, balancer=Recording(Random(3)))
        self.network = self.relay.network
        listeners = [self.listen() for _ in range(4)]
        senders = [self.connect() for _ in range(40)]
        self.assertEqual([len(one.messages) for one in listeners], [10] * 4)
        for accept in self.accepts(listeners[0]):
            self.rendezvous(accept)
        for accept in self.accepts(listeners[1]):
            self.rendezvous(accept, "&sb-hc-statusCode=503")
        self.connect().abort()
        self.flush()
        self.assertEqual([one.offered for one in seen[-1]], [0, 0, 10, 10])
        self.assertEqual([one.connections for one in seen[-1]], [10, 0, 0, 0])
        for peer in senders:
            peer.abort()
        self.flush()
        self.connect()
        self.assertEqual({one.offered for one in seen[-1]}, {0})

    def test_wrong_choice(self) -> None:
        """A balancer that chooses nobody is named in the log; the sender is served."""

        class Wrong:
            def choose(self, candidates: Any, request: SenderRequest) -> None:
                return None

        balancer: Any = Wrong()
        self.relay = MemoryRelay(["hyco"], limits=LIMITS, balancer=balancer)
        self.network = self.relay.network
        self.tunnel()

    def test_random_is_fair(self) -> None:
        """Over 1,000 senders 4 listeners are asked alike (chi-squared, p 0.001)."""
        listeners = [self.listen() for _ in range(4)]
        for _ in range(1000):
            self.connect().abort()
            self.flush()
        counts = [len(one.messages) for one in listeners]
        self.assertEqual(sum(counts), 1000)
        self.assertLess(sum((n - 250) ** 2 / 250 for n in counts), 16.27, counts)


class SubclassTests(RelayTestCase):
    """The framework's classes are there to be subclassed."""

    def test_own_channel(self) -> None:
        """A control channel of one's own sees each command."""
        commands: list[object] = []

        class OwnChannel(ControlChannel):
            def command_received(self, command: object) -> None:
                commands.append(command)
                super().command_received(command)

        class OwnHandler(RelayHandler):
            channel_class = OwnChannel

        self.patch(RelayService, "handler_class", OwnHandler)
        self.restart()
        self.listen().text('{"hello": 1}')
        self.flush()
        self.assertEqual(len(commands), 1)

    def test_interfaces(self) -> None:
        """The strategy in use provides its interface."""
        from hybridconn.balancers.randomchoice import RandomBalancer

        self.assertTrue(ILoadBalancer.implementedBy(RandomBalancer))
        self.assertEqual(HybridConnection("hyco").segments, ("hyco",))
