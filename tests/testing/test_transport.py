"""Tests for L{hybridconn.testing.transport}: Twisted's TCP contract, row by row."""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHandshakeListener,
    INegotiated,
    IPushProducer,
    ISSLTransport,
    ITCPTransport,
)
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from hybridconn.testing import MemoryNetwork
from tests.testing.recording import (
    HalfCloseableRecorder,
    PullProducer,
    PushRecorder,
    Recorder,
    connected,
)


class _Joined(SynchronousTestCase):
    """Two recorders with a connection between them."""

    def setUp(self) -> None:
        self.join(Recorder(), Recorder())

    def join(self, here: Recorder, there: Recorder) -> None:
        self.network = MemoryNetwork()
        self.here, self.there = here, there
        self.connection = connected(self.network, here, there)

    def lost(self, protocol: Recorder, why: type[Exception]) -> None:
        """Check that it was told, once, that the connection is gone."""
        self.assertEqual(protocol.events.count("lost"), 1)
        assert protocol.lost is not None
        self.assertIs(protocol.lost.type, why)

    def quiet(self) -> None:
        """Check that nothing is left behind."""
        self.assertEqual(self.network.connections, ())
        self.assertEqual(self.network.clock.getDelayedCalls(), [])


class DataTests(_Joined):
    """Bytes and their flow."""

    def test_interfaces(self) -> None:
        """It is a TCP transport, a consumer and a push producer."""
        for interface in (ITCPTransport, IConsumer, IPushProducer):
            self.assertTrue(verifyObject(interface, self.here.wire))
        self.assertFalse(ISSLTransport.providedBy(self.here.wire))

    def test_bytes_arrive(self) -> None:
        """What is written arrives, in order, not within the call."""
        self.here.wire.write(b"one ")
        self.here.wire.writeSequence([b"two ", b"three"])
        self.assertEqual(self.there.data, b"")
        self.network.flush()
        self.assertEqual(self.there.data, b"one two three")

    def test_only_bytes(self) -> None:
        """Text is refused as TCP refuses it."""
        self.assertRaises(TypeError, self.here.wire.write, "text")

    def test_read_size(self) -> None:
        """A read brings 64 KiB at most."""
        self.here.wire.write(bytes(150_000))
        self.network.flush()
        self.assertEqual([len(p) for p in self.there.pieces], [65536, 65536, 18928])

    def test_pause_reading(self) -> None:
        """A paused transport delivers nothing, and all of it when it is resumed."""
        self.there.wire.pauseProducing()
        self.here.wire.write(b"later")
        self.network.flush()
        self.assertEqual(self.there.data, b"")
        self.assertEqual(self.connection.to_server.unread, 5)
        self.there.wire.resumeProducing()
        self.network.flush()
        self.assertEqual(self.there.data, b"later")

    def test_pause_while_reading(self) -> None:
        """A pause from within dataReceived holds the next piece back."""

        class OneOnly(Recorder):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                self.wire.pauseProducing()

        self.join(Recorder(), OneOnly())
        self.here.wire.write(bytes(100_000))
        self.network.flush()
        self.assertEqual([len(p) for p in self.there.pieces], [65536])

    def test_push_producer(self) -> None:
        """A push producer is paused above 64 KiB and resumed when all is read."""
        producer = PushRecorder()
        self.here.wire.registerProducer(producer, True)
        self.there.wire.pauseProducing()
        self.here.wire.write(bytes(65536))
        self.assertEqual(producer.calls, [])
        self.here.wire.write(b"x")
        self.assertEqual(producer.calls, ["pause"])
        self.there.wire.resumeProducing()
        self.network.flush()
        self.assertEqual(producer.calls, ["pause", "resume"])

    def test_pull_producer(self) -> None:
        """A pull producer is asked at once, then each time that all is read."""
        wire = self.here.wire
        producer = PullProducer(wire, [b"a", b"b", b"c"])
        wire.registerProducer(producer, False)
        self.assertEqual(producer.pieces, [b"b", b"c"])
        self.network.flush()
        self.assertEqual(self.there.pieces, [b"a", b"b", b"c"])
        self.assertIsNone(wire.producer)

    def test_one_producer(self) -> None:
        """A second producer is refused until the first is unregistered."""
        wire = self.here.wire
        wire.registerProducer(PushRecorder(), True)
        self.assertRaises(RuntimeError, wire.registerProducer, PushRecorder(), True)
        wire.unregisterProducer()
        wire.registerProducer(PushRecorder(), True)

    def test_options(self) -> None:
        """TCP options are remembered."""
        wire = self.here.wire
        self.assertFalse(wire.getTcpNoDelay() or wire.getTcpKeepAlive())
        wire.setTcpNoDelay(1)
        wire.setTcpKeepAlive(True)
        self.assertTrue(wire.getTcpNoDelay() and wire.getTcpKeepAlive())


