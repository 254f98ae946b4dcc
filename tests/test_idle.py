"""Tests of L{hybridconn.idle}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.idle import IdleTimer


class IdleTimerTests(SynchronousTestCase):
    """It fires after so long without a touch."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.timer = IdleTimer(self.clock)
        self.fired: list[str] = []

    def test_touch(self) -> None:
        """Each sign of life starts it over, without a timer of its own."""
        self.timer.start(10, lambda: self.fired.append("a"))
        for _ in range(5):
            self.clock.advance(9)
            self.timer.touch()
            self.assertLessEqual(len(self.clock.getDelayedCalls()), 1)
        self.clock.advance(9.9)
        self.assertEqual(self.fired, [])
        self.clock.advance(0.2)
        self.assertEqual(self.fired, ["a"])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_stop(self) -> None:
        """Then it does not; stopping twice is harmless."""
        self.timer.start(10, lambda: self.fired.append("a"))
        self.timer.stop()
        self.timer.stop()
        self.timer.touch()
        self.clock.advance(20)
        self.assertEqual((self.fired, self.clock.getDelayedCalls()), ([], []))

    def test_start_again(self) -> None:
        """What ran before is forgotten."""
        self.timer.start(10, lambda: self.fired.append("a"))
        self.timer.start(20, lambda: self.fired.append("b"))
        self.clock.advance(30)
        self.assertEqual(self.fired, ["b"])
