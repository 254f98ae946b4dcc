"""A local HTTP port, a relay and an application, in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import fail
from twisted.web.server import Site

from hybridconn.core.entities import Claim
from hybridconn.listener.site import serve_site
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.http_forward import HttpForward
from hybridconn.testing.relay import MemoryRelay
from hybridconn.testing.ws_peer import WsPeer, one_protocol
from tests.listener.scene import LogTestCase
from tests.listener.test_serving import App
from tests.relay.http_peer import Answer, HttpPeer


class ForwardCase(LogTestCase):
    """Everything is in one network."""

    send_claim = Claim.SEND
    host_names: tuple[str, ...] | None = None

    def setUp(self) -> None:
        super().setUp()
        self.relay = relay = MemoryRelay(("web/app",))
        self.network = relay.network
        self.app = App()
        self.listener = serve_site(
            relay.parsed_connection_string("web/app", Claim.LISTEN),
            Site(self.app, reactor=relay.clock),
            relay.clock,
            dialer=relay.dialer(),
            wall=relay.wall,
        )
        self.listener.startService()
        connection = relay.parsed_connection_string("web/app", self.send_claim)
        self.forward = HttpForward(
            connection,
            TunnelConnector(connection, relay.dialer(), relay.clock, wall=relay.wall),
            relay.dialer(),
            relay.clock,
            host_names=self.host_names,
            response_timeout=5.0,
            wall=relay.wall,
            new_guid=relay.new_guid,
        )
        self.port = self.network.listen("local.test", 80, self.forward.front_door)
        self.network.flush()

    def client(self) -> HttpPeer:
        peer = HttpPeer()
        self.network.client_endpoint("local.test", 80).connect(one_protocol(peer))
        self.network.flush()
        return peer

    def ask(
        self, head: str, body: bytes = b"", peer: HttpPeer | None = None
    ) -> HttpPeer:
        """Send a request whose head lacks only its Host."""
        peer = peer or self.client()
        lines = [*head.split("\n"), "Host: local.test", "", ""]
        peer.transport.write("\r\n".join(lines).encode() + body)
        self.network.advance(0.2)
        return peer

    def answer(self, peer: HttpPeer) -> Answer:
        """Its answer, complete."""
        answer = peer.answer()
        assert answer is not None
        self.assertTrue(answer.complete)
        return answer


class RequestTests(ForwardCase):
    """Plain HTTP in, tokens and the hybrid connection's path added."""

    def test_get(self) -> None:
        """The application sees the path that was asked for."""
        answer = self.answer(self.ask("GET /a%2Fb?x=%2B HTTP/1.1"))
        self.assertEqual((answer.status, answer.body), (200, b"GET "))
        self.assertEqual(answer["x-uri"], "/a%2Fb?x=%2B")
        self.assertIsNotNone(answer["via"])

    def test_absolute(self) -> None:
        """A client that takes it for a proxy is understood."""
        answer = self.answer(self.ask("GET http://app.corp/page?x HTTP/1.1"))
        self.assertEqual(answer["x-uri"], "/page?x")
        self.assertEqual(self.answer(self.ask("OPTIONS * HTTP/1.1")).status, 400)

    def test_body(self) -> None:
        """Of known and of unknown length; one connection carries all."""
        peer = self.ask("POST / HTTP/1.1\nContent-Length: 100000", b"x" * 100_000)
        self.assertEqual(self.answer(peer).body, b"POST " + b"x" * 100_000)
        self.ask(
            "PUT / HTTP/1.1\nTransfer-Encoding: chunked", b"3\r\nabc\r\n0\r\n\r\n", peer
        )
        self.assertEqual(self.answer(peer).body, b"PUT abc")
        self.assertIsNone(peer.lost)

    def test_redirection(self) -> None:
        """It leads to the local port again."""
        answer = self.answer(self.ask("GET /away HTTP/1.1"))
        self.assertEqual((answer.status, answer["location"]), (302, "/there"))

    def test_no_token_is_passed_on(self) -> None:
        """An app's own field of that name is not the relay's business."""
        answer = self.answer(
            self.ask("GET / HTTP/1.1\nServiceBusAuthorization: nonsense")
        )
        self.assertEqual(answer.status, 200)

    def test_the_relays_own_parameters(self) -> None:
        """They are not for an app, or a web page, to choose."""
        for target, passed in (
            ("/x?sb-hc-token=nonsense", "/x"),
            ("/x?a=%2B&SB-HC-Token=nonsense&&b&sb-hc-x", "/x?a=%2B&&b&sb-hc-x"),
            ("/x?", "/x"),
        ):
            answer = self.answer(self.ask(f"GET {target} HTTP/1.1"))
            self.assertEqual((answer.status, answer["x-uri"]), (200, passed))

    def test_forwarded_host(self) -> None:
        """What a proxy in front says of its own name is kept."""
        fields: list[Any] = []

        def asked(method: bytes, uri: bytes, headers: Any, body: object) -> Any:
            fields.append(headers.getRawHeaders("X-Forwarded-Host"))
            return fail(ConnectionError())

        self.patch(self.forward._agent, "request", asked)
        self.ask("GET / HTTP/1.1")
        self.ask("GET / HTTP/1.1\nx-forwarded-host: proxy.test")
        self.assertEqual(fields, [["local.test"], ["proxy.test"]])
        self.flushLoggedErrors(ConnectionError)

    def test_nobody_listens(self) -> None:
        """The relay's answer is the app's."""
        self.listener.stopService()
        self.network.flush()
        answer = self.answer(self.ask("GET / HTTP/1.1"))
        self.assertEqual((answer.status, answer["via"]), (502, None))
        self.assertIn("There are no listeners", answer.json["message"])

    def test_no_relay(self) -> None:
        """502 with the reason."""
        self.relay.stop()
        self.network.faults.refuse(self.relay.host, self.relay.port)
        answer = self.answer(self.ask("GET / HTTP/1.1"))
        self.assertEqual(answer.status, 502)
        self.assertIn("The relay cannot be reached", answer.json["message"])
        self.assertLogged(
            "web/app: no answer for ", ": 502 The relay cannot be reached"
        )

    def test_no_response(self) -> None:
        """504 when the relay does not say so itself."""
        peer = self.ask("GET /hold HTTP/1.1")
        self.network.advance(4)
        self.assertEqual(peer.received, b"")
        self.network.advance(1)
        answer = self.answer(peer)
        self.assertEqual(answer.status, 504, answer)

    def test_app_leaves(self) -> None:
        """The application hears of it."""
        peer = self.ask("GET /hold HTTP/1.1")
        request = self.app.held[0]
        gone: Any = request.notifyFinish()
        request.write(b"one")
        self.network.advance(0.2)
        peer.transport.loseConnection()
        self.network.advance(0.2)
        self.failureResultOf(gone)

    def test_drain(self) -> None:
        """What is open may end before a stop, for so long."""
        peer = self.ask("GET /hold HTTP/1.1")
        self.successResultOf(self.port.stopListening())
        drained = self.forward.drain(5)
        self.network.advance(1)
        self.assertNoResult(drained)
        self.app.held[0].finish()
        self.network.advance(1)
        self.assertEqual(self.answer(peer).status, 200)
        self.successResultOf(drained)
        self.successResultOf(self.forward.drain(0))


