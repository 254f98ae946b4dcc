"""Tests for L{hybridconn.websocket.transport}: Twisted's contract over a tunnel."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IPushProducer,
    ITCPTransport,
    ITransport,
)
from zope.interface.verify import verifyObject

from hybridconn.interfaces import ITunnelSink
from hybridconn.testing import WsPeer
from hybridconn.testing.frames import BINARY, CLOSE, CONTINUATION
from hybridconn.websocket.addresses import HybridConnectionAddress
from hybridconn.websocket.client import TunnelClientProtocol
from hybridconn.websocket.closing import TunnelClosed
from hybridconn.websocket.transport import TunnelTransport
from tests.testing.recording import (
    HalfCloseableRecorder,
    PullProducer,
    PushRecorder,
    Recorder,
)
from tests.websocket.scene import WebSocketTestCase

HERE = HybridConnectionAddress("relay.test", "hyco")
THERE = HybridConnectionAddress("relay.test", "hyco", "5f7a9be6_G0")


class TransportTestCase(WebSocketTestCase):
    """A protocol over a tunnel, and the relay as a peer made of bytes."""

    app: Recorder
    relay: WsPeer
    tunnel: TunnelClientProtocol

    def run_over(self, app: Recorder) -> Any:
        """Run C{app} over a new tunnel; returns its transport."""
        self.app = app
        self.tunnel, self.relay = self.client()
        transport = TunnelTransport(app, HERE, THERE)
        transport.start(self.tunnel)
        return transport

    def finished(self, why: type[BaseException]) -> BaseException:
        """Check that the protocol heard of its end, once, and that all is gone."""
        self.assertEqual(self.app.events.count("lost"), 1)
        assert self.app.lost is not None
        self.assertIs(self.app.lost.type, why)
        self.advance(100.0)
        self.quiet()
        self.assertEqual(self.app.events.count("lost"), 1)
        assert self.app.lost.value is not None
        return self.app.lost.value

    def answer_close(self, code: int = 1000) -> None:
        """Do as the relay does when both ends have closed."""
        self.relay.close(code)
        self.relay.hang_up()
        self.flush()


class DataTests(TransportTestCase):
    """Bytes both ways."""

    def test_interfaces(self) -> None:
        """It is what Twisted's protocols expect of a transport."""
        transport = self.run_over(Recorder())
        for interface in (
            ITransport,
            ITCPTransport,
            IConsumer,
            IPushProducer,
            ITunnelSink,
        ):
            self.assertTrue(verifyObject(interface, transport))
        self.assertIs(self.app.wire, transport)
        self.assertIs(transport.protocol, self.app)
        self.assertEqual(self.app.events, ["made"])

    def test_addresses(self) -> None:
        """Its addresses are the hybrid connection's, not the network's."""
        transport = self.run_over(Recorder())
        self.assertEqual((transport.getHost(), transport.getPeer()), (HERE, THERE))
        self.assertTrue(verifyObject(IAddress, HERE))
        self.assertNotIsInstance(transport.getPeer(), IPv4Address)

    def test_options(self) -> None:
        """Options of TCP may be set and say what holds."""
        transport = self.run_over(Recorder())
        transport.setTcpNoDelay(False)
        transport.setTcpKeepAlive(False)
        self.assertTrue(transport.getTcpNoDelay())
        self.assertTrue(transport.getTcpKeepAlive())

    def test_write(self) -> None:
        """A write is one binary message, of nothing none."""
        transport = self.run_over(Recorder())
        transport.write(b"one")
        transport.write(b"")
        transport.writeSequence([b"t", b"w", b"o"])
        self.flush()
        self.assertEqual(self.relay.messages, [b"one", b"two"])

    def test_read(self) -> None:
        """All pieces are delivered, text as its bytes, empty messages not."""
        self.run_over(Recorder())
        self.relay.binary(b"one")
        self.relay.text("é")
        self.relay.binary(b"")
        self.relay.frame(BINARY, b"thr", False)
        self.relay.frame(CONTINUATION, b"")
        self.relay.frame(BINARY, b"ee", False)
        self.flush()
        self.assertEqual(self.app.pieces, [b"one", "é".encode(), b"thr", b"ee"])

    def test_arrived_before(self) -> None:
        """What came before the protocol was joined follows connectionMade."""
        self.tunnel, self.relay = self.client()
        self.relay.binary(b"early")
        self.relay.close()
        self.flush()
        self.app = HalfCloseableRecorder()
        TunnelTransport(self.app, HERE, THERE).start(self.tunnel)
        self.assertEqual(self.app.pieces, [b"early"])
        self.assertEqual(self.app.events, ["made", "read lost"])

    def test_lost_before(self) -> None:
        """A tunnel that is gone already is made, then lost."""
        self.tunnel, self.relay = self.client()
        self.relay.abort()
        self.flush()
        self.app = Recorder()
        TunnelTransport(self.app, HERE, THERE).start(self.tunnel)
        self.assertEqual(self.app.events, ["made", "lost"])
        self.finished(ConnectionLost)

    def test_write_at_once(self) -> None:
        """A protocol may write, and close, in connectionMade."""

        class Brief(Recorder):
            def connectionMade(self) -> None:
                super().connectionMade()
                self.wire.write(b"hello")
                self.wire.loseConnection()

        self.run_over(Brief())
        self.flush()
        self.assertEqual(self.relay.messages, [b"hello"])
        self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))
        self.answer_close()
        self.finished(ConnectionDone)

    def test_broken_protocol(self) -> None:
        """A protocol that fails is logged, broken off and told, as with TCP."""

        class Broken(HalfCloseableRecorder):
            def connectionMade(self) -> None:
                super().connectionMade()
                self.fail("made")

            def dataReceived(self, data: bytes) -> None:
                self.fail("data")

            def readConnectionLost(self) -> None:
                self.fail("read")

            def writeConnectionLost(self) -> None:
                self.fail("write")

            def fail(self, where: str) -> None:
                if where == weak:
                    raise ZeroDivisionError(where)

        for weak in ("made", "data", "read", "write"):
            transport = self.run_over(Broken())
            transport.loseWriteConnection()
            self.relay.binary(b"x")
            self.relay.close()
            self.flush()
            self.finished(ZeroDivisionError)
            self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1, weak)


