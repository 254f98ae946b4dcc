"""The last half hour of the traffic."""

from __future__ import annotations

from typing import Any

from hybridconn.relay.traffic import INTEREST, INTERVAL, MOST_SAMPLES
from hybridconn.testing.relay import WALL_START
from tests.relay.scene import RelayTestCase
from tests.relay.test_live import Now

KEY = ("testing", "hyco")
FIRST = int(WALL_START / INTERVAL)


class TrafficTests(RelayTestCase):
    """Of one relay with one hybrid connection."""

    def past(self, samples: int = MOST_SAMPLES) -> Any:
        """Of the hybrid connection, and of all."""
        return Now(self.relay).traffic([KEY, ()], samples)

    def test_moved(self) -> None:
        """Only intervals in which something moved, by their numbers, each way."""
        sender, listener = self.tunnel()
        sender.binary(b"x" * 7)
        self.flush()
        self.assertEqual(self.past(), [[], []])
        self.network.advance(INTERVAL)
        self.assertEqual(self.past(), [[], []])
        sender.binary(b"x" * 300)
        listener.binary(b"y" * 50)
        self.flush()
        self.network.advance(INTERVAL)
        self.network.advance(2 * INTERVAL)
        sender.binary(b"x" * 5)
        self.flush()
        sender.close()
        listener.close()
        self.network.advance(INTERVAL)
        shown = [(FIRST + 2, 300, 50), (FIRST + 5, 5, 0)]
        self.assertEqual(self.past(), [shown, shown])
        self.assertEqual(self.past(2), [shown[1:], shown[1:]])

    def test_forgotten(self) -> None:
        """What is older than half an hour is gone, and what was deleted."""
        sender, _ = self.tunnel()
        self.past()
        sender.binary(b"x")
        self.network.advance(INTERVAL)
        self.assertNotEqual(self.past()[0], [])
        for _ in range(MOST_SAMPLES + 1):
            self.past()
            self.network.advance(INTERVAL)
        self.assertEqual(self.past(), [[], []])
        sender, _ = self.tunnel()
        sender.binary(b"x")
        self.network.advance(INTERVAL)
        self.assertNotEqual(self.past()[0], [])
        self.relay.remove("hyco")
        for _ in range(3):  # the tunnel is closed in order
            self.network.advance(INTERVAL)
        self.assertEqual(self.past()[0], [])

    def test_nobody_asks(self) -> None:
        """Nobody looks where nobody asks: there is no timer before, nor long after."""
        sender, _ = self.tunnel()
        waiting = len(self.relay.clock.getDelayedCalls())
        self.past()
        self.assertEqual(len(self.relay.clock.getDelayedCalls()), waiting + 1)
        sender.binary(b"x")
        self.network.advance(INTERVAL)
        for _ in range(int(INTEREST / INTERVAL) + 1):
            self.network.advance(INTERVAL)
        self.assertEqual(len(self.relay.clock.getDelayedCalls()), waiting)
        self.assertEqual(self.past(), [[], []])

    def test_stopped(self) -> None:
        """It ends with the relay."""
        self.past()
        self.relay.stop()
        self.assertEqual(self.relay.clock.getDelayedCalls(), [])
