"""From the accept command to the tunnel, against a relay in memory."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from twisted.internet.defer import Deferred, succeed
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from hybridconn.config.addresses import parse_target
from hybridconn.core.commands import Accept
from hybridconn.core.entities import Claim
from hybridconn.interfaces import IDialer, ITargetConnector
from hybridconn.listener.forward import ForwardConnector
from hybridconn.listener.listener import HybridConnectionListener
from hybridconn.listener.reject import Reject
from hybridconn.listener.states import ChannelStatus
from hybridconn.testing.relay import MemoryRelay
from hybridconn.testing.ws_peer import WsPeer, one_protocol
from hybridconn.websocket.addresses import HybridConnectionAddress
from tests.listener.scene import CONNECTION, LogTestCase, RelayTestCase, refusal
from tests.websocket.test_joint import App


class Echo(Protocol):
    """Sends back what it gets."""

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.write(data)


class Listener(HybridConnectionListener):
    """Remembers what it was asked, and answers as it is told."""

    decision: Any = None
    subprotocol: str | None = "the usual one"

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.asked: list[Accept] = []
        self.told: list[str] = []

    def accept_requested(self, accept: Accept) -> Any:
        self.asked.append(accept)
        if isinstance(self.decision, Exception):
            raise self.decision
        return self.decision

    def choose_subprotocol(self, accept: Accept) -> str | None:
        usual = super().choose_subprotocol(accept)
        return usual if self.subprotocol == "the usual one" else self.subprotocol

    def online(self) -> None:
        self.told.append("online")

    def offline(self, reason: str) -> None:
        self.told.append(reason)


@implementer(ITargetConnector)
class Connector:
    """Reaches what it is told to reach."""

    def __init__(self) -> None:
        self.result: Any = None

    def connect(self, accept: Accept) -> Any:
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


class ListenerTestCase(LogTestCase):
    """A relay, a listener with a target, and room for senders."""

    drain_timeout: float | None = 5.0

    def setUp(self) -> None:
        super().setUp()
        self.relay = MemoryRelay(["hyco"])
        self.network = self.relay.network
        self.clock = self.network.clock
        self.app = App()
        self.apps: list[App] = []
        self.network.listen("db.corp", 1433, _AppFactory(self.apps))
        self.connector: Any = ForwardConnector(
            lambda: succeed(parse_target("db.corp:1433")),
            "hyco",
            self.clock,
            endpoint=self.endpoint,
        )
        self.listener = self.make()
        self.listener.startService()
        self.network.flush()

    def endpoint(self, target: Any) -> Any:
        place = target.host_port
        return self.network.client_endpoint(place.host, place.port)

    def make(self) -> Listener:
        return Listener(
            self.relay.parsed_connection_string("hyco", Claim.LISTEN),
            self.connector,
            self.relay.dialer("198.18.0.1"),
            self.clock,
            rng=lambda: 0.5,
            wall=self.relay.wall,
            drain_timeout=self.drain_timeout,
        )

    def use(self, connector: Any) -> None:
        """Begin again with another connector."""
        self.listener.stopService()
        self.network.advance(10)
        self.connector = connector
        self.listener = self.make()
        self.listener.startService()
        self.network.flush()

    def send(self, query: str = "", **headers: str) -> WsPeer:
        """A sender dials; what comes of it at once has happened."""
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        token = {"ServiceBusAuthorization": self.relay.token("hyco", Claim.SEND)}
        sender = WsPeer.client(
            f"/$hc/hyco?{query}sb-hc-action=connect", headers=token | fields
        )
        sender.dial(self.network, "relay.test", 443, secure=True)
        self.network.flush()
        return sender

    def tearDown(self) -> None:
        self.listener.stopService()
        self.network.advance(90)
        self.relay.stop()
        self.assertNothingSecret()
        self.assertEqual(self.network.connections, ())
        self.assertEqual(self.clock.getDelayedCalls(), [])


class _AppFactory(Factory):
    """Makes targets' ends."""

    noisy = False

    def __init__(self, apps: list[App]) -> None:
        self._apps = apps

    def buildProtocol(self, addr: Any) -> App:
        self._apps.append(App())
        return self._apps[-1]