class FlowTests(TransportTestCase):
    """Backpressure both ways."""

    def test_pause(self) -> None:
        """A paused protocol gets nothing; the relay is held; then all comes."""
        transport = self.run_over(Recorder())
        transport.pauseProducing()
        for _ in range(10):
            self.relay.binary(bytes(50_000))
        self.flush()
        self.assertEqual(self.app.pieces, [])
        self.assertGreater(self.connection.to_client.unread, 400_000)
        transport.resumeProducing()
        self.flush()
        self.assertEqual(len(self.app.data), 500_000)

    def test_pause_holds_the_rest(self) -> None:
        """A pause holds back what the same read has brought, the end too."""

        class OneByOne(HalfCloseableRecorder):
            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                self.wire.pauseProducing()

        transport = self.run_over(OneByOne())
        for message in (b"a", b"b"):
            self.relay.binary(message)
        self.relay.close()
        self.flush()
        self.assertEqual(self.app.pieces, [b"a"])
        transport.resumeProducing()
        self.assertEqual(self.app.pieces, [b"a", b"b"])
        self.assertEqual(self.app.events, ["made"])
        transport.resumeProducing()
        self.assertEqual(self.app.events, ["made", "read lost"])

    def test_pause_at_once(self) -> None:
        """A pause in connectionMade holds back what came before."""

        class Waiting(Recorder):
            def connectionMade(self) -> None:
                super().connectionMade()
                self.wire.pauseProducing()

        self.tunnel, self.relay = self.client()
        self.relay.binary(b"early")
        self.flush()
        self.app = Waiting()
        TunnelTransport(self.app, HERE, THERE).start(self.tunnel)
        self.relay.binary(b"late")
        self.flush()
        self.assertEqual(self.app.pieces, [])
        self.app.wire.resumeProducing()
        self.flush()
        self.assertEqual(self.app.pieces, [b"early", b"late"])

    def test_lost_while_held(self) -> None:
        """A paused protocol hears of a tunnel that is given up."""
        transport = self.run_over(Recorder())
        transport.pauseProducing()
        self.relay.binary(b"held")
        self.flush()
        self.tunnel.abort()
        self.flush()
        self.finished(ConnectionAborted)

    def test_push_producer(self) -> None:
        """A push producer is paused while the relay does not read."""
        transport, producer = self.run_over(Recorder()), PushRecorder()
        transport.registerProducer(producer, True)
        self.relay.pause()
        transport.write(bytes(65_536))
        self.assertEqual(producer.calls, ["pause"])
        self.relay.resume()
        self.flush()
        self.assertEqual(producer.calls, ["pause", "resume"])
        transport.unregisterProducer()
        transport.unregisterProducer()

    def test_pull_producer(self) -> None:
        """A pull producer is asked for more each time that all is written."""
        transport = self.run_over(Recorder())
        producer = PullProducer(transport, [b"a", b"b", b"c"])
        transport.registerProducer(producer, False)
        self.flush()
        self.assertEqual(self.relay.messages, [b"a", b"b", b"c"])
        transport.registerProducer(PushRecorder(), True)

    def test_one_producer(self) -> None:
        """There is one producer at a time."""
        transport = self.run_over(Recorder())
        transport.registerProducer(PushRecorder(), True)
        for streaming in (True, False):
            self.assertRaises(
                RuntimeError, transport.registerProducer, PushRecorder(), streaming
            )

    def test_stops_producer(self) -> None:
        """A producer is stopped once when the tunnel is lost, a later one at once."""
        for streaming in (True, False):
            transport, producer = self.run_over(Recorder()), PushRecorder()
            transport.registerProducer(producer, streaming)
            producer.calls.clear()
            self.relay.abort()
            self.flush()
            late = PushRecorder()
            transport.registerProducer(late, streaming)
            self.assertEqual((producer.calls, late.calls), (["stop"], ["stop"]))

    def test_stops_producer_of_a_broken_tunnel(self) -> None:
        """It is stopped once as well when the relay breaks the protocol."""
        transport, producer = self.run_over(Recorder()), PushRecorder()
        transport.registerProducer(producer, True)
        self.relay.frame(3)
        self.flush()
        self.assertEqual(producer.calls, ["stop"])

    def test_no_producer_after_the_end(self) -> None:
        """A producer for a direction that is ended is stopped."""
        transport, producer = self.run_over(HalfCloseableRecorder()), PushRecorder()
        transport.loseWriteConnection()
        transport.registerProducer(producer, True)
        self.assertEqual(producer.calls, ["stop"])


