"""Tests of L{hybridconn.websocket.reading}."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.websocket.reading import ReadSizes


class Connection:
    bufferSize = 65536


class ReadSizesTests(SynchronousTestCase):
    """Few busy connections read much, many little."""

    def sizes(self, number: int) -> set[int]:
        """How much each of so many reads at the end."""
        clock = Clock()
        sizes = ReadSizes(clock, 131072)
        connections = [Connection() for _ in range(number)]
        for _ in range(30):
            clock.advance(0.01)
            for connection in connections:
                sizes.busy(connection, connection)
        return {connection.bufferSize for connection in connections}

    def test_shared(self) -> None:
        """What one may read is shared, down to one TLS record."""
        self.assertEqual(self.sizes(1), {131072})
        self.assertEqual(self.sizes(2), {65536})
        self.assertEqual(self.sizes(4), {32768})
        self.assertEqual(self.sizes(50), {16384})

    def test_only_the_busy(self) -> None:
        """One that is busy no more counts no more."""
        clock = Clock()
        sizes = ReadSizes(clock, 131072)
        first, second = Connection(), Connection()
        for _ in range(2):
            sizes.busy(first, first)
            sizes.busy(second, second)
            clock.advance(0.06)
        sizes.busy(first, first)
        self.assertEqual(first.bufferSize, 65536)
        for _ in range(2):
            clock.advance(0.06)
            sizes.busy(first, first)
        self.assertEqual(first.bufferSize, 131072)


class PoliteTests(SynchronousTestCase):
    """A busy tunnel is polite to one that carries little."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.naps = 0
        self.sizes = ReadSizes(self.clock, 131072, self.nap)
        self.tcp = Connection()

    def nap(self) -> None:
        self.naps += 1

    def turn(self) -> None:
        """The busy tunnel reads, and all else in that turn is done."""
        self.sizes.busy(self.tcp, "bulk")
        self.clock.advance(0.01)

    def test_alone(self) -> None:
        """With nobody beside it, it reads much and never rests."""
        for _ in range(20):
            self.turn()
        self.assertEqual((self.tcp.bufferSize, self.naps), (131072, 0))

    def test_beside(self) -> None:
        """It reads less and rests once in each turn, until the other is silent."""
        self.turn()
        self.assertTrue(self.sizes.bulk)
        self.sizes.small("echo")
        for number in range(1, 5):
            self.turn()
            self.assertEqual((self.tcp.bufferSize, self.naps), (65536, number))
        self.clock.advance(1.1)
        self.turn()
        self.assertEqual((self.tcp.bufferSize, self.naps), (131072, 4))

    def test_many_in_a_turn(self) -> None:
        """All that are busy have their turn before one rest."""
        self.turn()
        self.sizes.small("echo")
        others = [Connection() for _ in range(3)]
        for other in others:
            self.sizes.busy(other, other)
        self.assertEqual(self.naps, 0)
        self.turn()
        self.assertEqual(self.naps, 1)

    def test_same_tunnel(self) -> None:
        """Its own small reads, on either leg, change nothing."""
        for _ in range(20):
            self.turn()
            self.sizes.small("bulk")
        self.turn()
        self.assertEqual((self.tcp.bufferSize, self.naps), (131072, 0))

    def test_nobody_busy(self) -> None:
        """Small reads stop being looked at when nothing was busy for a while."""
        self.turn()
        self.clock.advance(0.2)
        self.sizes.small("echo")
        self.assertFalse(self.sizes.bulk)
        self.turn()
        self.assertEqual((self.tcp.bufferSize, self.naps), (131072, 0))