def later() -> Deferred[Any]:
    """Something that is decided later."""
    return Deferred()


class TunnelTests(ListenerTestCase):
    """A sender is joined to the target."""

    def test_joined(self) -> None:
        """Bytes both ways, then the end, and one line about it all."""
        sender = self.send()
        self.assertEqual(sender.status, 101)
        sender.binary(b"question")
        self.network.flush()
        self.assertEqual(self.apps[0].received, b"question")
        self.apps[0].wire.write(b"answer")
        self.network.flush()
        self.assertEqual(sender.messages, [b"answer"])
        self.assertEqual(self.listener.tunnels, 1)
        self.apps[0].wire.loseConnection()
        sender.close(1000)
        self.network.flush()
        self.assertEqual(sender.close_frame, (1000, "Shutdown"))
        self.assertEqual(self.listener.tunnels, 0)
        accept = self.listener.asked[0]
        self.assertLogged(
            "hyco: tunnel from 192.0.2.1:", "to db.corp:1433 ended by", accept.id
        )

    def test_greeting(self) -> None:
        """A target that speaks first is heard first."""
        factory_app = App()
        factory_app.connectionMade = (  # type: ignore[method-assign]
            lambda: factory_app.wire.write(b"220 ready")
        )
        self.network.listen("smtp.corp", 25, one_protocol(factory_app))
        self.use(
            ForwardConnector(
                lambda: succeed(parse_target("smtp.corp:25")),
                "hyco",
                self.clock,
                endpoint=self.endpoint,
            )
        )
        self.assertEqual(self.send().messages, [b"220 ready"])

    def test_many(self) -> None:
        """Senders are served side by side."""
        senders = [self.send() for _ in range(20)]
        self.assertEqual({sender.status for sender in senders}, {101})
        self.assertEqual((self.listener.tunnels, len(self.apps)), (20, 20))

    def test_subprotocol(self) -> None:
        """The first one that the sender offers is chosen, as others do."""
        sender = self.send(Sec_WebSocket_Protocol="one, two")
        self.assertEqual(sender.headers["sec-websocket-protocol"], "one")
        self.assertNotIn("sec-websocket-protocol", self.send().headers)

    def test_own_subprotocol(self) -> None:
        """A subclass may choose another one, or none."""
        for chosen in ("two", None):
            self.listener.subprotocol = chosen
            sender = self.send(Sec_WebSocket_Protocol="one, two")
            self.assertEqual(sender.headers.get("sec-websocket-protocol"), chosen)

    def test_strange_subprotocol(self) -> None:
        """What is no name of a sub-protocol is passed over."""
        for header, chosen in (
            ("", None),
            (", ,", None),
            ("a b, c", "c"),
            ("a\r\nX: y, c", "c"),
        ):
            accept = Accept("wss://r/", "x", {"sec-websocket-protocol": header})
            self.assertEqual(self.listener.choose_subprotocol(accept), chosen)

    def test_dead_tunnel(self) -> None:
        """A tunnel whose relay vanishes silently is dropped, the target is reset."""
        self.send()
        self.assertEqual(self.listener.tunnels, 1)
        for connection in self.network.connections:
            if connection.client.getHost().host == "198.18.0.1":
                connection.silence()
        self.network.advance(61)
        self.assertEqual(self.listener.tunnels, 0)
        assert self.apps[0].lost is not None


