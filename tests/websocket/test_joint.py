"""A TCP connection and a tunnel made one."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, ISSLTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from hybridconn.core.limits import Limits
from hybridconn.interfaces import ITunnelEnd, ITunnelSink
from hybridconn.testing.network import MemoryNetwork
from hybridconn.testing.ws_peer import WsPeer, one_protocol
from hybridconn.websocket.client import TunnelClientProtocol, connect_websocket
from hybridconn.websocket.joint import EARLY_BYTES, Joint, JointNames

NAMES = JointNames("hyco", "app", "listener", "192.0.2.7:1", "relay.test", "id_G0")
LIMITS = Limits()


@implementer(IHalfCloseableProtocol)
class App(Protocol):
    """The other end of the TCP connection."""

    def __init__(self) -> None:
        self.received = b""
        self.read_ended = False
        self.lost: Failure | None = None

    @property
    def wire(self) -> Any:
        return self.transport

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def readConnectionLost(self) -> None:
        self.read_ended = True

    def writeConnectionLost(self) -> None:
        """Nothing to be noted."""

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class NotedJoint(Joint):
    """Remembers that it was left."""

    def __init__(self, names: JointNames) -> None:
        super().__init__(names)
        self.left: list[Failure] = []

    def left_early(self, reason: Failure) -> None:
        self.left.append(reason)


class JointTestCase(SynchronousTestCase):
    """An app, a joint, and a WebSocket peer in the relay's place."""

    secure = False

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.clock = self.network.clock
        self.app = App()
        self.joint = NotedJoint(NAMES)
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        self.network.listen("app.test", 1, one_protocol(self.app))
        endpoint = self.network.client_endpoint("app.test", 1, secure=self.secure)
        self.near_dialled = endpoint.connect(one_protocol(self.joint))
        self.network.flush()
        (self.near,) = self.network.connections
        self.relay = WsPeer.server()
        self.network.listen("relay.test", 80, one_protocol(self.relay))

    def dial(self) -> TunnelClientProtocol:
        """The tunnel, open and not yet joined."""
        url = "ws://relay.test/$hc/hyco"
        dialled: Deferred[Any] = connect_websocket(
            self.network.dialer(), self.clock, LIMITS, url
        )
        self.network.flush()
        self.far = self.network.connections[-1]
        return cast(TunnelClientProtocol, self.successResultOf(dialled))

    def join(self) -> None:
        self.tunnel = self.dial()
        self.done = self.joint.join(self.tunnel)
        self.network.flush()

    def send(self, data: bytes) -> None:
        """The app writes."""
        self.app.wire.write(data)
        self.network.flush()

    def do(self, action: Callable[..., Any], *arguments: Any) -> None:
        """Something happens, and all that follows of it at once."""
        action(*arguments)
        self.network.flush()

    def closing_line(self) -> str:
        """The line that the log has of the tunnel's end; there is only one."""
        lines = [formatEvent(e) for e in self.events if "ended_by" in e]
        self.assertEqual(len(lines), 1)
        return lines[0]

    def assertReset(self) -> None:
        """The app's connection was broken, not closed."""
        assert self.app.lost is not None
        self.assertTrue(self.app.lost.check(ConnectionLost), self.app.lost)
        self.assertFalse(self.app.read_ended)

    def assertOver(self) -> None:
        """Nothing is left: connections, timers."""
        self.successResultOf(self.done)
        self.assertEqual(self.network.connections, ())
        self.assertEqual(self.clock.getDelayedCalls(), [])


