"""Backpressure from one app to the other, through both tunnels."""

from __future__ import annotations

import hashlib
from typing import Any

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPullProducer, IPushProducer
from zope.interface import implementer

from tests.endpoints.scene import Echo, EndpointTestCase
from tests.testing.recording import PushRecorder

MIB = 1024 * 1024


@implementer(IPushProducer)
class Writer:
    """Writes as fast as it may, up to a number of pieces."""

    def __init__(self, wire: Any, clock: Any, pieces: int = 0) -> None:
        self.wire = wire
        self.clock = clock
        self.left = pieces
        self.hash = hashlib.sha256()
        self.calls: list[str] = []
        self._running = False
        wire.registerProducer(self, True)
        self.resumeProducing()
        self.calls.clear()

    def pauseProducing(self) -> None:
        self.calls.append("pause")
        self._running = False

    def resumeProducing(self) -> None:
        self.calls.append("resume")
        self._running = True
        self.clock.callLater(0, self._write)

    def stopProducing(self) -> None:
        self.calls.append("stop")
        self._running = False
        self.left = 0

    def _write(self) -> None:
        while self._running and self.left:
            self.left -= 1
            piece = self.left.to_bytes(4, "big") * 4096
            self.hash.update(piece)
            self.wire.write(piece)
        if self._running and not self.left:
            self._running = False
            self.wire.unregisterProducer()


@implementer(IPullProducer)
class Puller:
    """Writes one piece each time it is asked, and ends after the last."""

    def __init__(self, wire: Any, pieces: list[bytes]) -> None:
        self.wire = wire
        self.pieces = pieces
        self.stopped = False

    def resumeProducing(self) -> None:
        if self.pieces:
            self.wire.write(self.pieces.pop(0))
        else:
            self.wire.unregisterProducer()

    def stopProducing(self) -> None:
        self.stopped = True


class ProducerTests(EndpointTestCase):
    """Backpressure from end to end."""

    def test_stalled_reader(self) -> None:
        """A reader that stalls pauses the writer; nothing is lost or reordered."""
        server, client = self.join()
        server.wire.pauseProducing()
        writer = Writer(client.wire, self.relay.clock, 256)
        self.network.advance(1)
        self.assertEqual(writer.calls[-1], "pause")
        written = 256 - writer.left
        self.assertLess(written * 16384, MIB)
        self.assertEqual(server.received, b"")
        server.wire.resumeProducing()
        self.network.advance(1)
        self.assertEqual((writer.left, len(server.received)), (0, 4 * MIB))
        self.assertEqual(hashlib.sha256(server.received).digest(), writer.hash.digest())

    def test_other_way_flows(self) -> None:
        """One direction that is held back does not hold the other."""
        server, client = self.join()
        server.wire.pauseProducing()
        Writer(client.wire, self.relay.clock, 256)
        self.network.advance(1)
        server.wire.write(b"still here")
        self.flush()
        self.assertEqual(client.received, b"still here")

    def test_stalled_for_long(self) -> None:
        """A reader that stalls less than C{write_stall_timeout} costs no tunnel."""
        server, client = self.join()
        server.wire.pauseProducing()
        writer = Writer(client.wire, self.relay.clock, 200)
        self.network.advance(50)
        server.wire.resumeProducing()
        self.network.advance(1)
        self.assertEqual((writer.left, len(server.received)), (0, 200 * 16384))

    def test_pull(self) -> None:
        """A pull producer is asked whenever there is room."""
        server, client = self.join()
        client.wire.registerProducer(
            Puller(client.wire, [b"one ", b"two ", b"three"]), False
        )
        self.flush()
        self.assertEqual(server.received, b"one two three")

    def test_stopped_with_the_connection(self) -> None:
        """A producer whose consumer is lost is stopped."""
        server, client = self.join()
        producer = PushRecorder()
        client.wire.registerProducer(producer, True)
        server.wire.abortConnection()
        self.network.advance(1)
        self.assertEqual(producer.calls, ["stop"])
        self.assertIsNotNone(client.lost)

    def test_registered_twice(self) -> None:
        """There is one producer at a time."""
        wire = self.join()[1].wire
        wire.registerProducer(PushRecorder(), True)
        self.assertRaises(RuntimeError, wire.registerProducer, PushRecorder(), True)
        wire.unregisterProducer()
        wire.unregisterProducer()
        wire.registerProducer(PushRecorder(), True)

    def test_registered_too_late(self) -> None:
        """A producer for a connection that has ended is stopped at once."""
        wire = self.join()[1].wire
        wire.loseConnection()
        producer = PushRecorder()
        wire.registerProducer(producer, True)
        self.assertEqual(producer.calls, ["stop"])

    def test_registered_after_the_loss(self) -> None:
        """So is one for a connection that broke."""
        server, client = self.join()
        for connection in self.network.connections[1:]:
            connection.cut()
        self.network.advance(1)
        for app in (server, client):
            producer = PushRecorder()
            app.wire.registerProducer(producer, True)
            self.assertEqual(producer.calls, ["stop"])

    def test_echo_with_itself(self) -> None:
        """A transport may be its own producer: an echo held back by its reader."""

        class Held(Echo):
            def connectionMade(self) -> None:
                self.wire.registerProducer(self.wire, True)

        server, client = self.join(Held)
        client.wire.pauseProducing()
        writer = Writer(client.wire, self.relay.clock, 128)
        self.network.advance(1)
        self.assertGreater(writer.left, 0)
        client.wire.resumeProducing()
        self.network.advance(1)
        self.assertEqual((writer.left, len(client.received)), (0, 2 * MIB))
        client.wire.loseConnection()
        self.network.advance(1)
        self.assertLost(server, ConnectionDone)
        self.assertLost(client, ConnectionDone)