class RefusalTests(ListenerTestCase):
    """A sender is refused, and learns why."""

    def assertRefused(self, sender: WsPeer, status: int, reason: str) -> None:
        self.assertEqual((sender.status, sender.reason), (status, reason))
        self.assertLogged("hyco: refused 192.0.2.1:", f": {status} {reason}")
        self.assertEqual(self.listener.tunnels, 0)
        self.assertIs(self.listener.status, ChannelStatus.ONLINE)
        # The relay's 410 is how it ought to be, and nothing to be told.
        self.assertFalse([line for line in self.lines if "may not know" in line])

    def test_target_down(self) -> None:
        """F8: the target refuses; so does the relay, with the reason."""
        self.network.faults.refuse("db.corp", 1433)
        words = "target db.corp:1433 refused the connection"
        self.assertRefused(self.send(), 502, words)

    def test_target_silent(self) -> None:
        """F8: a black hole is given up after C{target_timeout}."""
        self.network.faults.ignore("db.corp", 1433)
        sender = self.send()
        self.network.advance(9)
        self.assertEqual(sender.status, 0)
        self.network.advance(1)
        words = "target db.corp:1433 did not answer in time: 10 s"
        self.assertRefused(sender, 502, words)

    def test_decision(self) -> None:
        """C{accept_requested} refuses, at once or later; the target is not dialled."""
        self.listener.decision = Reject(403, "not you")
        self.assertRefused(self.send(), 403, "not you")
        self.listener.decision = waiting = later()
        sender = self.send(X_Who="me")
        self.assertEqual(sender.status, 0)
        waiting.errback(Reject(401, "say please & thank you + é"))
        self.network.flush()
        self.assertRefused(sender, 401, "say please & thank you + ?")
        self.assertEqual(self.apps, [])
        self.assertEqual(self.listener.asked[1].header("x-who"), "me")

    def test_allowed_later(self) -> None:
        """A Deferred that fires lets the sender in."""
        self.listener.decision = waiting = later()
        sender = self.send()
        waiting.callback(None)
        self.network.flush()
        self.assertEqual(sender.status, 101)

    def test_async_decision(self) -> None:
        """The hook may be a coroutine."""

        async def decide(accept: Accept) -> None:
            raise Reject(403, "not you")

        self.listener.accept_requested = decide  # type: ignore[method-assign]
        self.assertRefused(self.send(), 403, "not you")

    def test_bug(self) -> None:
        """A mistake in the hook is logged; the sender is told only that it failed."""
        self.listener.decision = KeyError("secret detail")
        self.assertRefused(self.send(), 502, "The listener failed")
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_sender_left(self) -> None:
        """A sender that goes meanwhile costs the target one short connection."""
        self.listener.decision = waiting = later()
        sender = self.send()
        sender.hang_up()
        self.network.flush()
        waiting.callback(None)
        self.network.flush()
        self.assertEqual(self.listener.tunnels, 0)
        self.assertLogged("no tunnel for 192.0.2.1:", "403")
        assert self.apps[0].lost is not None

    def test_rejected_too_late(self) -> None:
        """A rejection that finds nobody is logged."""
        self.listener.decision = waiting = later()
        sender = self.send()
        sender.hang_up()
        self.network.flush()
        waiting.errback(Reject(403, "not you"))
        self.network.flush()
        self.assertLogged("the sender may not know: 403")


class ConnectorTests(ListenerTestCase):
    """What a connector may give back."""

    def setUp(self) -> None:
        super().setUp()
        self.target = Connector()
        self.use(self.target)

    def test_protocol(self) -> None:
        """An app's protocol runs over the tunnel; its peer is the tunnel."""
        self.target.result = echo = Echo()
        sender = self.send()
        sender.binary(b"hello")
        self.network.flush()
        self.assertEqual(sender.messages, [b"hello"])
        assert echo.transport is not None
        tracking_id = self.listener.asked[0].id
        self.assertEqual(
            (echo.transport.getHost(), echo.transport.getPeer()),
            (
                HybridConnectionAddress("relay.test", "hyco"),
                HybridConnectionAddress("relay.test", "hyco", tracking_id),
            ),
        )

    def test_deferred_protocol(self) -> None:
        """It may come later."""
        self.target.result = waiting = later()
        sender = self.send()
        self.assertEqual(sender.status, 0)
        waiting.callback(Echo())
        self.network.flush()
        self.assertEqual(sender.status, 101)

    def test_rejects(self) -> None:
        """Connectors refuse as the hook does."""
        self.target.result = Reject(418, "no coffee")
        sender = self.send()
        self.assertEqual((sender.status, sender.reason), (418, "no coffee"))

    def test_fails(self) -> None:
        """Any other failure is 502, without its words."""
        self.target.result = OSError(2, "/etc/secret")
        sender = self.send()
        self.assertEqual((sender.status, sender.reason), (502, "The listener failed"))
        self.target.result = ZeroDivisionError()
        self.assertEqual(self.send().status, 502)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)


