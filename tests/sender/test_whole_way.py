"""An app, a sender, a relay, a listener and a target: TCP at both ends."""

from __future__ import annotations

import random
from typing import Any

from twisted.internet.defer import succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import formatEvent
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.config.addresses import Target, parse_target
from hybridconn.listener import ForwardConnector
from hybridconn.sender import LocalForward
from hybridconn.testing import MemoryClientEndpoint, MemoryRelay, one_protocol
from tests.listener.scene import LogTestCase

MIB = 1024 * 1024


@implementer(IHalfCloseableProtocol)
class End(Protocol):
    """An app or a target."""

    def __init__(self) -> None:
        self.received = b""
        self.read_ended = False
        self.lost: Failure | None = None
        self._write_ended = False

    @property
    def wire(self) -> Any:
        return self.transport

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def readConnectionLost(self) -> None:
        self.read_ended = True
        if self._write_ended:
            self.wire.loseConnection()

    def writeConnectionLost(self) -> None:
        self._write_ended = True

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class WholeWayTests(LogTestCase):
    """Every role is the real one; only sockets and time are not."""

    def setUp(self) -> None:
        super().setUp()
        self.relay = MemoryRelay(["db"])
        self.network = self.relay.network
        self.targets: list[End] = []
        targets: Any = Factory()
        targets.noisy = False
        targets.buildProtocol = self.build
        self.port = self.network.listen("db.corp", 1433, targets)
        connector = ForwardConnector(
            lambda: succeed(parse_target("db.corp:1433")),
            "db",
            self.relay.clock,
            endpoint=self.endpoint,
        )
        self.listener = self.relay.listener("db", connector)
        self.listener.startService()
        self.forward = LocalForward(self.relay.connector("db"))
        self.network.listen("app.test", 15432, self.forward)
        self.network.flush()

    def build(self, addr: Any) -> End:
        self.targets.append(End())
        return self.targets[-1]

    def endpoint(self, target: Target) -> MemoryClientEndpoint:
        assert target.host_port is not None
        place = target.host_port
        return self.network.client_endpoint(place.host, place.port)

    def dial(self) -> End:
        app = End()
        endpoint = self.network.client_endpoint("app.test", 15432)
        endpoint.connect(one_protocol(app))
        self.network.flush()
        return app

    def join(self) -> tuple[End, End]:
        app = self.dial()
        return app, self.targets[-1]

    def assertLost(self, end: End, kind: type[Exception]) -> None:
        assert end.lost is not None, "not lost"
        self.assertTrue(end.lost.check(kind), end.lost)

    def assertOver(self, time: float = 10.0) -> None:
        """Nothing is left but the control channel."""
        self.network.advance(time)
        self.assertEqual(len(self.network.connections), 1)
        self.assertEqual((self.listener.tunnels, len(self.forward.joints)), (0, 0))

    @property
    def endings(self) -> list[str]:
        """What was logged of tunnels that ended."""
        return [formatEvent(event) for event in self.events if "ended_by" in event]

    def tearDown(self) -> None:
        self.assertNothingSecret()

    # --- data ---

    def test_byte_exact(self) -> None:
        """Random pieces both ways at once, however the network cuts them."""
        chance = random.Random(7)
        for piece_bytes in (1, 7, 1460, 65536):
            self.network.faults.piece_bytes = piece_bytes
            app, target = self.join()
            sent: dict[End, bytes] = {app: b"", target: b""}
            for _ in range(8):
                for end in (app, target):
                    most = 300 if piece_bytes < 1000 else 200_000
                    data = chance.randbytes(chance.randrange(most))
                    sent[end] += data
                    end.wire.write(data)
                self.network.flush()
            self.assertEqual(target.received, sent[app])
            self.assertEqual(app.received, sent[target])
            app.wire.loseConnection()
            target.wire.loseConnection()
            self.assertOver()

    def test_slow_network(self) -> None:
        """Time on the way changes nothing; data waits for the tunnel."""
        self.network.faults.delay = 0.3
        app = self.dial()
        self.network.advance(0.4)
        app.wire.write(b"early")
        self.network.advance(10)
        self.assertEqual(self.targets[0].received, b"early")
        self.targets[0].wire.write(b"answer")
        self.network.advance(3)
        self.assertEqual(app.received, b"answer")

    def test_target_speaks_first(self) -> None:
        """A greeting that is there before the tunnel is not lost."""

        class Greeter(End):
            def connectionMade(self) -> None:
                self.wire.write(b"220 ready")

        self.port.factory.buildProtocol = lambda addr: Greeter()  # type: ignore[method-assign]
        self.assertEqual(self.dial().received, b"220 ready")

    def test_stalled_target(self) -> None:
        """A target that does not read holds the app back, all the way."""
        app, target = self.join()
        target.wire.pauseProducing()
        reading = self.forward.joints.copy().pop()
        for _ in range(100):
            app.wire.write(bytes(65536))
            self.network.flush()
        near: Any = reading.transport
        self.assertFalse(near.reading)
        carried = sum(one.to_server.carried for one in self.network.connections)
        self.assertLess(carried, 4 * MIB)
        target.wire.resumeProducing()
        self.network.flush()
        self.assertEqual(len(target.received), 100 * 65536)

    # --- ends ---

    def test_app_ends_first(self) -> None:
        """The app's FIN reaches the target; the answer still comes (6.4)."""
        app, target = self.join()
        app.wire.write(b"question")
        app.wire.loseWriteConnection()
        self.network.advance(50)
        self.assertEqual((target.received, target.read_ended), (b"question", True))
        self.assertIsNone(app.lost)
        target.wire.write(b"x" * MIB)
        target.wire.loseConnection()
        self.network.advance(1)
        self.assertEqual((len(app.received), app.read_ended), (MIB, True))
        self.assertLost(app, ConnectionDone)
        self.assertLost(target, ConnectionDone)
        self.assertOver()
        self.assertEqual(len(self.endings), 2)
        self.assertTrue(all(" in close (closed)" in line for line in self.endings))

    def test_target_ends_first(self) -> None:
        """The target's FIN reaches the app; what the app still sends arrives."""
        app, target = self.join()
        target.wire.loseWriteConnection()
        self.network.advance(50)
        self.assertTrue(app.read_ended)
        app.wire.write(b"last words")
        app.wire.loseConnection()
        self.network.flush()
        self.network.advance(1)
        self.assertEqual(target.received, b"last words")
        self.assertLost(app, ConnectionDone)
        self.assertLost(target, ConnectionDone)
        self.assertOver()

    def test_half_closed_and_silent(self) -> None:
        """A second half that says nothing for C{half_close_timeout} is ended."""
        app, target = self.join()
        app.wire.loseWriteConnection()
        self.network.advance(59)
        self.assertIsNone(target.lost)
        self.network.advance(20)
        self.assertIsNotNone(app.lost)
        target.wire.write(b"too late")
        self.network.flush()
        self.assertIsNotNone(target.lost)
        self.assertEqual(app.received, b"")
        self.assertOver()

    def test_app_resets(self) -> None:
        """A reset of the app is one for the target, after what came before it."""
        app, target = self.join()
        app.wire.write(b"x" * MIB)
        self.network.flush()
        app.wire.abortConnection()
        self.network.advance(1)
        self.assertEqual(len(target.received), MIB)
        self.assertFalse(target.read_ended)
        self.assertLost(target, ConnectionLost)
        self.assertOver()

    def test_target_resets(self) -> None:
        """The same the other way round."""
        app, target = self.join()
        target.wire.write(b"answer")
        self.network.flush()
        target.wire.abortConnection()
        self.network.advance(1)
        self.assertEqual((app.received, app.read_ended), (b"answer", False))
        self.assertLost(app, ConnectionLost)
        self.assertOver()
        self.assertIn("ended by target in data (connection broken)", self.endings[0])

    def test_any_leg_cut(self) -> None:
        """A cut anywhere between them is a reset for both."""
        for leg in range(4):
            app, target = self.join()
            self.network.connections[1 + leg].cut()
            self.network.advance(1)
            for end in (app, target):
                self.assertIsNotNone(end.lost, leg)
                self.assertFalse(end.read_ended, leg)
            self.assertOver()

    def test_any_leg_silent(self) -> None:
        """A leg that falls silent is noticed by both within C{dead_after} (T19)."""
        for leg in (1, 2):
            app, target = self.join()
            tunnel_legs = [c for c in self.network.connections if c.port == 443][1:]
            tunnel_legs[leg - 1].silence()
            self.network.advance(61)
            for end in (app, target):
                self.assertIsNotNone(end.lost, leg)
            self.assertOver(30)

    # --- refusals ---

    def test_target_refuses(self) -> None:
        """A target that is down resets the app at once; the log says why, once."""
        self.network.faults.refuse("db.corp", 1433)
        app = self.dial()
        self.assertIsNotNone(app.lost)
        warnings = [
            formatEvent(event)
            for event in self.events
            if event["log_level"].name == "warn"
        ]
        self.assertEqual(len(warnings), 1)
        self.assertIn("502 target db.corp:1433 refused the connection", warnings[0])
        self.assertIn("tracking id", warnings[0])
        self.assertOver()

    def test_control_channel_lost(self) -> None:
        """Tunnels outlive the control channel they came by (F3)."""
        app, target = self.join()
        self.network.connections[0].cut()
        self.network.advance(5)
        app.wire.write(b"still here")
        self.network.flush()
        self.assertEqual(target.received, b"still here")
        self.assertIsNotNone(self.dial())
        self.assertEqual(len(self.targets), 2)

    def test_listener_stops(self) -> None:
        """Tunnels may finish; then both ends are reset, and new apps refused."""
        app, target = self.join()
        stopped = self.listener.stopService()
        self.network.flush()
        app.wire.write(b"still here")
        self.network.flush()
        self.assertEqual(target.received, b"still here")
        self.network.advance(11)
        self.successResultOf(stopped)
        self.assertLost(app, ConnectionLost)
        self.assertLost(target, ConnectionLost)
        self.assertIsNotNone(self.dial().lost)
        self.assertEqual(self.network.connections, ())

    def test_sender_stops(self) -> None:
        """C{close_all} resets the app, and the target behind it."""
        app, target = self.join()
        self.forward.close_all()
        self.network.advance(1)
        self.assertLost(app, ConnectionLost)
        self.assertLost(target, ConnectionLost)
        self.assertOver()

    def test_many(self) -> None:
        """Fifty tunnels at once do not disturb each other."""
        pairs = [self.join() for _ in range(50)]
        for number, (app, target) in enumerate(pairs):
            app.wire.write(b"%d" % number)
            target.wire.write(b"-%d" % number)
        self.network.flush()
        for number, (app, target) in enumerate(pairs):
            self.assertEqual(target.received, b"%d" % number)
            self.assertEqual(app.received, b"-%d" % number)
            app.wire.loseConnection()
            target.wire.loseConnection()
        self.assertOver()
