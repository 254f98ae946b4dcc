"""Tests of L{hybridconn.balancers.roundrobin}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.balancers import RoundRobinBalancer, roundrobin
from hybridconn.testing.contracts import check_load_balancer
from tests.balancers.case import chosen, listeners, request


class RoundRobinBalancerTests(SynchronousTestCase):
    """One listener after the other."""

    def setUp(self) -> None:
        self.balancer = RoundRobinBalancer()

    def test_contract(self) -> None:
        """It is a load balancer."""
        check_load_balancer(self, self.balancer)

    def test_in_turn(self) -> None:
        """Listeners take turns in the order in which they came online."""
        candidates = listeners(0, 0, 0)
        got = [chosen(self.balancer, candidates[::-1]) for _ in range(7)]
        self.assertEqual(got, ["L0", "L1", "L2", "L0", "L1", "L2", "L0"])

    def test_entities_apart(self) -> None:
        """Each hybrid connection has its own turn, whatever the case of its path."""
        candidates = listeners(0, 0)
        got = [chosen(self.balancer, candidates, one) for one in ("a", "b", "A", "B")]
        self.assertEqual(got, ["L0", "L0", "L1", "L1"])
        other = self.balancer.choose(candidates, request("a", "fabrikam"))
        self.assertEqual(other.id, "L0")

    def test_come_and_go(self) -> None:
        """The turn goes on where it was when listeners come and go."""
        first, second, third, fourth = listeners(0, 0, 0, 0)
        self.assertEqual(chosen(self.balancer, [first, second]), "L0")
        self.assertEqual(chosen(self.balancer, [first, second, third]), "L1")
        self.assertEqual(chosen(self.balancer, [first, third, fourth]), "L2")
        self.assertEqual(chosen(self.balancer, [first, second]), "L0")

    def test_tried_ones_left_out(self) -> None:
        """A sender that is handed on goes to the next one."""
        candidates = listeners(0, 0, 0)
        self.assertEqual(chosen(self.balancer, candidates), "L0")
        self.assertEqual(chosen(self.balancer, candidates[1:]), "L1")
        self.assertEqual(chosen(self.balancer, candidates), "L2")

    def test_bounded(self) -> None:
        """No more than so many entities are remembered; the eldest is forgotten."""
        self.patch(roundrobin, "REMEMBERED_ENTITIES", 2)
        candidates = listeners(0, 0)
        for entity in ("a", "b", "c"):
            chosen(self.balancer, candidates, entity)
        self.assertEqual(chosen(self.balancer, candidates, "c"), "L1")
        self.assertEqual(chosen(self.balancer, candidates, "a"), "L0")