class StatusTests(ListenerTestCase):
    """What a person may see."""

    def test_changes(self) -> None:
        """Every change is told, with the reason."""
        self.assertEqual(self.listener.told, ["online"])
        self.assertIs(self.listener.status, ChannelStatus.ONLINE)
        self.relay.stop()
        self.assertIs(self.listener.status, ChannelStatus.OFFLINE)
        self.assertIn("1001", self.listener.told[1])
        self.relay.start()
        self.network.advance(10)
        self.assertEqual(self.listener.told[-1], "online")
        self.successResultOf(self.listener.when_online())
        self.assertIn("refused", self.listener.last_error)

    def test_wrong_key(self) -> None:
        """A key that the relay does not take is a reason, not an end."""
        listener = Listener(CONNECTION, self.connector, self.relay.dialer(), self.clock)
        listener.startService()
        self.network.flush()
        self.assertIn("401 The token has an invalid signature", listener.last_error)
        self.assertIs(listener.status, ChannelStatus.OFFLINE)
        listener.stopService()


class StopTests(ListenerTestCase):
    """The end."""

    def test_idle(self) -> None:
        """Without tunnels it is over as soon as the relay says goodbye."""
        stopped = self.listener.stopService()
        self.network.flush()
        self.successResultOf(stopped)
        self.assertEqual(self.send().status, 404)

    def test_drained(self) -> None:
        """Tunnels may finish; then it is over at once."""
        sender = self.send()
        stopped = self.listener.stopService()
        self.network.advance(3)
        self.assertNoResult(stopped)
        sender.binary(b"last")
        sender.close(1000)
        self.network.flush()
        self.assertEqual(self.apps[0].received, b"last")
        self.apps[0].wire.loseConnection()
        self.network.flush()
        self.successResultOf(stopped)

    def test_cut(self) -> None:
        """After C{drain_timeout} they are ended with 1001, and the target reset."""
        sender = self.send()
        stopped = self.listener.stopService()
        self.network.advance(5)
        self.assertEqual(sender.close_frame, (1001, "the listener stops"))
        assert self.apps[0].lost is not None
        self.network.advance(5)
        self.successResultOf(stopped)

    def test_while_dialling_target(self) -> None:
        """Dials of the target are given up."""
        self.network.faults.ignore("db.corp", 1433)
        self.send()
        stopped = self.listener.stopService()
        self.network.flush()
        self.successResultOf(stopped)

    def test_while_dialling_rendezvous(self) -> None:
        """So are those of the rendezvous, and the target is let go."""
        self.network.faults.delay = 0.5
        self.send()
        while not self.apps:
            self.network.advance(0.1)
        stopped = self.listener.stopService()
        self.network.advance(5)
        self.successResultOf(stopped)
        assert self.apps[0].lost is not None
        self.assertEqual(self.listener.tunnels, 0)

    def test_while_deciding(self) -> None:
        """A hook that still thinks is cancelled."""
        cancelled: list[Any] = []
        self.listener.decision = Deferred(cancelled.append)
        self.send()
        self.listener.stopService()
        self.network.flush()
        self.assertEqual(cancelled, [self.listener.decision])

    def test_again(self) -> None:
        """It may be started again."""
        self.listener.stopService()
        self.network.flush()
        self.listener.startService()
        self.network.flush()
        self.assertEqual(self.send().status, 101)


