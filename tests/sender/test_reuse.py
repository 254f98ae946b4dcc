"""Tunnels that carry one connection after the other, from app to target."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.protocol import Factory
from twisted.internet.task import deferLater

from hybridconn.config.addresses import Target, parse_target
from hybridconn.config.sender import SpareTunnels
from hybridconn.core.commands import Accept
from hybridconn.core.reuse import Opening
from hybridconn.listener import ForwardConnector, HybridConnectionListener, Reject
from hybridconn.sender import LocalForward
from hybridconn.testing import MemoryRelay, one_protocol
from hybridconn.websocket.reuse import HOLD
from tests.listener.scene import LogTestCase
from tests.sender.test_whole_way import End


class Slow:
    """An endpoint that takes seven seconds."""

    def __init__(self, near: Any, clock: Any) -> None:
        self.near = near
        self.clock = clock

    def connect(self, factory: Any) -> Any:
        return deferLater(self.clock, 7, self.near.connect, factory)


class ReuseTestCase(LogTestCase):
    """Every role is the real one; only sockets and time are not."""

    dial_ahead = False
    reuse = True
    connector_timeout = 70.0

    def setUp(self) -> None:
        super().setUp()
        self.relay = MemoryRelay(["db"])
        self.network = self.relay.network
        self.targets: list[End] = []
        self.serve()
        self.listener = self.listen()
        self.forward = self.sender()
        self.network.flush()

    def serve(self) -> None:
        """The target is up."""
        targets: Any = Factory()
        targets.noisy = False
        targets.buildProtocol = self.build
        self.port = self.network.listen("db.corp", 1433, targets)

    def listen(self, **more: Any) -> HybridConnectionListener:
        """A listener."""
        connector = ForwardConnector(
            lambda: succeed(parse_target("db.corp:1433")),
            "db",
            self.relay.clock,
            endpoint=lambda target: self.endpoint(target),
        )
        settings = {"reuse": self.reuse, "dial_ahead": self.dial_ahead} | more
        listener = self.relay.listener("db", connector, **settings)
        listener.startService()
        return listener

    def sender(self, **spares: Any) -> LocalForward:
        """A local port."""
        connector = self.relay.connector("db")
        connector.timeout = self.connector_timeout
        forward = LocalForward(connector, SpareTunnels(**spares))
        self.local = self.network.listen("app.test", 0, forward).getHost().port
        return forward

    def build(self, addr: Any) -> End:
        self.targets.append(End())
        return self.targets[-1]

    def endpoint(self, target: Target) -> Any:
        return self.network.client_endpoint("db.corp", 1433)

    def dial(self, data: bytes = b"") -> End:
        """An app connects, and may say something at once."""
        app = End()
        endpoint = self.network.client_endpoint("app.test", self.local)
        endpoint.connect(one_protocol(app))
        self.network.flush()
        if data:
            app.wire.write(data)
            self.network.flush()
        return app

    def talk(self, question: bytes = b"question") -> End:
        """A whole connection, closed by both sides; returns its target."""
        app = self.dial(question)
        (target,) = [
            t for t in self.targets if t.lost is None and t.received == question
        ]
        target.wire.write(b"answer to " + question)
        self.network.flush()
        self.assertEqual(app.received, b"answer to " + question)
        app.wire.loseWriteConnection()
        self.network.flush()
        self.assertTrue(target.read_ended)
        target.wire.loseConnection()
        self.network.flush()
        self.assertTrue(app.read_ended)
        return target

    @property
    def ready(self) -> int:
        return len(self.forward.pool.ready)

    @property
    def wires(self) -> int:
        """Connections at the relay but the control channel."""
        return len([c for c in self.network.connections if c.port == 443]) - 1

    @property
    def endings(self) -> list[str]:
        return [line for line in self.lines if " ended by " in line]

    def tearDown(self) -> None:
        self.forward.close_all()
        self.listener.stopService()
        self.network.advance(10)
        self.relay.stop()
        super().tearDown()


class ReuseTests(ReuseTestCase):
    """One connection after the other."""

    def test_ready(self) -> None:
        """Nothing is opened before the first connection, two are ready after it."""
        self.assertEqual((self.ready, self.wires), (0, 0))
        self.dial()
        self.assertEqual((self.ready, self.wires), (2, 6))
        self.assertEqual(len(self.targets), 1)

    def test_used_again(self) -> None:
        """Ten connections have the tunnels of one, and each its own target."""
        for number in range(10):
            self.talk(b"%d" % number)
        self.assertEqual(len(self.targets), 10)
        self.assertEqual((self.ready, self.wires), (3, 6))
        self.assertEqual(len(self.endings), 20)
        ids = {line.split("tracking id")[1] for line in self.endings}
        self.assertEqual(len(ids), 10)
        self.network.advance(1)
        for target in self.targets:
            self.assertIsNotNone(target.lost)

    def test_one_round_trip(self) -> None:
        """What the app says goes out with the opening, before any answer."""
        self.talk()
        self.network.faults.delay = 0.1
        app = End()
        endpoint = self.network.client_endpoint("app.test", self.local)
        endpoint.connect(one_protocol(app))
        self.network.advance(0.1)
        app.wire.write(b"question")
        # App to sender, two to the listener, two for target and question.
        for _ in range(6):
            self.network.advance(0.1)
        self.assertEqual(self.targets[-1].received, b"question")

    def test_target_speaks_first(self) -> None:
        """The app gets a greeting without having said anything."""
        self.talk()
        app = self.dial()
        self.network.advance(HOLD)
        self.targets[-1].wire.write(b"220 hello")
        self.network.flush()
        self.assertEqual(app.received, b"220 hello")

    def test_at_once(self) -> None:
        """More connections than are ready have tunnels too; all are kept."""
        apps = [self.dial(b"%d" % number) for number in range(9)]
        self.assertEqual(
            [t.received for t in self.targets], [b"%d" % n for n in range(9)]
        )
        for app, target in zip(apps, self.targets, strict=True):
            app.wire.loseConnection()
            target.wire.loseConnection()
        self.network.flush()
        self.assertEqual(self.ready, self.wires / 2)
        self.assertGreaterEqual(self.ready, 9)
        self.network.advance(70)
        self.assertEqual((self.ready, self.wires), (2, 4))

    def test_half_close(self) -> None:
        """The target may go on after the app's end, on a used tunnel as well."""
        self.talk()
        app = self.dial(b"question")
        target = self.targets[-1]
        app.wire.loseWriteConnection()
        self.network.flush()
        self.assertTrue(target.read_ended)
        target.wire.write(b"x" * 300_000)
        target.wire.loseConnection()
        self.network.flush()
        self.assertEqual((app.received, app.read_ended), (b"x" * 300_000, True))

    def test_refused(self) -> None:
        """A refusal resets the app, the log says why, the tunnel stays."""
        self.talk()
        self.port.stopListening()
        for data in (b"", b"question"):
            app = self.dial(data)
            self.network.advance(HOLD)
            assert app.lost is not None
            self.assertTrue(app.lost.check(ConnectionLost))
            self.assertLogged(
                "no tunnel for", "502 target db.corp:1433 refused the connection"
            )
            self.assertEqual((self.ready, self.wires), (3, 6))
        self.assertEqual(len(self.endings), 2)
        self.serve()
        self.talk()
        self.assertEqual(self.wires, 6)

    def test_app_resets(self) -> None:
        """A reset breaks the tunnel with it, and the target hears of it."""
        self.talk()
        app = self.dial(b"question")
        target = self.targets[-1]
        app.wire.abortConnection()
        self.network.flush()
        assert target.lost is not None
        self.assertTrue(target.lost.check(ConnectionLost))
        self.assertEqual((self.ready, self.wires), (2, 4))

    def test_target_resets(self) -> None:
        """So it is the other way round."""
        self.talk()
        app = self.dial(b"question")
        self.targets[-1].wire.abortConnection()
        self.network.flush()
        assert app.lost is not None
        self.assertTrue(app.lost.check(ConnectionLost))
        self.assertEqual((self.ready, self.wires), (2, 4))

    def test_app_leaves_at_once(self) -> None:
        """An app that is gone before its target is there leaves nothing behind."""
        self.talk()
        self.network.faults.delay = 0.5
        app = End()
        self.network.client_endpoint("app.test", self.local).connect(one_protocol(app))
        self.network.advance(0.6)
        app.wire.abortConnection()
        self.network.advance(20)
        self.assertEqual(self.forward.joints, set())
        self.assertEqual(self.listener.tunnels, 0)

    def test_old(self) -> None:
        """After C{max_age} a tunnel is not used again."""
        self.talk()
        before = set(self.forward.pool.ready)
        self.network.advance(601)
        self.assertEqual(before & set(self.forward.pool.ready), set())
        self.assertEqual(self.ready, 2)
        self.talk()

    def test_backpressure(self) -> None:
        """An app that reads nothing holds up the target, on a used tunnel too."""
        self.talk()
        app = self.dial(b"question")
        app.wire.pauseProducing()
        target = self.targets[-1]
        for _ in range(64):
            target.wire.write(b"x" * 65536)
        self.network.flush()
        self.assertEqual(app.received, b"")
        app.wire.resumeProducing()
        self.network.flush()
        self.assertEqual(len(app.received), 64 * 65536)

    def test_listener_stops(self) -> None:
        """Its tunnels that are ready end with it."""
        self.talk()
        self.listener.stopService()
        self.network.advance(6)
        self.assertEqual(self.ready, 0)
        self.assertEqual(self.wires, -1)
        app = self.dial(b"question")
        self.assertIsNotNone(app.lost)

    def test_sender_stops(self) -> None:
        """So do the sender's."""
        self.talk()
        self.forward.close_all()
        self.network.advance(1)
        self.assertEqual(self.wires, 0)


