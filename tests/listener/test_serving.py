"""HTTP from a sender's agent through a relay to a web application, in memory."""

from __future__ import annotations

from typing import Any

from autobahn.twisted.resource import WebSocketResource
from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IBodyProducer
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer

from hybridconn.core.entities import Claim
from hybridconn.core.limits import Limits
from hybridconn.listener.request import UPGRADE_AFTER
from hybridconn.listener.site import serve_site
from hybridconn.sender.agent import HybridConnectionAgent
from hybridconn.testing.relay import MemoryRelay
from hybridconn.testing.ws_peer import WsPeer


class App(Resource):
    """
    Echoes what it is told of a request.

    @ivar held: requests that it has not answered.
    """

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.held: list[Any] = []

    def render(self, request: Any) -> Any:
        """Answer by the path (Twisted)."""
        if request.path == b"/hold":
            self.held.append(request)
            return NOT_DONE_YET
        if request.path == b"/large":
            return b"x" * 300_000
        if request.path == b"/cookies":
            for name in (b"a", b"b"):
                request.addCookie(name, b"1, 2")
            return b""
        if request.path == b"/away":
            request.redirect(b"/there")
            return b""
        if request.path == b"/empty":
            request.setResponseCode(204)
            return b""
        request.setHeader(b"X-Uri", request.uri)
        request.setHeader(b"X-Secure", str(request.isSecure()).encode())
        request.setHeader(b"X-From", request.getClientAddress().host.encode())
        prefix = request.getHeader(b"X-Forwarded-Prefix") or b"none"
        request.setHeader(b"X-Prefix", prefix)
        return request.method + b" " + request.content.read()


@implementer(IBodyProducer)
class Given:
    """A body of bytes, written at once."""

    def __init__(self, body: bytes, length: object = None) -> None:
        self.length = len(body) if length is None else length
        self._body = body

    def startProducing(self, consumer: Any) -> Deferred[None]:
        """Write it (Twisted)."""
        consumer.write(self._body)
        done: Deferred[None] = Deferred()
        done.callback(None)
        return done

    def stopProducing(self) -> None:
        """Nothing is left (Twisted)."""

    pauseProducing = resumeProducing = stopProducing