class DataTests(JointTestCase):
    """Bytes."""

    def test_interfaces(self) -> None:
        """A joint is what it says it is."""
        for interface in (IHalfCloseableProtocol, ITunnelEnd, ITunnelSink):
            self.assertTrue(verifyObject(interface, self.joint))

    def test_one_read_one_message(self) -> None:
        """Each read becomes one binary message, each message is written at once."""
        self.join()
        self.send(b"one")
        self.send(b"two")
        self.assertEqual(self.relay.messages, [b"one", b"two"])
        self.do(self.relay.binary, b"three")
        self.assertEqual(self.app.received, b"three")
        self.assertEqual((self.joint.bytes_out, self.joint.bytes_in), (6, 5))

    def test_text_and_empty(self) -> None:
        """Text is bytes too, and an empty message is no end."""
        self.join()
        self.do(self.relay.binary, b"")
        self.do(self.relay.text, "é")
        self.assertEqual(self.app.received, "é".encode())
        self.assertFalse(self.app.read_ended)

    def test_fragment(self) -> None:
        """A part of a message is written before the rest is there."""
        self.join()
        self.do(self.relay.frame, 2, b"begin", False)
        self.assertEqual(self.app.received, b"begin")

    def test_byte_exact(self) -> None:
        """However the bytes are cut on the way, they come out as they went in."""
        self.join()
        chance = random.Random(7)
        self.near.split(1000)
        self.far.split(777)
        sent = [chance.randbytes(chance.randrange(1, 9000)) for _ in range(60)]
        for data in sent:
            self.app.wire.write(data)
            self.relay.binary(data)
        self.network.flush()
        messages = cast(list[bytes], self.relay.messages)
        self.assertEqual(b"".join(messages), b"".join(sent))
        self.assertEqual(self.app.received, b"".join(sent))

    def test_early_data(self) -> None:
        """What the app sends before the tunnel is there comes first, in order."""
        self.send(b"one")
        self.send(b"two")
        self.join()
        self.send(b"three")
        self.assertEqual(self.relay.messages, [b"one", b"two", b"three"])

    def test_early_data_bounded(self) -> None:
        """Without a tunnel no more is read than one buffer."""
        self.near.split(10_000)
        self.send(bytes(1_000_000))
        self.assertLess(self.joint.bytes_out, EARLY_BYTES + 10_000)
        self.join()
        self.assertEqual(self.joint.bytes_out, 1_000_000)

    def test_early_end(self) -> None:
        """An app that sends and closes its half at once is served all the same."""
        self.send(b"question")
        self.do(self.app.wire.loseWriteConnection)
        self.assertEqual(self.joint.left, [])
        self.join()
        self.assertEqual(self.relay.messages, [b"question"])
        self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))
        self.do(self.relay.binary, b"answer")
        self.assertEqual(self.app.received, b"answer")

    def test_early_answer(self) -> None:
        """What comes through the tunnel before it is joined is kept."""
        tunnel = self.dial()
        self.do(self.relay.binary, b"greeting")
        self.do(self.relay.close)
        self.joint.join(tunnel)
        self.network.flush()
        self.assertEqual(self.app.received, b"greeting")
        self.assertTrue(self.app.read_ended)


class BackpressureTests(JointTestCase):
    """Nobody is read faster than the other side takes it."""

    def test_far_stalled(self) -> None:
        """The app is not read while the relay takes nothing, and goes on after."""
        self.join()
        self.near.split(65_536)
        self.far.to_server.stall()
        self.send(bytes(2_000_000))
        self.assertLess(self.joint.bytes_out, 400_000)
        self.assertGreater(self.near.to_client.unread, 1_500_000)
        self.far.to_server.heal()
        self.network.flush()
        self.assertEqual(self.joint.bytes_out, 2_000_000)

    def test_near_stalled(self) -> None:
        """The tunnel is not read while the app takes nothing, and goes on after."""
        self.join()
        self.near.to_server.stall()
        for _ in range(40):
            self.relay.binary(bytes(50_000))
        self.network.flush()
        self.assertLess(self.joint.bytes_in, 400_000)
        self.near.to_server.heal()
        self.network.flush()
        self.assertEqual(len(self.app.received), 2_000_000)

    def test_end_behind_stalled_data(self) -> None:
        """A Close that comes while the app is stalled follows the data as a FIN."""
        self.join()
        self.near.to_server.stall()
        self.relay.binary(bytes(200_000))
        self.do(self.relay.close)
        self.near.to_server.heal()
        self.network.flush()
        self.assertEqual(len(self.app.received), 200_000)
        self.assertTrue(self.app.read_ended)
        self.assertIsNone(self.app.lost)

    def test_fin_behind_stalled_data(self) -> None:
        """The app's FIN becomes a Close behind all of its data."""
        self.join()
        self.far.to_server.stall()
        self.app.wire.write(bytes(300_000))
        self.do(self.app.wire.loseWriteConnection)
        self.far.to_server.heal()
        self.network.flush()
        self.assertEqual(sum(map(len, self.relay.messages)), 300_000)
        self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))