class DrainTests(ReuseTestCase):
    """The sender's stop."""

    def test_nothing_open(self) -> None:
        """What is only ready ends at once."""
        self.talk()
        self.successResultOf(self.forward.drain(5.0))
        self.network.advance(1)
        self.assertEqual(self.wires, 0)

    def test_in_time(self) -> None:
        """A connection that ends by itself is not disturbed."""
        app = self.dial(b"question")
        drained = self.forward.drain(5.0)
        self.network.advance(4)
        self.assertNoResult(drained)
        self.targets[-1].wire.write(b"answer")
        self.network.flush()
        self.assertEqual(app.received, b"answer")
        app.wire.loseConnection()
        self.targets[-1].wire.loseConnection()
        self.network.advance(1)
        self.successResultOf(drained)
        self.assertLogged("ended by app in close")

    def test_too_late(self) -> None:
        """One that goes on is closed with 1001, and its app reset."""
        app = self.dial(b"question")
        drained = self.forward.drain(5.0)
        self.network.advance(5)
        self.successResultOf(drained)
        assert app.lost is not None
        self.assertTrue(app.lost.check(ConnectionLost))
        self.assertLogged("1001 the sender stops")


class DeadTests(ReuseTestCase):
    """Tunnels that are ready and dead."""

    def test_silent_listener(self) -> None:
        """No reaction in time: another tunnel, if the app has said nothing yet."""
        self.talk()
        for carrier in self.forward.pool.ready:
            self.patch(carrier.socket, "send_pieces", lambda pieces: None)
        app = self.dial()
        self.assertIsNone(app.lost)
        self.network.advance(15)
        self.assertIsNone(app.lost)
        app.wire.write(b"question")
        self.network.flush()
        self.assertEqual(self.targets[-1].received, b"question")

    def test_nothing_twice(self) -> None:
        """If it has, its connection breaks: nothing is ever sent twice."""
        self.talk()
        for carrier in self.forward.pool.ready:
            self.patch(carrier.socket, "send_pieces", lambda pieces: None)
        app = self.dial(b"question")
        self.network.advance(3)
        assert app.lost is not None
        self.assertTrue(app.lost.check(ConnectionLost))
        self.assertEqual(len(self.targets), 1)

    def test_slow_target(self) -> None:
        """A target that takes its time is no dead listener."""
        self.talk()
        near = self.endpoint(parse_target("db.corp:1433"))
        self.patch(self, "endpoint", lambda _: Slow(near, self.relay.clock))
        app = self.dial(b"question")
        self.network.advance(8)
        self.assertIsNone(app.lost)
        self.assertEqual([t.received for t in self.targets[1:]], [b"question"])

    def never_decide(self) -> None:
        """The listener says that it takes longer, and then nothing more."""
        self.patch(self.listener, "accept_requested", lambda accept: Deferred())

    def test_longer_and_longer(self) -> None:
        """
        One that says so has no more time than a new tunnel: then the app's connection
        breaks, and the log says why.
        """
        self.talk()
        self.never_decide()
        app = self.dial()
        self.network.advance(69)
        self.assertIsNone(app.lost)
        self.network.advance(5)
        assert app.lost is not None
        self.assertTrue(app.lost.check(ConnectionLost))
        self.assertLogged("no tunnel for", "did not reach its target in 70 s")

    def test_longer_in_use(self) -> None:
        """So it is for an app that has said something already."""
        self.connector_timeout = 20.0
        self.forward.close_all()
        self.forward = self.sender()
        self.network.flush()
        self.talk()
        self.never_decide()
        app = self.dial(b"question")
        self.network.advance(19)
        self.assertIsNone(app.lost)
        self.network.advance(5)
        self.assertIsNotNone(app.lost)
        self.assertLogged("no tunnel for", "did not reach its target in 20 s")

    def test_longer_again(self) -> None:
        """Saying so again gains no time, and such a tunnel is not used again."""
        self.talk()
        self.never_decide()
        carrier = self.forward.pool.ready[0]
        app = self.dial()
        for _ in range(7):
            self.network.advance(10)
            carrier.message_received(Opening())
        self.network.advance(5)
        self.assertIsNotNone(app.lost)
        self.assertNotIn(carrier, self.forward.pool.ready)