class Collector(Protocol):
    """Keeps a response's body."""

    def __init__(self) -> None:
        self.body = b""
        self.end: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        """Keep it (Twisted)."""
        self.body += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Remember it (Twisted)."""
        self.end = reason


class ServingCase(SynchronousTestCase):
    """An application behind C{web/app}, and an agent."""

    keep_path = False
    limits = Limits()

    def setUp(self) -> None:
        self.relay = MemoryRelay(("web/app",), limits=self.limits)
        self.clock = self.relay.clock
        self.app = App()
        self.listener = serve_site(
            self.relay.parsed_connection_string("web/app", Claim.LISTEN),
            Site(self.app, reactor=self.clock),
            self.clock,
            dialer=self.relay.dialer(),
            keep_path=self.keep_path,
            wall=self.relay.wall,
        )
        self.listener.startService()
        self.agent = HybridConnectionAgent(
            self.relay.parsed_connection_string("web/app", Claim.SEND),
            self.clock,
            dialer=self.relay.dialer("198.51.100.7"),
            wall=self.relay.wall,
        )
        self.flush()

    def flush(self) -> None:
        """Let all bytes arrive."""
        self.relay.network.flush()
        self.relay.network.advance(0)

    def ask(
        self, method: bytes, target: str, body: Any = None, **headers: str
    ) -> Deferred[Any]:
        """Send a request."""
        fields = Headers({name: [value] for name, value in headers.items()})
        uri = self.agent.url(target).encode()
        asked = self.agent.request(method, uri, fields, body)
        self.relay.network.advance(0.01)
        return asked

    def get(
        self, target: str, method: bytes = b"GET", body: Any = None, **headers: str
    ) -> tuple[Any, bytes]:
        """A response in full."""
        response = self.successResultOf(self.ask(method, target, body, **headers))
        return response, self.body_of(response)

    def body_of(self, response: Any) -> bytes:
        """Its body, which must be complete."""
        collector = Collector()
        response.deliverBody(collector)
        self.relay.network.advance(UPGRADE_AFTER + 0.1)
        assert collector.end is not None
        collector.end.trap(ResponseDone)
        return collector.body


class SiteTests(ServingCase):
    """A plain Site, unchanged."""

    def test_get(self) -> None:
        """It sees its own path, the sender's address, and TLS."""
        response, body = self.get("/a%2Fb?x=%2B")
        self.assertEqual((response.code, body), (200, b"GET "))
        headers = response.headers
        self.assertEqual(headers.getRawHeaders("X-Uri"), ["/a%2Fb?x=%2B"])
        self.assertEqual(headers.getRawHeaders("X-Secure"), ["True"])
        self.assertEqual(headers.getRawHeaders("X-From"), ["198.51.100.7"])
        self.assertEqual(headers.getRawHeaders("X-Prefix"), ["/web/app"])
        self.assertTrue(headers.hasHeader("Via"))

    def test_target(self) -> None:
        """Path and query go through byte for byte, whatever is at their ends."""
        for target in ("/a;", "/a;b=c;", "/;", "/x/?", "/a?x=;", "/[|{^`<>'\"?a?b=&&"):
            response, _ = self.get(target)
            shown = response.headers.getRawHeaders("X-Uri")
            # A query without anything in it is none (section 2.6).
            self.assertEqual(shown, [target.removesuffix("?")])
        asked = self.agent.request(b"GET", self.agent.url("/a b\r\nX: y").encode())
        self.failureResultOf(asked, ValueError)

    def test_bodies(self) -> None:
        """Small, large, and of unknown length."""
        for body, length in (
            (b"small", None),
            (b"y" * 200_000, None),
            (b"unknown", UNKNOWN_LENGTH),
        ):
            _, echoed = self.get("/", b"POST", Given(body, length))
            self.assertEqual(echoed, b"POST " + body)

    def test_large_answer(self) -> None:
        """What does not fit into the control channel comes by a rendezvous."""
        self.assertEqual(self.get("/large")[1], b"x" * 300_000)

    def test_no_body(self) -> None:
        """HEAD has the length, 204 has neither."""
        response, body = self.get("/large", b"HEAD")
        self.assertEqual(response.headers.getRawHeaders("Content-Length"), ["300000"])
        self.assertEqual(body, b"")
        response, body = self.get("/empty")
        self.assertEqual((response.code, body), (204, b""))

    def test_cookies(self) -> None:
        """Several cookies stay apart, their commas too."""
        response, _ = self.get("/cookies")
        cookies = response.headers.getRawHeaders("Set-Cookie")
        self.assertEqual(cookies, ["a=1, 2", "b=1, 2"])

    def test_redirection(self) -> None:
        """It leads through the relay."""
        response, _ = self.get("/away")
        self.assertEqual(
            response.headers.getRawHeaders("Location"),
            ["/web/app/there"],
        )

    def test_streaming(self) -> None:
        """What the application writes arrives while it goes on."""
        asked = self.ask(b"GET", "/hold")
        request = self.app.held[0]
        request.write(b"one")
        self.relay.network.advance(UPGRADE_AFTER + 0.05)
        response = self.successResultOf(asked)
        collector = Collector()
        response.deliverBody(collector)
        self.flush()
        self.assertEqual(collector.body, b"one")
        request.write(b"two")
        self.flush()
        self.assertEqual(collector.body, b"onetwo")
        request.finish()
        self.relay.network.advance(0.1)
        assert collector.end is not None
        collector.end.trap(ResponseDone)

    def test_sender_leaves(self) -> None:
        """An application that streams hears of it."""
        asked = self.ask(b"GET", "/hold")
        request = self.app.held[0]
        gone = request.notifyFinish()
        request.write(b"one")
        self.relay.network.advance(UPGRADE_AFTER + 0.05)
        response = self.successResultOf(asked)
        collector = Collector()
        response.deliverBody(collector)
        transport: Any = collector.transport
        transport.loseConnection()
        self.relay.network.advance(0.1)
        self.failureResultOf(gone)

    def test_many(self) -> None:
        """500 at once over one listener: all come back right."""
        asked = [self.ask(b"POST", f"/{n}", Given(b"%d" % n)) for n in range(500)]
        self.relay.network.advance(5)
        for number, one in enumerate(asked):
            response = self.successResultOf(one)
            self.assertEqual(response.code, 200)
            self.assertEqual(self.body_of(response), b"POST %d" % number)

    def test_other_addresses(self) -> None:
        """The token goes nowhere else."""
        for uri in (
            f"https://{self.relay.host}/web/apple",
            f"https://{self.relay.host}/web",
            f"https://{self.relay.host}:444/web/app",
            f"http://{self.relay.host}/web/app",
            "https://other.test/web/app",
            f"https://me@{self.relay.host}/web/app",
            "https://[",
        ):
            asked = self.agent.request(b"GET", uri.encode())
            self.failureResultOf(asked, ValueError)