class ClosingTests(_Joined):
    """How a connection ends."""

    def test_lose_connection(self) -> None:
        """loseConnection sends what was written; both ends see a clean end."""
        self.here.wire.write(bytes(100_000))
        self.here.wire.loseConnection()
        self.assertTrue(self.here.wire.disconnecting)
        self.network.flush()
        self.assertEqual(len(self.there.data), 100_000)
        self.lost(self.here, ConnectionDone)
        self.lost(self.there, ConnectionDone)
        self.quiet()

    def test_lose_connection_waits(self) -> None:
        """It waits for a reader that is paused."""
        self.there.wire.pauseProducing()
        self.here.wire.write(b"last words")
        self.here.wire.loseConnection()
        self.network.advance(1000.0)
        self.assertEqual(self.here.events, ["made"])
        self.there.wire.resumeProducing()
        self.network.flush()
        self.assertEqual(self.there.data, b"last words")
        self.lost(self.here, ConnectionDone)

    def test_lose_connection_with_producer(self) -> None:
        """It waits for a producer that was paused, which may write on."""
        wire, producer = self.here.wire, PushRecorder()
        wire.registerProducer(producer, True)
        wire.write(bytes(65537))
        wire.loseConnection()
        self.network.flush()
        self.assertEqual(producer.calls, ["pause", "resume"])
        self.assertEqual(self.here.events, ["made"])
        wire.write(b"more")
        wire.unregisterProducer()
        self.network.flush()
        self.assertEqual(len(self.there.data), 65541)
        self.lost(self.here, ConnectionDone)

    def test_reads_no_more(self) -> None:
        """Closing with bytes unread is a reset for the other end, as with TCP."""
        self.here.wire.pauseProducing()
        self.there.wire.write(b"unheard")
        self.network.flush()
        self.here.wire.loseConnection()
        self.network.flush()
        self.assertEqual(self.here.data, b"")
        self.lost(self.here, ConnectionDone)
        self.lost(self.there, ConnectionLost)
        self.quiet()

    def test_bytes_for_the_gone(self) -> None:
        """Bytes for a closed end are answered by a reset."""
        self.join(Recorder(), HalfCloseableRecorder())
        self.here.wire.loseConnection()
        self.network.flush()
        self.assertEqual(self.there.events, ["made", "read lost"])
        self.there.wire.write(b"anybody there?")
        self.network.flush()
        self.lost(self.there, ConnectionLost)
        self.quiet()

    def test_abort(self) -> None:
        """abortConnection loses what is unread; the other end sees a reset."""
        self.here.wire.write(b"never read")
        self.here.wire.abortConnection()
        self.here.wire.write(b"nor this")
        self.assertEqual(self.here.events, ["made"])
        self.network.flush()
        self.assertEqual(self.there.data, b"")
        self.lost(self.here, ConnectionAborted)
        self.lost(self.there, ConnectionLost)
        self.quiet()

    def test_stops_producer(self) -> None:
        """A lost connection stops its producer, a later one at once."""
        early, late = PushRecorder(), PushRecorder()
        self.here.wire.registerProducer(early, True)
        self.there.wire.abortConnection()
        self.network.flush()
        self.here.wire.registerProducer(late, True)
        self.assertEqual((early.calls, late.calls), (["stop"], ["stop"]))

    def test_stop_producing(self) -> None:
        """stopProducing is loseConnection."""
        self.here.wire.stopProducing()
        self.network.flush()
        self.lost(self.there, ConnectionDone)

    def test_paused_sees_no_end(self) -> None:
        """Who does not read learns neither of FIN nor of a reset, until it does."""
        for end in ("loseConnection", "abortConnection"):
            self.join(Recorder(), Recorder())
            self.there.wire.pauseProducing()
            getattr(self.here.wire, end)()
            self.network.advance(100.0)
            self.assertEqual(self.there.events, ["made"], end)
            self.there.wire.resumeProducing()
            self.network.flush()
            self.assertEqual(self.there.events, ["made", "lost"], end)
            self.quiet()

    def test_paused_writer_sees_reset(self) -> None:
        """Who does not read but writes learns of a reset."""
        self.there.wire.pauseProducing()
        self.here.wire.abortConnection()
        self.network.flush()
        self.there.wire.write(b"?")
        self.network.flush()
        self.lost(self.there, ConnectionLost)

    def test_broken_protocol(self) -> None:
        """An exception of a protocol is logged and ends the connection."""

        class Broken(Recorder):
            def dataReceived(self, data: bytes) -> None:
                raise ZeroDivisionError("broken")

        self.join(Recorder(), Broken())
        self.here.wire.write(b"x")
        self.network.flush()
        self.lost(self.there, ZeroDivisionError)
        self.lost(self.here, ConnectionDone)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class HalfClosingTests(_Joined):
    """Directions that end one by one."""

    def test_both_directions(self) -> None:
        """Each end is told of its half, and the other half goes on."""
        self.join(HalfCloseableRecorder(), HalfCloseableRecorder())
        self.here.wire.write(b"question")
        self.here.wire.loseWriteConnection()
        self.network.flush()
        self.assertEqual(self.here.events, ["made", "write lost"])
        self.assertEqual(self.there.events, ["made", "read lost"])
        self.here.wire.write(b"too late")
        self.there.wire.write(b"answer")
        self.there.wire.loseConnection()
        self.network.flush()
        self.assertEqual((self.there.data, self.here.data), (b"question", b"answer"))
        self.assertEqual(self.here.events, ["made", "write lost", "read lost"])
        self.here.wire.loseConnection()
        self.network.flush()
        self.lost(self.here, ConnectionDone)
        self.quiet()

    def test_not_half_closeable(self) -> None:
        """A protocol that knows no half-close takes FIN for the end."""
        self.here.wire.loseWriteConnection()
        self.network.flush()
        self.lost(self.there, ConnectionDone)
        self.lost(self.here, ConnectionDone)
        self.quiet()

    def test_waits_for_reader(self) -> None:
        """FIN comes behind the last byte."""
        self.join(HalfCloseableRecorder(), HalfCloseableRecorder())
        self.there.wire.pauseProducing()
        self.here.wire.write(b"first")
        self.here.wire.loseWriteConnection()
        self.network.flush()
        self.assertEqual(self.here.events, ["made"])
        self.there.wire.resumeProducing()
        self.network.flush()
        self.assertEqual(self.there.data, b"first")
        self.assertEqual(self.there.events, ["made", "read lost"])


class SecureTests(SynchronousTestCase):
    """Connections that say of themselves that they are TLS."""

    def test_says_so(self) -> None:
        """Both ends provide ISSLTransport, and the handshake is told of."""

        @implementer(IHandshakeListener)
        class Listening(Recorder):
            def handshakeCompleted(self) -> None:
                self.events.append("secured")

        here, there = Listening(), Recorder()
        network = MemoryNetwork()
        connection = connected(network, here, there, secure=True)
        self.assertTrue(connection.secure)
        self.assertEqual(here.events, ["made", "secured"])
        for protocol in (here, there):
            self.assertTrue(verifyObject(ISSLTransport, protocol.wire))
            self.assertTrue(INegotiated.providedBy(protocol.wire))
            self.assertIsNone(protocol.wire.getPeerCertificate())
