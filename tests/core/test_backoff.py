"""Tests of L{hybridconn.core.backoff}."""

from __future__ import annotations

from random import Random

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.backoff import Backoff


class BackoffTests(SynchronousTestCase):
    """Waiting before a reconnect (relay-protocol section 5.5)."""

    def test_delays(self) -> None:
        """At once, then 1, 2, 5, 10, 30 seconds, then 30 for ever."""
        backoff = Backoff(lambda: 0.5)
        delays = [backoff.next() for _ in range(8)]
        self.assertEqual(delays, [0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 30.0, 30.0])
        self.assertEqual(backoff.attempts, 8)

    def test_jitter(self) -> None:
        """The first comes within a second, later ones within a fifth of theirs."""
        rng = Random(1)
        for _ in range(100):
            backoff = Backoff(rng.random)
            self.assertTrue(0 <= backoff.next() < 1)
            for base in (1, 2, 5, 10, 30, 30):
                self.assertTrue(0.8 * base <= backoff.next() <= 1.2 * base)

    def test_reset(self) -> None:
        """After a reset it begins anew."""
        backoff = Backoff(lambda: 0.0)
        backoff.next()
        backoff.next()
        backoff.reset()
        self.assertEqual(backoff.next(), 0.0)
        self.assertAlmostEqual(backoff.next(), 0.8)