class LoseConnectionTests(TransportTestCase):
    """The orderly end from here."""

    def test_sends_and_closes(self) -> None:
        """What was written goes out, then Close 1000; then a clean end."""
        transport = self.run_over(Recorder())
        transport.write(b"last")
        transport.loseConnection()
        transport.write(b"too late")
        transport.loseConnection()
        self.assertTrue(transport.disconnecting)
        self.flush()
        self.assertEqual(self.relay.messages, [b"last"])
        self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))
        self.assertEqual(self.app.events, ["made"])
        self.answer_close()
        self.finished(ConnectionDone)

    def test_delivers_nothing_more(self) -> None:
        """As with TCP, what comes after it is not delivered."""
        transport = self.run_over(HalfCloseableRecorder())
        transport.loseConnection()
        self.relay.binary(b"unheard")
        self.flush()
        self.answer_close()
        self.assertEqual(self.app.pieces, [])
        self.assertEqual(self.app.events, ["made", "lost"])
        self.finished(ConnectionDone)

    def test_peer_goes_on(self) -> None:
        """A peer that does not close its half is dropped after 5 s."""
        transport = self.run_over(Recorder())
        transport.loseConnection()
        self.advance(4.9)
        self.assertEqual(self.app.events, ["made"])
        self.advance(0.2)
        self.finished(ConnectionDone)

    def test_while_paused(self) -> None:
        """A paused protocol can close, and the answer is seen."""
        transport = self.run_over(Recorder())
        transport.pauseProducing()
        transport.loseConnection()
        self.flush()
        self.answer_close()
        self.finished(ConnectionDone)

    def test_waits_for_producer(self) -> None:
        """It waits for a registered producer, which may still write."""
        for streaming in (True, False):
            transport, producer = self.run_over(Recorder()), PushRecorder()
            transport.registerProducer(producer, streaming)
            transport.loseConnection()
            transport.write(b"more")
            self.advance(100.0)
            self.assertEqual(self.relay.messages, [b"more"])
            self.assertIsNone(self.relay.close_frame)
            transport.unregisterProducer()
            transport.write(b"too late")
            self.flush()
            self.assertEqual(self.relay.messages, [b"more"])
            self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))
            self.answer_close()
            self.finished(ConnectionDone)

    def test_lost_meanwhile(self) -> None:
        """A tunnel that breaks while it closes is closed all the same."""
        transport = self.run_over(Recorder())
        transport.loseConnection()
        self.flush()
        self.relay.abort()
        self.flush()
        self.finished(ConnectionDone)

    def test_stop_producing(self) -> None:
        """stopProducing is loseConnection."""
        transport = self.run_over(Recorder())
        transport.stopProducing()
        self.flush()
        self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))

    def test_after_the_end(self) -> None:
        """When all is over nothing of it does harm."""
        transport = self.run_over(Recorder())
        self.relay.abort()
        self.flush()
        transport.write(b"x")
        transport.pauseProducing()
        transport.resumeProducing()
        transport.loseWriteConnection()
        transport.loseConnection()
        transport.abortConnection()
        transport.unregisterProducer()
        self.finished(ConnectionLost)