class NoDrainTests(StopTests):
    """Tunnels that are left alone when the listener stops."""

    drain_timeout = None

    def test_drained(self) -> None:
        """It is over at once, and the tunnel goes on."""
        self.live_on()

    def test_cut(self) -> None:
        """For as long as it likes."""
        self.live_on()

    def live_on(self) -> None:
        sender = self.send()
        stopped = self.listener.stopService()
        self.network.advance(1)
        self.successResultOf(stopped)
        sender.binary(b"more")
        self.network.flush()
        self.assertEqual(self.apps[0].received, b"more")
        self.apps[0].wire.abortConnection()
        self.network.flush()


@implementer(IDialer)
class StrictDialer:
    """Takes only some names for names."""

    def __init__(self, dialer: IDialer) -> None:
        self._dialer = dialer

    def endpoint(self, host: str, port: int, secure: bool) -> Any:
        if ".." in host:
            raise ValueError("no host name")
        return self._dialer.endpoint(host, port, secure)


class AddressTests(RelayTestCase):
    """What a relay may not do to a listener."""

    def setUp(self) -> None:
        super().setUp()
        self.connector = Connector()
        self.connector.result = Reject(403, "no")
        self.listener = Listener(
            CONNECTION,
            self.connector,
            StrictDialer(self.network.dialer()),
            self.clock,
        )
        self.listener.startService()
        self.network.flush()

    def tearDown(self) -> None:
        self.listener.stopService()
        self.advance(30)

    def accept(self, address: str) -> None:
        self.relay.peers[0].text(json.dumps({"accept": {"address": address}}))
        self.network.flush()

    def test_no_tls(self) -> None:
        """A listener that came by TLS goes nowhere without it."""
        self.accept("ws://relay.test/$hc/hyco?sb-hc-action=accept")
        self.assertEqual(len(self.relay.peers), 1)
        self.assertEqual(self.listener.asked, [])
        self.assertLogged("passed over, its address is without TLS")

    def test_rejection(self) -> None:
        """The rejection goes to the address as it came, appended to its query."""
        self.accept("wss://relay.test/$hc/hyco/a%2Fb?x=%2B&&sb-hc-action=accept")
        target = self.peer.start_line.split(" ")[1]
        address, _, added = target.partition("&sb-hc-statusCode=")
        self.assertEqual(address, "/$hc/hyco/a%2Fb?x=%2B&&sb-hc-action=accept")
        self.assertEqual(unquote(added), "403&sb-hc-statusDescription=no")
        self.assertNotIn("servicebusauthorization", self.peer.headers)

    def test_rejection_taken_for_tunnel(self) -> None:
        """A relay that answers 101 to a rejection gets no tunnel."""
        self.accept("wss://relay.test/$hc/hyco?sb-hc-action=accept")
        self.assertLogged("the relay took it for a tunnel")
        self.assertIsNotNone(self.peer.lost)

    def test_rejection_refused(self) -> None:
        """Any answer but 410 is logged, and that is all."""
        self.relay.answers = [refusal(500, "oops")]
        self.accept("wss://relay.test/$hc/hyco?sb-hc-action=accept")
        self.assertLogged("the sender may not know: 500 oops")

    def test_rejection_unreachable(self) -> None:
        """So is a relay that is gone."""
        self.network.faults.refuse("elsewhere.test", 443)
        self.accept("wss://elsewhere.test/$hc/hyco?sb-hc-action=accept")
        self.assertLogged("the sender may not know: the connection was refused")

    def test_bad_address(self) -> None:
        """An address that is none is a mistake of the relay's, and no traceback."""
        for address in ("wss://relay.test:99999/", "wss:///", "wss://[/x", "wss://a#b"):
            for self.connector.result in (Echo(), Reject(403, "no")):
                self.accept(address)
                self.assertLogged("passed over, its address is none")
                self.events.clear()
        self.assertEqual(self.listener.asked, [])
        self.accept("wss://a..b/")
        self.assertLogged("the sender may not know", "the address names no host")
        self.connector.result = Echo()
        self.accept("wss://a..b/")
        self.assertLogged("no tunnel for", "the address names no host")
        self.assertIs(self.listener.status, ChannelStatus.ONLINE)
