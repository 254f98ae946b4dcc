"""Tests for L{hybridconn.testing.pipe}, C{connection} and C{faults}."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.testing import MemoryNetwork, one_protocol
from tests.testing.recording import PushRecorder, Recorder, connected


class FaultTests(SynchronousTestCase):
    """What may go wrong with a connection."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.client, self.server = Recorder(), Recorder()
        self.connection = connected(self.network, self.client, self.server)

    def test_cut(self) -> None:
        """A cut is a reset for both ends; what was unread is lost."""
        self.client.wire.write(b"lost")
        self.connection.cut()
        self.network.flush()
        for end in (self.client, self.server):
            assert end.lost is not None
            self.assertIs(end.lost.type, ConnectionLost)
        self.assertEqual(self.server.data, b"")
        self.assertEqual(self.network.connections, ())

    def test_cut_while_paused(self) -> None:
        """A paused end that has nothing to write sees a cut when it reads."""
        self.server.wire.pauseProducing()
        self.connection.cut()
        self.network.flush()
        self.assertEqual(self.client.events, ["made", "lost"])
        self.assertEqual(self.server.events, ["made"])
        self.server.wire.write(b"?")
        self.network.flush()
        self.assertEqual(self.server.events, ["made", "lost"])

    def test_cut_after(self) -> None:
        """The connection breaks behind exactly so many bytes."""
        self.connection.to_server.cut_after(5)
        self.client.wire.write(b"123")
        self.network.flush()
        self.assertEqual(self.client.events, ["made"])
        self.client.wire.write(b"45678")
        self.network.flush()
        self.assertEqual(self.server.data, b"12345")
        self.assertEqual(self.connection.to_server.carried, 5)
        self.assertEqual(self.client.events, ["made", "lost"])

    def test_silence(self) -> None:
        """In silence the writer believes that all arrives; nothing does."""
        producer = PushRecorder()
        self.client.wire.registerProducer(producer, True)
        self.connection.silence()
        self.client.wire.write(bytes(100_000))
        self.server.wire.write(b"nor this")
        self.network.flush()
        self.assertEqual((self.client.data, self.server.data), (b"", b""))
        self.assertEqual(producer.calls, ["pause", "resume"])
        self.assertEqual(self.connection.to_server.swallowed, 100_000)

    def test_silent_end(self) -> None:
        """In silence an end that closes is gone, and the other never hears."""
        self.connection.silence()
        self.client.wire.loseConnection()
        self.network.advance(1000.0)
        assert self.client.lost is not None
        self.assertIs(self.client.lost.type, ConnectionDone)
        self.assertEqual(self.server.events, ["made"])
        self.assertEqual(len(self.network.connections), 1)

    def test_silence_one_way(self) -> None:
        """One direction may fall silent alone, and be healed."""
        self.connection.to_server.silence()
        self.client.wire.write(b"lost ")
        self.server.wire.write(b"heard")
        self.network.flush()
        self.connection.heal()
        self.client.wire.write(b"found")
        self.network.flush()
        self.assertEqual((self.client.data, self.server.data), (b"heard", b"found"))

    def test_stall(self) -> None:
        """A stalled reader fills the writer's buffer; nothing is lost."""
        producer = PushRecorder()
        self.client.wire.registerProducer(producer, True)
        self.connection.to_server.stall()
        self.client.wire.write(bytes(70_000))
        self.server.wire.write(b"heard")
        self.network.advance(100.0)
        self.assertEqual(producer.calls, ["pause"])
        self.assertEqual((self.client.data, self.server.data), (b"heard", b""))
        self.connection.heal()
        self.network.flush()
        self.assertEqual(len(self.server.data), 70_000)
        self.assertEqual(producer.calls, ["pause", "resume"])

    def test_delay(self) -> None:
        """Bytes and ends take their time, in order even if that changes."""
        self.connection.delay(2.0)
        self.client.wire.write(b"slow ")
        self.connection.delay(0.5)
        self.client.wire.write(b"fast")
        self.network.advance(1.9)
        self.assertEqual(self.server.data, b"")
        self.network.advance(0.1)
        self.assertEqual(self.server.data, b"slow fast")
        self.client.wire.abortConnection()
        self.network.advance(0.4)
        self.assertEqual(self.server.events, ["made"])
        self.network.advance(0.1)
        self.assertEqual(self.server.events, ["made", "lost"])

    def test_split(self) -> None:
        """A reader may get its bytes one by one."""
        self.connection.split(1)
        self.client.wire.write(b"abc")
        self.server.wire.write(b"de")
        self.network.flush()
        self.assertEqual(self.server.pieces, [b"a", b"b", b"c"])
        self.assertEqual(self.client.pieces, [b"d", b"e"])

    def test_network_wide(self) -> None:
        """The network's faults hold for what has none of its own."""
        faults = self.network.faults
        faults.piece_bytes, faults.delay = 2, 1.0
        self.connection.to_client.piece_bytes = 3
        self.connection.to_client.delay = 0.0
        self.client.wire.write(b"abcd")
        self.server.wire.write(b"abcd")
        self.network.flush()
        self.assertEqual(self.client.pieces, [b"abc", b"d"])
        self.assertEqual(self.server.pieces, [])
        self.network.advance(1.0)
        self.assertEqual(self.server.pieces, [b"ab", b"cd"])

    def test_delayed_dial(self) -> None:
        """A delay is one for dials too."""
        self.network.faults.delay = 3.0
        client = Recorder()
        self.network.listen("slow.test", 80, one_protocol(Recorder()))
        self.network.client_endpoint("slow.test", 80).connect(one_protocol(client))
        self.network.advance(2.9)
        self.assertEqual(client.events, [])
        self.network.advance(0.1)
        self.assertEqual(client.events, ["made"])
