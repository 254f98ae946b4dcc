"""Tests of L{hybridconn.balancers.randomchoice}."""

from __future__ import annotations

from collections import Counter
from random import Random

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.balancers import RandomBalancer
from hybridconn.testing.contracts import check_load_balancer
from tests.balancers.case import chosen, listeners


class RandomBalancerTests(SynchronousTestCase):
    """Each sender to any listener."""

    def test_contract(self) -> None:
        """It is a load balancer."""
        check_load_balancer(self, RandomBalancer())

    def test_even(self) -> None:
        """
        Over 25 listeners the choices are spread evenly: chi-square below the
        value that an even one exceeds once in a thousand (24 degrees).
        """
        balancer, candidates = RandomBalancer(Random(20260101)), listeners(*[0] * 25)
        counts = Counter(chosen(balancer, candidates) for _ in range(5000))
        expected = 5000 / 25
        chi_square = sum(
            (counts[one.id] - expected) ** 2 / expected for one in candidates
        )
        self.assertLess(chi_square, 51.2)

    def test_chance_from_outside(self) -> None:
        """The same seed gives the same choices."""
        candidates = listeners(*[0] * 25)
        first, second = (RandomBalancer(Random(7)) for _ in range(2))
        self.assertEqual(
            [chosen(first, candidates) for _ in range(50)],
            [chosen(second, candidates) for _ in range(50)],
        )
