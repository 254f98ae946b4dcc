"""Local ports whose connections go through a hybrid connection."""

from __future__ import annotations

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IProtocolFactory
from twisted.logger import formatEvent
from zope.interface.verify import verifyObject

from hybridconn.sender.forward import LocalForward
from hybridconn.testing.ws_peer import WsPeer, one_protocol
from tests.sender.scene import SenderTestCase
from tests.websocket.test_joint import App


class ForwardTests(SenderTestCase):
    """Apps that connect to the port."""

    def setUp(self) -> None:
        super().setUp()
        self.forward = LocalForward(self.connector)
        self.network.listen("127.0.0.1", 15432, self.forward)

    def dial(self) -> App:
        """An app connects."""
        app = App()
        endpoint = self.network.client_endpoint("127.0.0.1", 15432)
        endpoint.connect(one_protocol(app))
        self.network.flush()
        return app

    def tunnel(self) -> tuple[App, WsPeer]:
        """An app and its listener, joined."""
        self.listen()
        app = self.dial()
        there = self.accept()
        self.assertEqual(there.status, 101)
        return app, there

    def assertReset(self, app: App) -> None:
        assert app.lost is not None
        self.assertTrue(app.lost.check(ConnectionLost))
        self.assertFalse(app.read_ended)
        self.assertEqual(self.forward.joints, set())

    def tearDown(self) -> None:
        self.forward.close_all()
        super().tearDown()

    def test_interface(self) -> None:
        """It is a protocol factory, and says nothing when it starts."""
        self.assertTrue(verifyObject(IProtocolFactory, self.forward))
        self.assertEqual(self.lines, [])

    def test_joined(self) -> None:
        """Bytes both ways, both halves end, one line tells of it."""
        app, there = self.tunnel()
        app.wire.write(b"question")
        self.network.flush()
        self.assertEqual(there.messages, [b"question"])
        there.binary(b"answer")
        there.close(1000)
        self.network.flush()
        self.assertEqual((app.received, app.read_ended), (b"answer", True))
        app.wire.loseConnection()
        self.network.flush()
        self.assertEqual(there.close_frame, (1000, "Shutdown"))
        self.assertEqual(self.forward.joints, set())
        (line,) = [formatEvent(e) for e in self.events if "ended_by" in e]
        self.assertIn("hyco: tunnel from 192.0.2.1:", line)
        self.assertIn("to relay.test ended by listener in close", line)
        self.assertIn("8 bytes from the app, 6 bytes from the listener", line)
        self.assertIn(self.accepts[0]["id"], line)

    def test_each_its_own(self) -> None:
        """Every connection has its own tunnel and tracking id."""
        self.listen()
        apps = [self.dial() for _ in range(5)]
        ids = {accept["id"] for accept in self.accepts}
        self.assertEqual((len(ids), len(self.forward.joints)), (5, 5))
        self.assertEqual([app.lost for app in apps], [None] * 5)

    def test_early_data(self) -> None:
        """What the app sends before there is a tunnel is kept, and its end too."""
        self.listen()
        app = self.dial()
        app.wire.write(b"early")
        app.wire.loseWriteConnection()
        self.network.flush()
        there = self.accept()
        self.assertEqual(there.messages, [b"early"])
        self.assertEqual(there.close_frame, (1000, "Shutdown"))
        there.binary(b"answer")
        self.network.flush()
        self.assertEqual(app.received, b"answer")

    def test_refused(self) -> None:
        """No tunnel: the app is reset at once, the log has reason and id."""
        app = self.dial()
        self.assertReset(app)
        self.assertLogged(
            "hyco: no tunnel for 192.0.2.1:",
            "404 There are no listeners connected",
            "TrackingId:",
        )

    def test_rejected(self) -> None:
        """The listener's words are in the log, with the tracking id."""
        self.listen()
        app = self.dial()
        self.accept("&sb-hc-statusCode=502&sb-hc-statusDescription=target+is+down")
        self.assertReset(app)
        self.assertLogged("502 target is down, tracking id", self.accepts[0]["id"])

    def test_no_relay(self) -> None:
        """So it is where the relay cannot be reached."""
        self.network.faults.refuse("relay.test", 443)
        self.assertReset(self.dial())
        self.assertLogged("no tunnel for", "the connection was refused")

    def test_app_leaves_early(self) -> None:
        """An app that goes away meanwhile takes its dial with it, without a word."""
        self.listen()
        app = self.dial()
        app.wire.abortConnection()
        self.network.flush()
        self.assertEqual(self.forward.joints, set())
        self.assertEqual(self.accept().status, 403)
        self.assertFalse([line for line in self.lines if "no tunnel" in line])

    def test_app_leaves_while_dialling(self) -> None:
        """At whatever stage of the dial."""
        self.listen()
        self.network.faults.delay = 0.5
        for wait in (0.6, 1.1, 1.6, 2.1):
            app = self.dial()
            self.network.advance(wait)
            app.wire.abortConnection()
            self.network.advance(30)
            self.assertEqual(self.forward.joints, set())
        self.assertFalse([line for line in self.lines if "no tunnel" in line])

    def test_reset_by_listener(self) -> None:
        """A tunnel that breaks is a reset for the app."""
        app, there = self.tunnel()
        there.binary(b"last")
        there.hang_up()
        self.network.flush()
        self.assertEqual(app.received, b"last")
        self.assertReset(app)

    def test_reset_by_app(self) -> None:
        """An app that resets breaks the tunnel."""
        app, there = self.tunnel()
        app.wire.abortConnection()
        self.network.flush()
        self.assertIsNone(there.close_frame)
        self.assertIsNotNone(there.lost)

    def test_close_all(self) -> None:
        """All that is open ends, joined or not."""
        app, there = self.tunnel()
        waiting = self.dial()
        self.forward.close_all()
        self.network.flush()
        self.assertEqual(there.close_frame, (1001, "the sender stops"))
        there.close(1001)
        self.network.advance(6)
        self.assertReset(app)
        self.assertReset(waiting)
