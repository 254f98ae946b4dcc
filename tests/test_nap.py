"""Tests of L{hybridconn.nap}."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.nap import Nap


class NapTests(SynchronousTestCase):
    """To the end, or not."""

    def test_sleep(self) -> None:
        """It lasts as long as it should, or until somebody wakes it."""
        clock = Clock()
        nap = Nap(clock)
        nap.wake()
        slept = Deferred.fromCoroutine(nap.sleep(2.0))
        clock.advance(1.9)
        self.assertNoResult(slept)
        clock.advance(0.1)
        self.successResultOf(slept)
        woken = Deferred.fromCoroutine(nap.sleep(2.0))
        nap.wake()
        self.successResultOf(woken)
        self.assertEqual(clock.getDelayedCalls(), [])
        nap.wake()
