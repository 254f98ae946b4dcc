"""Senders that say which target they want, from app to target."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Factory

from hybridconn.config.addresses import Target, parse_target
from hybridconn.config.sender import SpareTunnels
from hybridconn.core.allow_list import AllowedTarget
from hybridconn.core.targets import TARGET_HEADER, TargetRules
from hybridconn.listener import ForwardConnector, HybridConnectionListener
from hybridconn.sender import LocalForward
from hybridconn.testing import MemoryRelay, one_protocol
from tests.listener.scene import LogTestCase
from tests.sender.test_whole_way import End

ONE, TWO = "one.apps.corp:443", "two.apps.corp:443"


class Named(End):
    """
    A target.

    @ivar name: by which it was dialled.
    """

    name = ""


class WantedTestCase(LogTestCase):
    """A relay, and targets that know by which name they were reached."""

    def setUp(self) -> None:
        super().setUp()
        self.relay = MemoryRelay(["apps"])
        self.network = self.relay.network
        self.targets: list[Named] = []
        self.apps = 0
        self.listener: HybridConnectionListener | None = None
        self.forward: LocalForward | None = None
        for place in (ONE, TWO, "db.corp:1433"):
            host, _, port = place.partition(":")
            self.network.listen(host, int(port), self.target_factory(place))

    def target_factory(self, name: str) -> Any:
        def build(addr: Any) -> Named:
            made = Named()
            made.name = name
            self.targets.append(made)
            return made

        factory: Any = Factory()
        factory.noisy = False
        factory.buildProtocol = build
        return factory

    def endpoint(self, target: Target) -> Any:
        assert target.host_port is not None
        place = target.host_port
        return self.network.client_endpoint(place.host, place.port)

    def listen(
        self, *targets: str, heeds: bool = True, reuse: bool = True, **more: Any
    ) -> HybridConnectionListener:
        """A listener for these; without any, for C{db.corp:1433} alone."""
        connector = ForwardConnector(
            lambda: parse_target("db.corp:1433"),
            "apps",
            self.relay.clock,
            endpoint=self.endpoint,
            rules=TargetRules(map(AllowedTarget.parse, targets)) if targets else None,
        )
        self.listener = self.relay.listener(
            "apps", connector, heeds_targets=heeds, reuse=reuse, **more
        )
        self.listener.startService()
        self.network.flush()
        return self.listener

    def sender(self, wanted: str = "", many: bool = True, **spares: Any) -> None:
        self.forward = LocalForward(
            self.relay.connector("apps"), SpareTunnels(**spares), wanted, many
        )

    def dial(self, wanted: str, data: bytes = b"") -> End:
        """An app connects to where its connections want this."""
        assert self.forward is not None
        self.apps += 1
        host = f"app-{self.apps}.test"
        self.network.listen(host, 1, self.forward.toward(wanted))
        app = End()
        self.network.client_endpoint(host, 1).connect(one_protocol(app))
        self.network.flush()
        if data:
            app.wire.write(data)
            self.network.flush()
        return app

    def talk(self, wanted: str) -> None:
        """A whole connection, to the right target."""
        app = self.dial(wanted, b"for " + wanted.encode())
        target = self.targets[-1]
        self.assertEqual(target.name, wanted)
        self.assertEqual(target.received, b"for " + wanted.encode())
        target.wire.write(b"from " + wanted.encode())
        self.network.flush()
        self.assertEqual(app.received, b"from " + wanted.encode())
        app.wire.loseWriteConnection()
        self.network.flush()
        target.wire.loseConnection()
        self.network.flush()
        self.assertTrue(app.read_ended)

    def assertReached(self, name: str) -> None:
        """A greeting came to this target."""
        self.assertEqual(self.targets[-1].name, name)
        self.assertEqual(self.targets[-1].received, b"hello")

    def assertRefused(self, app: End, *words: str) -> None:
        self.assertIsNotNone(app.lost)
        self.assertEqual(app.received, b"")
        for word in words:
            self.assertTrue(any(word in line for line in self.lines), word)

    @property
    def ready(self) -> int:
        assert self.forward is not None
        return len(self.forward.pool.ready)

    def tearDown(self) -> None:
        if self.forward is not None:
            self.forward.close_all()
        if self.listener is not None:
            self.listener.stopService()
        self.network.advance(10)
        self.relay.stop()
        super().tearDown()


class ManyTests(WantedTestCase):
    """A listener with many targets."""

    def test_each_its_own(self) -> None:
        """Tunnels of one pool go to whatever is wanted, one after the other."""
        self.listen("*.apps.corp:443", "db.corp:1433")
        self.sender()
        for _ in range(3):
            for wanted in (ONE, TWO, "db.corp:1433"):
                self.talk(wanted)
                self.assertEqual(self.ready, 3)

    def test_without_reuse(self) -> None:
        """So do tunnels for one connection, whichever side wants it so."""
        for listener, most in ((False, 64), (True, 0)):
            self.listen("*.apps.corp:443", reuse=listener)
            self.sender(least=0, most=most)
            self.talk(ONE)
            self.talk(TWO)
            self.assertEqual(self.ready, 0)
            assert self.listener is not None
            self.listener.stopService()
            self.network.advance(10)

    def test_forward(self) -> None:
        """A local port may want one target for all that comes by it."""
        self.listen("*.apps.corp:443")
        self.sender(TWO, many=False)
        self.dial("", b"hello")
        self.assertEqual(self.targets[-1].name, TWO)

    def test_not_listed(self) -> None:
        """What is not listed is refused, with words on both sides, and not dialled."""
        self.listen("*.apps.corp:443")
        self.sender()
        app = self.dial("db.corp:1433", b"hello")
        words = "403 db.corp:1433 is not in targets of the listener"
        self.assertRefused(app, words, "apps: refused")
        self.assertEqual(self.targets, [])

    def test_not_listed_on_a_tunnel(self) -> None:
        """So it is on a tunnel that carried others, which goes on."""
        self.listen("*.apps.corp:443")
        self.sender()
        self.talk(ONE)
        app = self.dial("db.corp:1433", b"hello")
        self.assertRefused(app, "403 db.corp:1433 is not in targets")
        self.assertEqual([one.name for one in self.targets], [ONE])
        self.talk(TWO)

    def test_nothing_wanted(self) -> None:
        """Who does not say what it wants is told how to."""
        self.listen("*.apps.corp:443")
        self.sender(many=False)
        app = self.dial("", b"hello")
        self.assertRefused(app, "400 This listener serves many targets", TARGET_HEADER)

    def test_bad(self) -> None:
        """What is no host and port is refused as that."""
        self.listen("*.apps.corp:443")
        self.sender()
        self.assertRefused(self.dial("0x7f.1:443"), "400 What is wanted", "a number")

    def test_ahead(self) -> None:
        """No target is reached before it is known which."""
        self.listen("*.apps.corp:443", dial_ahead=True)
        self.sender()
        self.talk(ONE)
        self.network.advance(3)
        self.assertEqual([one.name for one in self.targets], [ONE])

    def test_foreign_sender(self) -> None:
        """Who says it in the header alone, without our sub-protocols, is served."""
        self.listen("*.apps.corp:443")
        endpoint = self.relay.client_endpoint("apps", headers={TARGET_HEADER: TWO})
        app = End()
        endpoint.connect(one_protocol(app))
        self.network.flush()
        app.wire.write(b"hello")
        self.network.flush()
        self.assertReached(TWO)

    def test_endpoint(self) -> None:
        """An endpoint for Twisted's protocols wants a target, too."""
        self.listen("*.apps.corp:443")
        app = End()
        self.relay.client_endpoint("apps", target=ONE).connect(one_protocol(app))
        self.network.flush()
        app.wire.write(b"hello")
        self.network.flush()
        self.assertReached(ONE)


