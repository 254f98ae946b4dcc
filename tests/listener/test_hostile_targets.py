"""HTTP services that do not behave, behind our listener and a relay."""

from __future__ import annotations

from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.entities import Claim
from hybridconn.core.http_url import HttpUrl
from hybridconn.core.limits import Limits
from hybridconn.listener.http_target import HttpSettings, service_target
from hybridconn.listener.listener import HybridConnectionListener
from hybridconn.listener.websocket_target import WebSocketConnector
from hybridconn.testing.relay import MemoryRelay
from hybridconn.testing.ws_peer import WsPeer, one_protocol
from tests.relay.http_peer import Answer, HttpPeer


class TargetCase(SynchronousTestCase):
    """A relay, our listener, and a service that says what it is told."""

    def setUp(self) -> None:
        self.relay = relay = MemoryRelay(
            ("web",), limits=Limits(response_timeout=200.0)
        )
        self.network = relay.network
        self.connections: list[HttpPeer] = []
        self.network.listen("app.test", 80, self.factory())
        url, settings = HttpUrl.parse("http://app.test"), HttpSettings()
        dialer = relay.dialer()
        self.listener = HybridConnectionListener(
            relay.parsed_connection_string("web", Claim.LISTEN),
            WebSocketConnector(url, "web", dialer, relay.clock, settings),
            dialer,
            relay.clock,
            responder=service_target(relay.clock, url, "web", dialer, settings),
            wall=relay.wall,
        )
        self.listener.startService()
        self.network.flush()

    def factory(self) -> Factory:
        def build(addr: object) -> HttpPeer:
            self.connections.append(HttpPeer())
            return self.connections[-1]

        factory = Factory()
        factory.noisy = False
        factory.buildProtocol = build  # type: ignore[method-assign]
        return factory

    def ask(
        self,
        line: str = "GET /web/x",
        *fields: str,
        body: bytes = b"",
        peer: HttpPeer | None = None,
    ) -> HttpPeer:
        """Send a request; the service has it."""
        if peer is None:
            peer = HttpPeer()
            self.network.client_endpoint(
                self.relay.host, self.relay.port, secure=True
            ).connect(one_protocol(peer))
            self.network.flush()
        token = self.relay.token("web", Claim.SEND)
        lines = [
            f"{line} HTTP/1.1",
            f"Host: {self.relay.host}",
            f"ServiceBusAuthorization: {token}",
            *fields,
        ]
        peer.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        self.network.advance(0.2)
        return peer

    def say(self, data: bytes, end: str = "") -> None:
        """Have the service say something, and end its connection maybe."""
        transport = self.connections[-1].transport
        transport.write(data)
        if end:
            getattr(transport, end)()
        self.network.advance(0.2)

    def answer(self, peer: HttpPeer, head_only: bool = False) -> Answer:
        answer = peer.answer(head_only)
        assert answer is not None, "no answer"
        return answer