class HalfCloseTests(JointTestCase):
    """Each direction ends by itself (relay-protocol section 6.4)."""

    def test_near_first(self) -> None:
        """FIN becomes Close 1000; the other direction goes on, then ends too."""
        self.join()
        self.send(b"question")
        self.do(self.app.wire.loseWriteConnection)
        self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))
        self.do(self.relay.binary, bytes(500_000))
        self.assertEqual(len(self.app.received), 500_000)
        self.do(self.relay.close, 1000, b"Shutdown")
        self.assertTrue(self.app.read_ended)
        self.do(self.app.wire.loseConnection)
        self.do(self.relay.hang_up)
        self.assertOver()
        line = self.closing_line()
        self.assertIn("ended by app in close (closed)", line)
        self.assertIn("8 bytes from the app, 500000 bytes from the listener", line)

    def test_far_first(self) -> None:
        """Close becomes FIN; the app goes on sending, then ends too."""
        self.join()
        self.do(self.relay.close, 1000, b"Shutdown")
        self.assertTrue(self.app.read_ended)
        self.assertIsNone(self.relay.close_frame)
        self.send(b"more")
        self.assertEqual(self.relay.messages, [b"more"])
        self.do(self.app.wire.loseConnection)
        self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))
        self.do(self.relay.hang_up)
        self.assertOver()
        self.assertIn("ended by listener in close", self.closing_line())

    def test_empty_close(self) -> None:
        """A Close without a code is an orderly end."""
        self.join()
        self.do(self.relay.close, None)
        self.assertTrue(self.app.read_ended)
        self.assertIsNone(self.app.lost)

    def test_relay_does_not_hang_up(self) -> None:
        """After both Closes the relay has some seconds, then the joint hangs up."""
        self.join()
        self.do(self.relay.close)
        self.do(self.app.wire.loseConnection)
        self.assertIsNone(self.relay.lost)
        self.network.advance(LIMITS.control_close_timeout + 1)
        self.assertIsNotNone(self.relay.lost)
        self.assertOver()

    def test_app_gone_after_fin(self) -> None:
        """An app that closes for good and is still sent to is a reset."""
        self.join()
        self.do(self.app.wire.loseConnection)
        self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))
        self.do(self.relay.binary, b"nobody reads this")
        self.do(self.relay.binary, b"nor this")
        self.assertIsNotNone(self.relay.lost)
        self.assertOver()


