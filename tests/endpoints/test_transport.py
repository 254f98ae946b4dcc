"""A tunnel as a Twisted transport, from app to app: ends and half-ends."""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IPushProducer,
    ITCPTransport,
    ITransport,
)
from zope.interface.verify import verifyObject

from hybridconn import TunnelClosed
from hybridconn.interfaces import ITunnelSink
from tests.endpoints.scene import App, Echo, EndpointTestCase, HalfCloser
from tests.testing.recording import PushRecorder

MIB = 1024 * 1024


class InterfaceTests(EndpointTestCase):
    """What an app may ask of it."""

    def test_interfaces(self) -> None:
        """It is a TCP transport, a consumer and a producer."""
        server, client = self.join()
        for wire in (server.wire, client.wire):
            for kind in (
                ITransport,
                ITCPTransport,
                IConsumer,
                IPushProducer,
                ITunnelSink,
            ):
                self.assertTrue(verifyObject(kind, wire))
        self.assertIs(client.wire.protocol, client)

    def test_tcp_options(self) -> None:
        """The options of the connection to the relay are not the app's to set."""
        wire = self.join()[1].wire
        wire.setTcpNoDelay(False)
        wire.setTcpKeepAlive(False)
        self.assertTrue(wire.getTcpNoDelay() and wire.getTcpKeepAlive())


class EndTests(EndpointTestCase):
    """The end of both directions."""

    def assertBothDone(self, *apps: App) -> None:
        for app in apps:
            self.assertLost(app, ConnectionDone)
        self.network.advance(10)
        self.assertQuiet()

    def test_client_ends(self) -> None:
        """C{loseConnection} sends what was written; both ends end in order."""
        server, client = self.join()
        client.wire.write(b"x" * MIB)
        client.wire.loseConnection()
        client.wire.loseConnection()
        client.wire.write(b"too late")
        self.flush()
        self.assertEqual(len(server.received), MIB)
        self.assertBothDone(server, client)

    def test_server_ends(self) -> None:
        """The same from the listener's end."""
        server, client = self.join()
        server.wire.write(b"bye")
        server.wire.stopProducing()
        self.flush()
        self.assertEqual(client.received, b"bye")
        self.assertBothDone(server, client)

    def test_both_at_once(self) -> None:
        """Ends that cross are no trouble."""
        server, client = self.join()
        server.wire.loseConnection()
        client.wire.loseConnection()
        self.flush()
        self.assertBothDone(server, client)

    def test_nothing_after_the_end(self) -> None:
        """What still comes after C{loseConnection} is not delivered, as with TCP."""
        server, client = self.join(HalfCloser)
        client.wire.loseConnection()
        self.flush()
        self.assertEqual(server.ended, ["read"])
        server.wire.write(b"too late")
        server.wire.loseConnection()
        self.flush()
        self.assertEqual(client.received, b"")
        self.assertBothDone(server, client)

    def test_other_end_stays(self) -> None:
        """An other end that never ends its half is left after a while."""
        _, client = self.join(HalfCloser)
        client.wire.loseConnection()
        self.network.advance(4)
        self.assertIsNone(client.lost)
        self.network.advance(2)
        self.assertLost(client, ConnectionDone)

    def test_abort(self) -> None:
        """C{abortConnection} is a reset for the other end, and says so to its own."""
        server, client = self.join()
        client.wire.abortConnection()
        client.wire.abortConnection()
        self.network.advance(1)
        self.assertLost(client, ConnectionAborted)
        self.assertLost(server, ConnectionLost)
        self.assertFalse(server.lost.check(ConnectionDone))
        self.assertQuiet()

    def test_cut(self) -> None:
        """So is a connection that breaks, at both ends."""
        server, client = self.join()
        for connection in self.network.connections[1:]:
            connection.cut()
        self.network.advance(1)
        self.assertLost(client, ConnectionLost)
        self.assertLost(server, ConnectionLost)

    def test_code(self) -> None:
        """A Close with another code than 1000 is told, with its words."""
        server, client = self.join()
        self.relay.remove("hyco")
        self.network.advance(6)
        for app in (server, client):
            self.assertIn("1001", self.assertLost(app, TunnelClosed))

    def test_write_after_loss(self) -> None:
        """What is written, or ended, after the loss does no harm."""
        server, client = self.join()
        client.wire.loseConnection()
        self.network.advance(1)
        for wire in (server.wire, client.wire):
            wire.write(b"x")
            wire.writeSequence([b"x", b"y"])
            wire.loseConnection()
            wire.loseWriteConnection()
            wire.abortConnection()
            wire.pauseProducing()
            wire.resumeProducing()
        self.network.advance(10)
        self.assertQuiet()

    def test_error_in_app(self) -> None:
        """A bug in an app's C{dataReceived} is logged and costs its tunnel alone."""

        class Broken(App):
            def dataReceived(self, data: bytes) -> None:
                raise KeyError("oops")

        server, client = self.join(Broken)
        client.wire.write(b"x")
        self.network.advance(1)
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)
        self.assertIsNotNone(server.lost)
        self.assertIsNotNone(client.lost)
        self.assertQuiet()