class StrictTests(WantedTestCase):
    """Peers that do what was not agreed on."""

    def test_target_on_a_plain_tunnel(self) -> None:
        """Nothing may be wanted on a tunnel whose kind does not say so."""
        self.listen()
        self.sender(many=False, least=0)
        self.dial("").wire.loseConnection()
        self.network.flush()
        self.targets.pop().wire.loseConnection()
        self.network.flush()
        self.assertEqual(self.ready, 1)
        app = self.dial("db.corp:1433", b"hello")
        self.assertIsNotNone(app.lost)
        self.assertEqual(self.targets, [])


class BrokenTests(WantedTestCase):
    """A listener with a mistake in its program."""

    def test_told(self) -> None:
        """The sender is told that it failed, and its log has why."""
        self.patch(self, "endpoint", lambda target: 1 / 0)
        self.listen()
        self.sender(many=False)
        self.assertRefused(self.dial("", b"hello"), "502 The listener failed")
        self.assertLogged("apps: failed to serve a sender")
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class OneTests(WantedTestCase):
    """Listeners with one target."""

    def test_the_very_one(self) -> None:
        """A sender that wants it by name has it."""
        self.listen()
        self.sender()
        self.talk("db.corp:1433")
        self.assertEqual(self.ready, 3)

    def test_another(self) -> None:
        """One that wants another is refused, at first and later."""
        self.listen()
        self.sender()
        self.assertRefused(self.dial(ONE, b"hello"), f"which is not {ONE}")
        self.assertEqual(self.targets, [])
        self.talk("db.corp:1433")
        self.assertRefused(self.dial(TWO, b"hello"), f"which is not {TWO}")
        self.assertEqual(len(self.targets), 1)

    def test_old_listener(self) -> None:
        """One that knows nothing of it gets no byte; the log says how to mend it."""
        for reuse in (True, False):
            self.listen(heeds=False, reuse=reuse)
            self.sender()
            app = self.dial("db.corp:1433", b"secret of another target")
            self.assertRefused(app, "serves one target only", "have none wanted here")
            self.assertEqual([one.received for one in self.targets], [b""])
            self.targets.clear()
            assert self.listener is not None
            self.listener.stopService()
            self.network.advance(10)

    def test_plain(self) -> None:
        """Senders that want nothing go on as ever, with the same sub-protocols."""
        seen: list[str | None] = []

        self.listen()
        assert self.listener is not None
        self.patch(
            self.listener,
            "accept_requested",
            lambda accept: seen.append(accept.header("Sec-WebSocket-Protocol")),
        )
        self.sender(many=False)
        self.dial("", b"hello")
        self.assertEqual(self.targets[-1].received, b"hello")
        self.assertEqual(seen, ["hybridconn.stream,hybridconn.reuse.v1"])