class WebSocketTests(ServingCase):
    """An application with a WebSocket of its own, by Autobahn's resource."""

    def test_echo(self) -> None:
        """It is reached through the relay, path and sub-protocol included."""
        asked: list[Any] = []

        class Echo(WebSocketServerProtocol):  # type: ignore[misc]  # untyped
            def onConnect(self, request: Any) -> str:
                # Autobahn keeps the last of equal names alone.
                fields = self.http_request_data.decode().lower()
                asked.append((request.path, request.headers, fields))
                return "chat"

            def onMessage(self, payload: bytes, isBinary: bool) -> None:
                self.sendMessage(payload, isBinary)

        factory = WebSocketServerFactory(reactor=self.clock)
        factory.protocol = Echo
        factory.setProtocolOptions(openHandshakeTimeout=0, closeHandshakeTimeout=0)
        root = Resource()
        root.putChild(b"ws", WebSocketResource(factory))
        self.listener.stopService()
        listener = serve_site(
            self.relay.parsed_connection_string("web/app", Claim.LISTEN),
            Site(root, reactor=self.clock),
            self.clock,
            dialer=self.relay.dialer(),
            wall=self.relay.wall,
        )
        listener.startService()
        self.flush()
        peer = WsPeer.client(
            "/$hc/web/app/ws?x=1&sb-hc-action=connect",
            self.relay.host,
            {
                "ServiceBusAuthorization": self.relay.token("web/app", Claim.SEND),
                "Sec-WebSocket-Protocol": "other, chat",
                "Origin": f"https://{self.relay.host}",
                "User-Agent": "of the sender",
                "Pragma": "no-cache",
                "X-Forwarded-For": "made up",
                "X-Forwarded-Host": "made up",
                "X-Forwarded-Proto": "made up",
                "X-Forwarded-Prefix": "made up",
            },
        )
        peer.dial(self.relay.network, self.relay.host, self.relay.port, secure=True)
        self.relay.network.advance(0.1)
        self.assertEqual((peer.status, peer.reason), (101, "Switching Protocols"))
        self.assertEqual(peer.headers["sec-websocket-protocol"], "chat")
        peer.text("hello")
        peer.binary(b"x" * 100_000)
        self.relay.network.advance(0.1)
        self.assertEqual(peer.messages, ["hello", b"x" * 100_000])
        peer.close(1000, b"bye")
        self.relay.network.advance(0.1)
        assert peer.close_frame is not None
        self.assertEqual(peer.close_frame[0], 1000)
        ((path, headers, fields),) = asked
        self.assertEqual(path, "/ws")
        # A service that compares the two lets a page of the relay in, and no other.
        self.assertEqual(headers["host"], self.relay.host)
        self.assertEqual(headers["origin"], f"https://{self.relay.host}")
        self.assertEqual(headers["x-forwarded-host"], self.relay.host)
        self.assertEqual(headers["x-forwarded-for"], "made up, 192.0.2.1")
        self.assertEqual(headers["x-forwarded-proto"], "https")
        self.assertEqual(headers["x-forwarded-prefix"], "/web/app")
        self.assertEqual(headers["user-agent"], "of the sender")
        for name in ("host", "user-agent", "pragma", "x-forwarded-for"):
            self.assertEqual(fields.count(f"\r\n{name}: "), 1, name)


class KeptPathTests(ServingCase):
    """C{keep_path}."""

    keep_path = True

    def test_path(self) -> None:
        """The application sees the path as the sender wrote it."""
        response, _ = self.get("/a")
        self.assertEqual(response.headers.getRawHeaders("X-Uri"), ["/web/app/a"])
        self.assertEqual(response.headers.getRawHeaders("X-Prefix"), ["none"])
