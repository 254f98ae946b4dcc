"""Tests of L{hybridconn.balancers.leastconnections}."""

from __future__ import annotations

from random import Random

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.balancers import LeastConnectionsBalancer
from hybridconn.testing.contracts import check_load_balancer
from tests.balancers.case import chosen, listeners


class LeastConnectionsBalancerTests(SynchronousTestCase):
    """To whoever has least to do."""

    def test_contract(self) -> None:
        """It is a load balancer."""
        check_load_balancer(self, LeastConnectionsBalancer())

    def test_fewest(self) -> None:
        """The listener with the fewest connections is chosen."""
        balancer = LeastConnectionsBalancer()
        self.assertEqual(chosen(balancer, listeners(3, 1, 2)), "L1")

    def test_offered(self) -> None:
        """Senders that a listener was told of and did not come for yet count."""
        first, second = listeners(1, 2)
        balancer = LeastConnectionsBalancer()
        self.assertEqual(chosen(balancer, [evolve(first, offered=2), second]), "L1")
        self.assertEqual(chosen(balancer, [first, evolve(second, offered=2)]), "L0")

    def test_equals(self) -> None:
        """Equals share by chance, so that many senders at once are spread."""
        balancer, candidates = LeastConnectionsBalancer(Random(7)), listeners(1, 0, 0)
        got = {chosen(balancer, candidates) for _ in range(50)}
        self.assertEqual(got, {"L1", "L2"})