class HalfCloseTests(TransportTestCase):
    """The two directions, one by one."""

    def test_write_first(self) -> None:
        """Our half ends with Close 1000; reading goes on as long as need be."""
        transport = self.run_over(HalfCloseableRecorder())
        transport.write(b"question")
        transport.loseWriteConnection()
        transport.loseWriteConnection()
        transport.write(b"too late")
        self.flush()
        self.assertEqual(self.relay.messages, [b"question"])
        self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))
        self.assertEqual([f.opcode for f in self.relay.frames], [BINARY, CLOSE])
        self.assertEqual(self.app.events, ["made", "write lost"])
        self.advance(1000.0)
        self.relay.binary(b"answer")
        self.flush()
        self.assertEqual(self.app.data, b"answer")
        self.answer_close()
        self.assertEqual(self.app.events, ["made", "write lost", "read lost", "lost"])
        self.finished(ConnectionDone)

    def test_read_first(self) -> None:
        """The peer's Close ends reading; writing goes on as long as need be."""
        for code in (1000, None):
            transport = self.run_over(HalfCloseableRecorder())
            self.relay.close(code)
            self.advance(1000.0)
            self.assertEqual(self.app.events, ["made", "read lost"])
            transport.write(b"answer")
            self.flush()
            self.assertEqual(self.relay.messages, [b"answer"])
            self.assertIsNone(self.relay.close_frame)
            transport.loseWriteConnection()
            self.flush()
            self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))
            self.relay.hang_up()
            self.flush()
            self.finished(ConnectionDone)

    def test_then_close(self) -> None:
        """loseConnection ends what a half-close has left."""
        transport = self.run_over(HalfCloseableRecorder())
        transport.loseWriteConnection()
        transport.loseConnection()
        self.relay.binary(b"unheard")
        self.flush()
        self.assertEqual([f.opcode for f in self.relay.frames], [CLOSE])
        self.answer_close()
        self.assertEqual(self.app.pieces, [])
        self.finished(ConnectionDone)

    def test_waits_for_producer(self) -> None:
        """The half-close waits for a registered producer."""
        transport, producer = self.run_over(HalfCloseableRecorder()), PushRecorder()
        transport.registerProducer(producer, True)
        transport.loseWriteConnection()
        transport.write(b"rest")
        self.flush()
        self.assertIsNone(self.relay.close_frame)
        self.assertEqual(self.app.events, ["made"])
        transport.unregisterProducer()
        self.flush()
        self.assertEqual(self.relay.messages, [b"rest"])
        self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))
        self.assertEqual(self.app.events, ["made", "write lost"])

    def test_not_half_closeable(self) -> None:
        """A protocol that knows no half-close takes the peer's Close for the end."""
        self.run_over(Recorder())
        self.relay.binary(b"bye")
        self.relay.close(1000)
        self.flush()
        self.assertEqual(self.app.data, b"bye")
        self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))
        self.relay.hang_up()
        self.flush()
        self.finished(ConnectionDone)

    def test_not_half_closeable_with_producer(self) -> None:
        """That end does not wait for a producer, as twisted.web has one always."""
        transport, producer = self.run_over(Recorder()), PushRecorder()
        transport.registerProducer(producer, True)
        self.relay.close(1000)
        self.flush()
        self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))
        self.relay.hang_up()
        self.flush()
        self.finished(ConnectionDone)
        self.assertEqual(producer.calls, ["stop"])

    def test_loss_of_the_other_half(self) -> None:
        """A tunnel that breaks while one half is open is broken."""
        for half in ("read", "write"):
            transport = self.run_over(HalfCloseableRecorder())
            if half == "read":
                self.relay.close(1000)
            else:
                transport.loseWriteConnection()
            self.flush()
            self.relay.hang_up()
            self.flush()
            self.finished(ConnectionLost)


