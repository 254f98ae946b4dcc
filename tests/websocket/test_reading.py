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
                sizes.busy(connection)
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
            sizes.busy(first)
            sizes.busy(second)
            clock.advance(0.06)
        sizes.busy(first)
        self.assertEqual(first.bufferSize, 65536)
        for _ in range(2):
            clock.advance(0.06)
            sizes.busy(first)
        self.assertEqual(first.bufferSize, 131072)
