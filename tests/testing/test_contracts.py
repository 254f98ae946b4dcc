"""Tests for L{hybridconn.testing.contracts}: they let the good pass, only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from twisted.internet.defer import succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from hybridconn.balancers.leastconnections import LeastConnectionsBalancer
from hybridconn.balancers.randomchoice import RandomBalancer
from hybridconn.balancers.roundrobin import RoundRobinBalancer
from hybridconn.core.entities import HybridConnection, Namespace
from hybridconn.core.listeners import ListenerRef, SenderRequest
from hybridconn.interfaces import IEntityStore, ILoadBalancer
from hybridconn.stores.memory import MemoryEntityStore
from hybridconn.testing import check_entity_store, check_load_balancer


def _balancer(choose: Callable[[list[ListenerRef]], object]) -> ILoadBalancer:
    """A balancer that chooses by a function."""

    @implementer(ILoadBalancer)
    class Balancer:
        def choose(
            self, candidates: Sequence[ListenerRef], request: SenderRequest
        ) -> ListenerRef:
            return choose(candidates)  # type: ignore[arg-type,return-value]

    return Balancer()


class LoadBalancerContractTests(SynchronousTestCase):
    """L{check_load_balancer}."""

    def test_ours(self) -> None:
        """The balancers that we ship keep to it."""
        check_load_balancer(self, RandomBalancer(Random(1)))
        check_load_balancer(self, RoundRobinBalancer())
        check_load_balancer(self, LeastConnectionsBalancer())

    def test_breaches(self) -> None:
        """Whatever breaks the interface's words is found."""
        kept: list[ListenerRef] = []

        def remember(candidates: list[ListenerRef]) -> ListenerRef:
            kept.append(candidates[0])
            return kept[0]

        def shuffle(candidates: list[ListenerRef]) -> ListenerRef:
            if isinstance(candidates, list):
                candidates.reverse()
            return candidates[0]

        for broken in (
            remember,
            shuffle,
            lambda candidates: None,
            lambda candidates: succeed(candidates[0]),
            lambda candidates: ListenerRef("elsewhere", "192.0.2.1", 1, 0.0),
        ):
            with self.assertRaises(AssertionError):
                check_load_balancer(self, _balancer(broken))

    def test_interface(self) -> None:
        """It has to say that it is a balancer."""
        with self.assertRaises(AssertionError):
            check_load_balancer(self, object())  # type: ignore[arg-type]


class EntityStoreContractTests(SynchronousTestCase):
    """L{check_entity_store}."""

    def setUp(self) -> None:
        entities = (HybridConnection("a"), HybridConnection("a/B"))
        self.namespace = Namespace("contoso", hybrid_connections=entities)
        self.store = MemoryEntityStore([self.namespace])

    def change(self) -> tuple[str, str]:
        self.store.put_hybrid_connection("contoso", HybridConnection("new"))
        return "contoso", "new"

    def test_ours(self) -> None:
        """The store in memory keeps to it."""
        check_entity_store(self, self.store, self.change)
        check_entity_store(self, self.store)

    def test_mute(self) -> None:
        """A store that tells nobody of a change is found."""
        self.patch(self.store, "_tell", lambda namespace, path: None)
        with self.assertRaises(AssertionError):
            check_entity_store(self, self.store, self.change)

    def test_hasty(self) -> None:
        """A store that tells of a change before it can be seen is found."""
        store = self.store

        def change() -> tuple[str, str]:
            store._tell("contoso", "new")
            store._watchers.clear()
            return self.change()

        with self.assertRaises(AssertionError):
            check_entity_store(self, store, change)

    def test_ambiguous(self) -> None:
        """A store with one path twice, in different case, is found."""

        @implementer(IEntityStore)
        class Twice:
            def namespaces(self) -> Sequence[Namespace]:
                pair = (HybridConnection("a"), HybridConnection("A"))
                return [Namespace("contoso", hybrid_connections=pair)]

            def watch(self, changed: Callable[[str, str], None]) -> None:
                """Nothing ever changes."""

        with self.assertRaises(AssertionError):
            check_entity_store(self, Twice())