class BrokenTests(TransportTestCase):
    """Ends that are not orderly."""

    def test_abort(self) -> None:
        """abortConnection breaks the tunnel without a Close, at once."""
        transport, producer = self.run_over(Recorder()), PushRecorder()
        transport.registerProducer(producer, True)
        transport.write(bytes(65_536))
        transport.abortConnection()
        transport.abortConnection()
        self.relay.binary(b"unheard")
        self.flush()
        self.assertEqual(self.relay.frames, [])
        assert self.relay.lost is not None
        self.relay.lost.trap(ConnectionLost)
        self.assertEqual(self.app.pieces, [])
        self.assertEqual(producer.calls, ["pause", "stop"])
        self.finished(ConnectionAborted)

    def test_lost(self) -> None:
        """A connection that ends without a Close is never a clean end."""
        for end_it in (WsPeer.hang_up, WsPeer.abort):
            self.run_over(HalfCloseableRecorder())
            self.relay.binary(b"half a story")
            self.flush()
            end_it(self.relay)
            self.flush()
            self.assertEqual(self.app.events, ["made", "lost"])
            self.finished(ConnectionLost)

    def test_code(self) -> None:
        """A Close with another code is an error that has it; it is answered."""
        for code, reason in ((1001, b"going"), (1011, b""), (4001, "é".encode())):
            self.run_over(HalfCloseableRecorder())
            self.relay.binary(b"before")
            self.relay.close(code, reason)
            self.flush()
            self.assertEqual(self.app.data, b"before")
            self.assertEqual(self.relay.close_frame, (code, reason.decode()))
            self.relay.hang_up()
            self.flush()
            self.assertEqual(self.app.events, ["made", "lost"])
            error = self.finished(TunnelClosed)
            assert isinstance(error, TunnelClosed)
            self.assertEqual((error.code, error.reason), (code, reason.decode()))
            self.assertIsInstance(error, ConnectionLost)

    def test_code_after_our_close(self) -> None:
        """Whoever has closed already is told of a clean end, whatever the code."""
        transport = self.run_over(Recorder())
        transport.loseConnection()
        self.relay.close(1011, b"oops")
        self.flush()
        self.relay.hang_up()
        self.flush()
        self.assertEqual(self.app.events, ["made", "lost"])

    def test_broken_rule(self) -> None:
        """A relay that breaks the protocol breaks the tunnel; the words say why."""
        self.run_over(Recorder())
        self.relay.frame(3)
        self.flush()
        assert self.app.lost is not None
        self.assertTrue(self.app.lost.check(ConnectionLost))
        self.assertIn("reserved opcode 3", self.app.lost.getErrorMessage())
        self.advance(100.0)
        self.quiet()
