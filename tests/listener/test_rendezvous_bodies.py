"""What a service is told of the bodies that come by a rendezvous."""

from __future__ import annotations

from attrs import evolve

from hybridconn.core.entities import Claim
from hybridconn.core.limits import Limits
from hybridconn.listener.request_rendezvous import MOST_WHOLE, WHOLE_AFTER
from hybridconn.testing.ws_peer import one_protocol
from tests.listener.test_serving import App, ServingCase
from tests.relay.http_peer import HttpPeer

CHUNKED = "Transfer-Encoding: chunked"


class RendezvousBodyTests(ServingCase):
    """Every request comes by a rendezvous, where all have a body (section 13.4)."""

    limits = evolve(Limits(), inline_requests_per_listener=1)

    def setUp(self) -> None:
        super().setUp()
        self.framings: list[tuple[bytes | None, bytes | None]] = []
        render = App.render

        def noted(app: App, request: object) -> object:
            headers = request.requestHeaders  # type: ignore[attr-defined]
            length = headers.getRawHeaders(b"Content-Length", [None])[0]
            coding = headers.getRawHeaders(b"Transfer-Encoding", [None])[0]
            self.framings.append((length, coding))
            return render(app, request)

        # The one place on the control channel is taken.
        self.client("GET /web/app/hold")
        self.assertEqual(len(self.app.held), 1)
        self.patch(App, "render", noted)

    def client(self, line: str, *fields: str, body: bytes = b"") -> HttpPeer:
        peer, relay = HttpPeer(), self.relay
        endpoint = relay.network.client_endpoint(relay.host, relay.port, secure=True)
        endpoint.connect(one_protocol(peer))
        self.flush()
        token = relay.token("web/app", Claim.SEND)
        lines = [
            f"{line} HTTP/1.1",
            f"Host: {relay.host}",
            f"ServiceBusAuthorization: {token}",
            *fields,
        ]
        peer.transport.write("\r\n".join([*lines, "", ""]).encode() + body)
        relay.network.advance(WHOLE_AFTER / 4)
        return peer

    def body_of_answer(self, peer: HttpPeer) -> bytes:
        answer = peer.answer()
        assert answer is not None
        self.assertTrue(answer.complete)
        return answer.body

    def test_none(self) -> None:
        """No body is none for the service, not an empty one in chunks."""
        for method in ("GET", "DELETE"):
            peer = self.client(f"{method} /web/app/x")
            self.assertEqual(self.body_of_answer(peer), method.encode() + b" ")
        self.assertEqual(self.framings, [(None, None)] * 2)

    def test_small(self) -> None:
        """A length that can be known soon is told, however the sender told it."""
        peer = self.client("POST /web/app/x", "Content-Length: 3", body=b"abc")
        self.assertEqual(self.body_of_answer(peer), b"POST abc")
        body = b"3\r\nabc\r\n0\r\n\r\n"
        peer = self.client("POST /web/app/x", CHUNKED, body=body)
        self.assertEqual(self.body_of_answer(peer), b"POST abc")
        peer = self.client("GET /web/app/x", CHUNKED, body=body)
        self.assertEqual(self.body_of_answer(peer), b"GET abc")
        self.assertEqual(self.framings, [(b"3", None)] * 3)

    def test_slow(self) -> None:
        """What is not whole soon, or large, goes on in chunks as it comes."""
        peer = self.client("POST /web/app/x", CHUNKED, body=b"3\r\nabc\r\n")
        self.assertEqual(self.framings, [])
        self.relay.network.advance(WHOLE_AFTER)
        peer.transport.write(b"2\r\nde\r\n0\r\n\r\n")
        self.relay.network.advance(WHOLE_AFTER)
        self.assertEqual(self.body_of_answer(peer), b"POST abcde")
        large = b"x" * (MOST_WHOLE + 1)
        peer = self.client("PUT /web/app/x", f"Content-Length: {len(large)}")
        peer.transport.write(large)
        self.relay.network.advance(2 * WHOLE_AFTER)
        self.assertEqual(self.body_of_answer(peer), b"PUT " + large)
        self.assertEqual(self.framings, [(None, b"chunked")] * 2)

    def test_body_of_a_get(self) -> None:
        """What has no body as a rule is waited for."""
        peer = self.client("GET /web/app/x", CHUNKED, body=b"3\r\nabc\r\n")
        self.relay.network.advance(20)
        self.assertEqual(self.framings, [])
        peer.transport.write(b"0\r\n\r\n")
        self.relay.network.advance(WHOLE_AFTER)
        self.assertEqual(self.body_of_answer(peer), b"GET abc")

    def test_sender_leaves(self) -> None:
        """Then the service is not asked at all."""
        peer = self.client("POST /web/app/x", CHUNKED, body=b"3\r\nabc\r\n")
        peer.transport.loseConnection()
        self.relay.network.advance(WHOLE_AFTER * 2)
        self.assertEqual(self.framings, [])