class PlainTests(ReuseTestCase):
    """Where the other side, or the user, does not want it."""

    reuse = False

    def test_other_listener(self) -> None:
        """A listener that does not know it gets plain tunnels, one by one."""
        for _ in range(3):
            self.talk()
            self.assertEqual((self.ready, self.wires), (0, 0))

    def test_other_sender(self) -> None:
        """So does a sender that does not ask for it."""
        self.forward.close_all()
        self.listener.stopService()
        self.network.advance(6)
        self.listener = self.listen(reuse=True)
        self.forward = self.sender(most=0)
        self.network.flush()
        for _ in range(3):
            self.talk()
            self.assertEqual((self.ready, self.wires), (0, 0))

    def test_mixed(self) -> None:
        """After a listener that does not know it nothing is opened ahead."""
        self.forward.close_all()
        self.forward = self.sender(least=2)
        ours = self.listen(reuse=True)
        self.addCleanup(self.network.advance, 10)
        self.addCleanup(ours.stopService)
        self.network.flush()
        for _ in range(20):
            self.talk()
            dialled = len(self.targets)
            self.network.advance(60)
            self.assertEqual(len(self.targets), dialled)


class AheadTests(ReuseTestCase):
    """With C{dial_ahead} the target is there before the connection is."""

    dial_ahead = True

    def test_reached(self) -> None:
        """Each tunnel that is ready has its target, and it is the one used."""
        self.talk()
        self.assertEqual(len(self.targets), 4)
        app = self.dial(b"question")
        self.assertEqual([t.received for t in self.targets].count(b"question"), 2)
        self.assertIsNone(app.lost)

    def test_target_went(self) -> None:
        """One that went away meanwhile is reached anew."""
        self.talk()
        for target in self.targets[1:]:
            target.wire.loseConnection()
        self.network.flush()
        before = len(self.targets)
        self.dial(b"again")
        self.assertIn(b"again", [t.received for t in self.targets[before:]])

    def test_nothing_left(self) -> None:
        """Targets that were never used are let go with the tunnel."""
        self.talk()
        self.forward.close_all()
        self.network.advance(10)
        self.assertEqual([t for t in self.targets if t.lost is None], [])


class DecisionTests(ReuseTestCase):
    """A listener of one's own decides on each connection."""

    def test_each_connection(self) -> None:
        """L{HybridConnectionListener.accept_requested} is asked each time."""
        asked: list[str] = []

        def decide(accept: Accept) -> None:
            asked.append(accept.id)
            if len(asked) == 3:
                raise Reject(403, "not you")

        self.patch(self.listener, "accept_requested", decide)
        self.talk()
        self.talk()
        app = self.dial(b"question")
        assert app.lost is not None
        self.assertLogged("no tunnel for", "403 not you")
        self.assertEqual(len(set(asked)), 3)
