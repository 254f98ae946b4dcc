"""Tests of L{hybridconn.listener.http_target} and L{hybridconn.web.proxy}."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent
from zope.interface import implementer

from hybridconn.core.http import RequestHead
from hybridconn.core.http_url import HttpUrl
from hybridconn.core.refusals import Refusal, RequestTimedOut
from hybridconn.listener.http_target import HttpSettings, HttpTarget, split_entity
from hybridconn.testing.fakes import Answer, FakeAnswer, FakeHeldRequest
from tests.listener.scene import LogTestCase

HEADERS = (
    ("Host", "relay.test"),
    ("X-Forwarded-For", "198.51.100.1"),
    ("X-Forwarded-Proto", "gopher"),
    ("hybridconn-rule", "root"),
    ("Accept", "a"),
)


@implementer(IAgent)
class Agent:
    """Takes one request, and answers when it is told."""

    def request(
        self, method: bytes, uri: bytes, headers: Any = None, bodyProducer: Any = None
    ) -> Deferred[Any]:
        """Remember it (Twisted)."""
        self.method, self.uri, self.headers = method, uri, headers
        self.body = bodyProducer
        self.asked: Deferred[Any] = Deferred()
        return self.asked


class Response:
    """A response whose body is given by hand."""

    def __init__(self, code: int, headers: dict[str, list[str]], length: Any) -> None:
        self.code = code
        self.phrase = b"Said"
        self.headers = Headers(headers)
        self.length = length
        self.lost = False
        self.paused = False

    def deliverBody(self, protocol: Any) -> None:
        """Remember who gets it (Twisted)."""
        self.protocol = protocol
        protocol.makeConnection(self)

    def loseConnection(self) -> None:
        """Remember it (Twisted)."""
        self.lost = True


class TargetCase(LogTestCase):
    """A target and one request."""

    url = HttpUrl.parse("http://app.corp:8080/base")
    settings = HttpSettings()

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.agent = Agent()

    def ask(
        self, method: str = "GET", target: str = "/Web/App/x?y", **more: Any
    ) -> FakeHeldRequest:
        """Pass a request on."""
        head = RequestHead(method, target, headers=HEADERS)
        peer = IPv4Address("TCP", "203.0.113.9", 4)
        request = FakeHeldRequest(head, peer, **more)
        HttpTarget(
            lambda request: self.agent, self.url, "web/app", self.clock, self.settings
        ).respond(request)
        return request

    def respond(
        self, code: int = 200, length: Any = UNKNOWN_LENGTH, **headers: Any
    ) -> Response:
        """Have the service respond."""
        fields = {name: [value] for name, value in headers.items()}
        response = Response(code, fields, length)
        self.agent.asked.callback(response)
        return response

    def refusal(self, request: FakeHeldRequest) -> tuple[int, str]:
        """What it was refused with."""
        assert isinstance(request.outcome, Refusal), request.outcome
        return request.outcome.status, request.outcome.sentence

    def field(self, name: str) -> list[str] | None:
        """What the service got."""
        values: list[str] | None = self.agent.headers.getRawHeaders(name)
        return values


class RequestTests(TargetCase):
    """What the service gets."""

    def test_address(self) -> None:
        """The hybrid connection's path is taken off, the URL's put in front."""
        for target, uri in (
            ("/Web/App/x?y", b"/base/x?y"),
            ("/web/app", b"/base/"),
            ("/web/app/", b"/base/"),
            ("/web/app?x=%2F", b"/base/?x=%2F"),
            ("/web/app//a%2Fb/", b"/base//a%2Fb/"),
        ):
            self.ask(target=target)
            self.assertEqual(self.agent.uri, b"http://app.corp:8080" + uri)

    def test_split(self) -> None:
        """Segment by segment, whatever is in them."""
        self.assertEqual(split_entity("/a%2Fb/c/d", "a%2Fb/c"), ("/a%2Fb/c", "/d"))
        self.assertEqual(split_entity("/a", "a"), ("/a", "/"))

    def test_headers(self) -> None:
        """The sender's Host, and what tells of the sender."""
        self.ask()
        self.assertEqual(self.field("Host"), ["relay.test"])
        self.assertEqual(self.field("Accept"), ["a"])
        self.assertEqual(self.field("X-Forwarded-For"), ["198.51.100.1, 203.0.113.9"])
        self.assertEqual(self.field("X-Forwarded-Proto"), ["https"])
        self.assertEqual(self.field("X-Forwarded-Host"), ["relay.test"])
        self.assertIsNone(self.field("HybridConn-Rule"))
        self.assertEqual(self.field("X-Forwarded-Prefix"), ["/Web/App"])

    def test_host(self) -> None:
        """Another Host, or the service's own."""
        for host, shown in (("", "app.corp:8080"), ("other", "other")):
            self.settings = HttpSettings(host=host)
            self.ask()
            self.assertEqual(self.field("Host"), [shown])

    def test_body(self) -> None:
        """It is read when the connection wants it, and held back."""
        self.ask()
        self.assertIsNone(self.agent.body)
        request = self.ask("POST", body_length=None)
        producer, written = self.agent.body, []
        self.assertIs(producer.length, UNKNOWN_LENGTH)
        self.assertIsNone(request.sink)

        class Consumer:
            def write(self, data: bytes) -> None:
                written.append(data)

        done = producer.startProducing(Consumer())
        assert request.sink is not None
        request.sink.body_received(b"one")
        producer.pauseProducing()
        self.assertTrue(request.paused)
        producer.resumeProducing()
        self.assertFalse(request.paused)
        request.sink.body_ended()
        self.successResultOf(done)
        self.assertEqual(written, [b"one"])

    def test_body_breaks_off(self) -> None:
        """The sender is told why."""
        request = self.ask("POST", body_length=5)
        self.assertEqual(self.agent.body.length, 5)
        done = self.agent.body.startProducing(object())
        assert request.sink is not None
        request.sink.body_failed(RequestTimedOut())
        self.agent.asked.errback(self.failureResultOf(done))
        self.assertEqual(self.refusal(request)[0], 408)


