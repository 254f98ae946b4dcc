"""Tests of L{hybridconn.web.body_watch}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.web.body_watch import BodyWatch


class BodyWatchTests(SynchronousTestCase):
    """60 s of silence, or less than 10 bytes per second in 60 s."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.late: list[float] = []

    def watch(self, rate: float = 10.0) -> BodyWatch:
        watch = BodyWatch(self.clock, 60.0, rate)
        watch.start(lambda: self.late.append(self.clock.seconds()))
        return watch

    def test_silence(self) -> None:
        """It counts from the last byte, to the second."""
        watch = self.watch()
        self.clock.advance(25)
        watch.received(1000)
        self.clock.advance(59)
        self.assertEqual(self.late, [])
        self.clock.advance(1)
        self.assertEqual(self.late, [85.0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_drip(self) -> None:
        """What comes must be enough in each minute anew."""
        watch = self.watch()
        for count in (10, 10, 9):
            for _ in range(60):
                watch.received(count)
                self.clock.advance(1)
        self.assertEqual(self.late, [180.0])

    def test_no_rate(self) -> None:
        """0 bytes per second are always there."""
        watch = self.watch(rate=0)
        for _ in range(10):
            self.clock.advance(59)
            watch.received(1)
        self.assertEqual(self.late, [])
        self.clock.advance(60)
        self.assertEqual(len(self.late), 1)

    def test_stop(self) -> None:
        """Nothing is called any more; a fresh start counts from there."""
        watch = self.watch()
        self.clock.advance(50)
        watch.stop()
        watch.stop()
        self.clock.advance(100)
        self.assertEqual((self.late, self.clock.getDelayedCalls()), ([], []))
        watch.start(lambda: self.late.append(self.clock.seconds()))
        self.clock.advance(59)
        self.assertEqual(self.late, [])
        self.clock.advance(1)
        self.assertEqual(self.late, [210.0])