class ResetTests(JointTestCase):
    """What breaks on one side must not look orderly on the other."""

    def test_near_reset(self) -> None:
        """A reset of TCP ends the tunnel without a Close, behind what was sent."""
        self.join()
        self.app.wire.write(b"last")
        self.network.flush()
        self.do(self.app.wire.abortConnection)
        self.assertEqual(self.relay.messages, [b"last"])
        self.assertIsNone(self.relay.close_frame)
        self.assertIsNotNone(self.relay.lost)
        self.assertOver()
        self.assertIn("ended by app in data (connection broken)", self.closing_line())

    def test_far_lost(self) -> None:
        """A tunnel that ends without a Close resets TCP, behind what came."""
        self.join()
        self.relay.binary(b"last")
        self.do(self.relay.hang_up)
        self.assertEqual(self.app.received, b"last")
        self.assertReset()
        self.assertOver()
        self.assertIn(
            "ended by listener in data (connection broken)", self.closing_line()
        )

    def test_far_aborted(self) -> None:
        """So does one that is reset."""
        self.join()
        self.do(self.relay.abort)
        self.assertReset()
        self.assertOver()

    def test_far_lost_after_its_close(self) -> None:
        """A tunnel that is lost while the app still sends breaks the app's end."""
        self.join()
        self.do(self.relay.close)
        self.do(self.relay.hang_up)
        self.send(b"more")
        assert self.app.lost is not None
        self.app.lost.trap(ConnectionLost)
        self.assertOver()

    def test_code(self) -> None:
        """A Close with a code that is no orderly end resets TCP and is answered."""
        self.join()
        self.relay.binary(b"last")
        self.do(self.relay.close, 4001, b"enough")
        self.assertEqual(self.relay.close_frame, (4001, "enough"))
        self.assertEqual(self.app.received, b"last")
        self.assertReset()
        self.do(self.relay.hang_up)
        self.assertOver()
        self.assertIn("(closed with 4001 enough)", self.closing_line())

    def test_broken_rules(self) -> None:
        """A peer that breaks RFC 6455 is cut off, and the log says why."""
        self.join()
        self.do(self.relay.frame, 3, b"")
        self.assertReset()
        self.do(self.relay.hang_up)
        self.assertOver()
        self.assertIn("ended by listener in data (", self.closing_line())

    def test_reset_of_a_stalled_app(self) -> None:
        """An app that takes nothing is waited for only so long."""
        self.join()
        self.near.to_server.stall()
        self.relay.binary(bytes(50_000))
        self.do(self.relay.hang_up)
        self.network.advance(LIMITS.half_close_timeout - 1)
        self.assertFalse(self.near.client.disconnected)
        self.network.advance(2)
        self.assertTrue(self.near.client.disconnected)
        self.successResultOf(self.done)

    def test_cut_both(self) -> None:
        """Both connections lost at once: one end, one line."""
        self.join()
        self.near.cut()
        self.far.cut()
        self.network.flush()
        self.assertOver()
        self.closing_line()

    def test_left_early(self) -> None:
        """An app that breaks off before there is a tunnel is noticed."""
        self.do(self.app.wire.abortConnection)
        self.assertEqual(len(self.joint.left), 1)
        self.join()
        self.assertIsNotNone(self.relay.lost)
        self.assertIsNone(self.relay.close_frame)
        self.assertOver()

    def test_abandon(self) -> None:
        """Without a tunnel to come TCP is reset; twice does no harm."""
        self.send(b"question")
        self.do(self.joint.abandon)
        self.assertReset()
        self.do(self.joint.abandon)

    def test_end(self) -> None:
        """Ended from here: Close with the code one way, reset the other."""
        self.join()
        self.do(self.joint.end, 1001, b"the sender stops")
        self.assertEqual(self.relay.close_frame, (1001, "the sender stops"))
        self.assertReset()
        self.network.advance(LIMITS.control_close_timeout + 1)
        self.assertOver()
        self.assertIn("ended by us in data (1001", self.closing_line())

    def test_end_early(self) -> None:
        """Ended before there is a tunnel: only TCP is reset."""
        self.do(self.joint.end, 1001, b"")
        self.assertReset()

    def test_end_in_each_state(self) -> None:
        """It may be ended at any time, and always is."""
        before: list[Callable[[], None]] = [
            lambda: self.do(self.app.wire.loseWriteConnection),
            lambda: self.do(self.relay.close),
            lambda: self.do(self.relay.close, 4001),
            lambda: self.do(self.app.wire.abortConnection),
            lambda: self.do(self.relay.hang_up),
        ]
        for action in before:
            self.setUp()
            self.join()
            action()
            self.do(self.joint.end, 1001, b"")
            self.do(self.app.wire.loseConnection)
            self.network.advance(120)
            self.assertOver()


class TLSTests(JointTestCase):
    """A near side without half-close, as TLS is."""

    secure = True

    def test_secure(self) -> None:
        """The near side says that it is TLS."""
        self.assertTrue(ISSLTransport.providedBy(self.joint.transport))

    def test_far_closes(self) -> None:
        """Close ends both directions of TLS, and so of the tunnel."""
        self.join()
        self.relay.binary(b"last")
        self.do(self.relay.close)
        self.assertEqual(self.app.received, b"last")
        self.assertEqual(self.relay.close_frame, (1000, "Shutdown"))
        self.do(self.app.wire.loseConnection)
        self.do(self.relay.hang_up)
        self.assertOver()

    def test_far_lost(self) -> None:
        """A tunnel that is lost breaks TLS."""
        self.join()
        self.do(self.relay.hang_up)
        self.assertReset()
        self.assertOver()