class HalfCloseTests(EndpointTestCase):
    """One direction after the other (relay-protocol section 6.4)."""

    def test_client_first(self) -> None:
        """After its end the client still gets the answer."""
        server, client = self.join(HalfCloser, HalfCloser)
        client.wire.write(b"question")
        client.wire.loseWriteConnection()
        client.wire.loseWriteConnection()
        client.wire.write(b"too late")
        self.network.advance(50)
        self.assertEqual((server.received, server.ended), (b"question", ["read"]))
        self.assertEqual(client.ended, ["write"])
        self.assertIsNone(server.lost)
        server.wire.write(b"answer")
        server.wire.loseWriteConnection()
        self.network.advance(1)
        self.assertEqual(
            (client.received, client.ended), (b"answer", ["write", "read"])
        )
        self.assertEqual(server.ended, ["read", "write"])
        self.assertLost(server, ConnectionDone)
        self.assertLost(client, ConnectionDone)

    def test_server_first(self) -> None:
        """The same the other way round."""
        server, client = self.join(HalfCloser, HalfCloser)
        server.wire.loseWriteConnection()
        self.flush()
        self.assertEqual(client.ended, ["read"])
        client.wire.write(b"last words")
        client.wire.loseConnection()
        self.network.advance(1)
        self.assertEqual(server.received, b"last words")
        self.assertLost(server, ConnectionDone)
        self.assertLost(client, ConnectionDone)

    def test_plain_protocol(self) -> None:
        """A protocol that knows no halves ends both when the other end ends one."""
        server, client = self.join(Echo, HalfCloser)
        client.wire.write(b"question")
        client.wire.loseWriteConnection()
        self.network.advance(1)
        self.assertEqual(client.received, b"question")
        self.assertEqual(client.ended, ["write", "read"])
        self.assertLost(server, ConnectionDone)
        self.assertLost(client, ConnectionDone)

    def test_end_behind_a_producer(self) -> None:
        """The end of a direction waits for the producer that writes it."""
        server, client = self.join(HalfCloser, HalfCloser)
        producer = PushRecorder()
        client.wire.registerProducer(producer, True)
        client.wire.loseWriteConnection()
        client.wire.write(b"the producer's")
        self.flush()
        self.assertEqual((server.received, server.ended), (b"the producer's", []))
        client.wire.unregisterProducer()
        self.flush()
        self.assertEqual((server.ended, client.ended), (["read"], ["write"]))
        self.assertIsNone(client.lost)

    def test_close_behind_a_producer(self) -> None:
        """So does the end of both."""
        server, client = self.join()
        client.wire.registerProducer(PushRecorder(), True)
        client.wire.loseConnection()
        client.wire.write(b"the producer's")
        self.network.advance(20)
        self.assertEqual(server.received, b"the producer's")
        self.assertIsNone(server.lost)
        client.wire.unregisterProducer()
        self.flush()
        self.assertLost(server, ConnectionDone)
        self.assertLost(client, ConnectionDone)