class ResponseTests(TargetCase):
    """What the sender gets."""

    def test_streams(self) -> None:
        """Head, parts and end as they come."""
        request = self.ask()
        response = self.respond(203, A="b")
        answer = request.outcome
        assert isinstance(answer, FakeAnswer)
        self.assertEqual((answer.status, answer.reason), (203, "Said"))
        self.assertEqual((answer.headers, answer.length), ((("A", "b"),), None))
        self.assertIs(request.producer, response)
        response.protocol.dataReceived(b"one")
        self.assertEqual((answer.body, answer.end), (b"one", ""))
        response.protocol.connectionLost(Failure(ResponseDone()))
        self.assertEqual(answer.end, "finished")
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_breaks_off(self) -> None:
        """What is not complete does not look so."""
        request = self.ask()
        response = self.respond(length=9)
        response.protocol.connectionLost(Failure(ResponseFailed([])))
        assert isinstance(request.outcome, FakeAnswer)
        self.assertEqual(
            (request.outcome.end, request.outcome.length), ("broken off", 9)
        )

    def test_head(self) -> None:
        """The length of what HEAD does not get is passed on."""
        request = self.ask("HEAD")
        self.respond(200, 0, **{"Content-Length": "123"})
        assert isinstance(request.outcome, FakeAnswer)
        self.assertEqual(request.outcome.length, 123)
        self.assertEqual(request.outcome.headers, ())

    def test_no_length_of_nothing(self) -> None:
        """What Twisted says of answers without a body is not passed on."""
        for method, code in (("HEAD", 200), ("GET", 204), ("GET", 304)):
            request = self.ask(method)
            self.respond(code, 0)
            assert isinstance(request.outcome, FakeAnswer)
            self.assertIsNone(request.outcome.length)

    def test_bad_header(self) -> None:
        """A header that could split the answer is 502."""
        request = self.ask()
        response = self.respond(X="a\x0bb")
        self.assertEqual(self.refusal(request)[0], 502)
        self.assertTrue(response.lost)

    def test_redirections(self) -> None:
        """To the service itself they lead through the relay, others stay."""
        for location, through in (
            ("/base/there?x", "/Web/App/there?x"),
            ("/base", "/Web/App"),
            ("http://app.corp:8080/base/a", "/Web/App/a"),
            ("https://relay.test/base/a", "/Web/App/a"),
            ("/Web/App/knows", "/Web/App/knows"),
            ("/other", "/other"),
            ("/basement", "/basement"),
            ("relative", "relative"),
            ("//else.corp/base/", "//else.corp/base/"),
            ("http://app.corp:80801/base/", "http://app.corp:80801/base/"),
            ("https://else.corp/base/", "https://else.corp/base/"),
        ):
            request = self.ask()
            self.respond(302, Location=location)
            assert isinstance(request.outcome, FakeAnswer)
            self.assertEqual(request.outcome.headers, (("Location", through),))

    def test_failures(self) -> None:
        """502 with the target's name and the reason, which is logged."""
        for error, words in (
            (ConnectionRefusedError(), "http://app.corp:8080/base refused the conn"),
            (ResponseFailed([Failure(ConnectionRefusedError())]), "refused"),
            (ZeroDivisionError(), "The listener failed"),
        ):
            request = self.ask()
            self.agent.asked.errback(error)
            status, sentence = self.refusal(request)
            self.assertEqual(status, 502)
            self.assertIn(words, sentence)
            line = f"web/app: no answer for 203.0.113.9:4: 502 {sentence}, tracking id"
            self.assertIn(line, self.lines[-1])
            self.assertNotIn("?y", self.lines[-1])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_late(self) -> None:
        """504 when it does not begin to respond in time."""
        request = self.ask()
        self.clock.advance(59)
        self.assertIsNone(request.outcome)
        self.clock.advance(2)
        status, sentence = self.refusal(request)
        self.assertEqual(status, 504)
        self.assertIn("did not respond in time: 60 s", sentence)

    def test_sender_leaves(self) -> None:
        """What was asked is cancelled, what streams is cut."""
        request = self.ask()
        request.leave()
        self.assertIsNone(request.outcome)
        request = self.ask()
        response = self.respond()
        request.leave()
        self.assertTrue(response.lost)
        self.assertEqual(self.clock.getDelayedCalls(), [])


class KeptPathTests(TargetCase):
    """C{keep_path}."""

    settings = HttpSettings(keep_path=True)

    def test_path(self) -> None:
        """Nothing is taken off, and redirections stay."""
        request = self.ask()
        self.assertEqual(self.agent.uri, b"http://app.corp:8080/base/Web/App/x?y")
        self.assertIsNone(self.field("X-Forwarded-Prefix"))
        self.respond(302, Location="/base/a")
        assert isinstance(request.outcome, FakeAnswer)
        self.assertEqual(request.outcome.headers, (("Location", "/a"),))
        self.assertNotIsInstance(request.outcome, Answer)
        self.assertEqual(json.dumps(self.agent.method.decode()), '"GET"')