class ResponseTests(TargetCase):
    """What comes of a response."""

    def test_interim(self) -> None:
        """What a service says before its response is not passed on as one."""
        peer = self.ask()
        self.say(
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        )
        answer = self.answer(peer)
        self.assertEqual(
            (answer.status, answer.body, answer["link"]), (200, b"hi", None)
        )
        self.assertEqual(peer.received, b"")

    def test_no_response(self) -> None:
        """What is no HTTP, or does not fit together, is 502."""
        for data in (
            b"hello\r\n\r\n",
            b"HTTP/1.1 xyz OK\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxy",
            b"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nxy",
            b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nxy",
            b"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 0\r\n\r\n",
            b"HTTP/1.1 99 Early\r\nContent-Length: 0\r\n\r\n",
            b"",
        ):
            peer = self.ask()
            self.say(data, "loseConnection")
            answer = self.answer(peer)
            self.assertEqual((answer.status, answer.complete), (502, True), data)
        self.flushLoggedErrors()

    def test_cut(self) -> None:
        """A response that breaks off does not look complete."""
        coded = b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
        for data, rest in (
            (b"Content-Length: 100000\r\n\r\nhalf", b""),
            (coded, b""),
            (coded, b"xyz\r\n"),
            (coded, b"-1\r\n"),
        ):
            for end in ("loseConnection", "abortConnection"):
                peer = self.ask()
                self.say(b"HTTP/1.1 200 OK\r\n" + data)
                self.say(rest, end)
                answer = self.answer(peer)
                self.assertEqual((answer.body, answer.complete), (b"half", False), data)
                self.assertIsNotNone(peer.lost)

    def test_cut_at_once(self) -> None:
        """As long as nothing of it is out it is 502."""
        peer = self.ask()
        self.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "loseConnection")
        answer = self.answer(peer)
        self.assertEqual((answer.status, answer.body), (502, b""))

    def test_until_the_end(self) -> None:
        """A response of HTTP/1.0 ends with its connection."""
        peer = self.ask()
        self.say(b"HTTP/1.0 200 OK\r\n\r\nwhole", "loseConnection")
        answer = self.answer(peer)
        self.assertEqual((answer.body, answer.complete), (b"whole", True))

    def test_surplus(self) -> None:
        """What follows a response is not the next one's."""
        peer = self.ask()
        forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
        self.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi" + forged)
        self.assertEqual(self.answer(peer).body, b"hi")
        self.assertEqual(peer.received, b"")
        self.ask("GET /web/y", peer=peer)
        self.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue")
        self.assertEqual(self.answer(peer).body, b"true")

    def test_body_of_a_head(self) -> None:
        """Nor is a body that should not be there."""
        peer = self.ask("HEAD /web/x")
        forged = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nforged"
        self.say(b"HTTP/1.1 200 OK\r\nContent-Length: 51\r\n\r\n" + forged)
        answer = self.answer(peer, head_only=True)
        self.assertEqual(answer["content-length"], "51")
        self.ask("GET /web/y", peer=peer)
        self.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ntrue")
        self.assertEqual(self.answer(peer).body, b"true")

    def test_early(self) -> None:
        """A response before the request's end is delivered."""
        peer = self.ask("POST /web/x", "Content-Length: 9000000", body=b"x" * 200_000)
        self.assertIn(b"POST /x HTTP/1.1", self.connections[-1].received)
        self.say(
            b"HTTP/1.1 413 Too Large\r\n"
            b"Connection: close\r\nContent-Length: 3\r\n\r\nbig",
            "loseConnection",
        )
        answer = self.answer(peer)
        self.assertEqual((answer.status, answer.body), (413, b"big"))
        self.assertIsNotNone(peer.lost)

    def test_early_and_open(self) -> None:
        """Also when the service leaves its connection open."""
        peer = self.ask("POST /web/x", "Content-Length: 9000000", body=b"x" * 200_000)
        self.say(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno")
        answer = self.answer(peer)
        self.assertEqual((answer.status, answer.body), (401, b"no"))
        self.network.advance(1)
        self.assertIsNotNone(self.connections[-1].lost)

    def test_never(self) -> None:
        """504 when it does not begin to respond in time, and it hears of that."""
        for line, *more in (("GET /web/x",), ("POST /web/x", "Content-Length: 90000")):
            peer = self.ask(line, *more, body=b"x" * 80_000 if more else b"")
            self.network.advance(30)
            self.assertEqual(peer.received, b"")
            if more:
                peer.transport.write(b"x" * 10_000)
            self.network.advance(61)
            answer = self.answer(peer)
            self.assertEqual((answer.status, answer["via"] is None), (504, False))
            self.assertIn("did not respond in time: 60 s", answer.json["message"])
            self.assertIsNotNone(self.connections[-1].lost)

    def test_stale_connection(self) -> None:
        """A connection that the service closed meanwhile is not used again."""
        for number in range(3):
            peer = self.ask()
            self.say(
                b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "loseConnection"
            )
            self.assertEqual(self.answer(peer).status, 200)
            self.assertEqual(len(self.connections), number + 1)

    def test_sender_leaves(self) -> None:
        """The service hears of a sender that left, in the middle of its body."""
        peer = self.ask("POST /web/x", "Content-Length: 9000000", body=b"x" * 200_000)
        peer.transport.loseConnection()
        self.network.advance(1)
        self.assertIsNotNone(self.connections[-1].lost)
        self.assertFalse(self.connections[-1].received.endswith(b"0\r\n\r\n"))


class WebSocketTests(TargetCase):
    """A sender that wants a WebSocket, or whose forward is for TCP."""

    def dial(self, answer: bytes) -> tuple[int | None, str]:
        """The answer to a sender when the service answers so."""
        token = self.relay.token("web", Claim.SEND)
        peer = WsPeer.client(
            "/$hc/web?sb-hc-action=connect",
            self.relay.host,
            {"ServiceBusAuthorization": token},
        )
        peer.dial(self.network, self.relay.host, self.relay.port, secure=True)
        self.network.advance(0.2)
        self.say(answer)
        return peer.status, peer.reason

    def test_none(self) -> None:
        """A service that opens none: the sender learns what may be wrong."""
        status, reason = self.dial(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual(status, 502)
        self.assertIn("http://app.test opens no WebSocket: 200 OK; for HTTP", reason)
        self.assertIn("http = true", reason)

    def test_refused(self) -> None:
        """Its own refusal goes through."""
        answer = b"HTTP/1.1 404 No page\r\nContent-Length: 0\r\n\r\n"
        status, reason = self.dial(answer)
        self.assertEqual(status, 404)
        self.assertIn("No page", reason)


class RelaysWordsTests(TargetCase):
    """What a service is told of a WebSocket."""

    def test_relays_words(self) -> None:
        """The relay's words for the listener do not reach it, whoever says them."""
        peer = WsPeer.client(
            "/$hc/web?sb-hc-action=connect",
            headers={
                "ServiceBusAuthorization": self.relay.token("web", Claim.SEND),
                "HybridConn-Rule": "root",
                "X-App": "1",
            },
        )
        peer.dial(self.network, self.relay.host, self.relay.port, secure=True)
        self.network.advance(0.2)
        (service,) = self.connections
        head = bytes(service.received).lower()
        self.assertIn(b"x-app: 1", head)
        self.assertNotIn(b"hybridconn-rule", head)
        service.transport.abortConnection()
        peer.hang_up()
        self.network.advance(0.2)