class NameTests(ForwardCase):
    """A port that is asked by its own names only."""

    host_names = ("local.test",)

    def test_names(self) -> None:
        """
        A page of another site that has its name lead here reads nothing; addresses
        have no name that could, and a proxy is asked for anything.
        """
        for host, status in (
            ("local.test", 200),
            ("LOCAL.test:18080", 200),
            ("localhost:18080", 200),
            ("app.localhost", 200),
            ("127.0.0.1:18080", 200),
            ("[::1]:18080", 200),
            ("evil.test:18080", 421),
            ("localhost.evil.test", 421),
            ("127.0.0.1.evil.test", 421),
        ):
            peer = self.client()
            peer.transport.write(f"GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            self.network.advance(0.2)
            answer = self.answer(peer)
            self.assertEqual(answer.status, status, host)
            if status == 421:
                self.assertIn("say so in its host_names", answer.json["message"])
        answer = self.answer(self.ask("GET http://app.corp/page HTTP/1.1"))
        self.assertEqual(answer.status, 200)
        evil = WsPeer.client("/x", "evil.test:18080")
        evil.dial(self.network, "local.test", 80)
        self.network.advance(0.2)
        self.assertEqual(evil.status, 421)


class WebSocketTests(ForwardCase):
    """WebSockets go on as tunnels."""

    send_claim = Claim.MANAGE

    def dial(self, target: str, **headers: str) -> WsPeer:
        peer = WsPeer.client(target, "local.test", headers)
        peer.dial(self.network, "local.test", 80)
        self.network.advance(0.2)
        return peer

    def test_refused(self) -> None:
        """An application that has none says so, with its own status."""
        peer = self.dial("/none")
        self.assertEqual(peer.status, 502)
        self.listener.stopService()
        self.network.flush()
        self.assertEqual(self.dial("/none").status, 404)
        self.assertLogged("web/app: no answer for ", ": 404 There are no listeners")

    def test_no_other_action(self) -> None:
        """A web page cannot make a listener of itself, whatever the key allows."""
        peer = self.dial("/?sb-hc-action=listen")
        self.assertNotEqual(peer.status, 101)
        desk = self.relay.service.desk
        self.assertEqual([desk.listeners(key) for key in desk.keys], [1])
