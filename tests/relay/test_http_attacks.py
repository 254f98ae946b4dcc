"""What senders and listeners may try with HTTP requests."""

from __future__ import annotations

import json
from typing import Any

import h11
from hypothesis import given, settings
from hypothesis import strategies as st

from hybridconn.core.entities import Claim, HybridConnection
from hybridconn.testing import frames
from hybridconn.testing.ws_peer import WsPeer
from tests.relay.http_peer import HttpCase
from tests.relay.test_http_streams import StreamCase

HIDDEN = "/hyco/hidden"


class HostileSenderTests(StreamCase):
    """A sender tries to get a request past the relay, or past its listener."""

    entities = ("hyco", HybridConnection("open", False))

    def raw(self, line: str, *fields: str, body: bytes = b"") -> Any:
        """Send a head of any kind, with Host and token."""
        peer = self.client()
        token = f"ServiceBusAuthorization: {self.token(Claim.SEND)}"
        lines = [line, f"Host: {self.relay.host}", token, *fields, "", ""]
        self.send(peer, "\r\n".join(lines).encode("latin-1") + body)
        return peer

    def test_hidden_behind_chunks(self) -> None:
        """
        A request behind chunks that two parsers could read in two ways is never
        one, nor does what came before look like a complete body.
        """
        hidden = self.head(path=HIDDEN)
        for chunks in (
            b"3;a\rb\r\nabc\r\n0\r\n\r\n",
            b"3;a\nb\r\nabc\r\n0\r\n\r\n",
            b"3;\x00\r\nabc\r\n0\r\n\r\n",
            b"3\nabc\r\n0\r\n\r\n",
            b"3\r\nabc\n0\r\n\r\n",
            b"0x3\r\nabc\r\n0\r\n\r\n",
            b"+3\r\nabc\r\n0\r\n\r\n",
            b"3_\r\nabc\r\n0\r\n\r\n",
            b"8000000000000003\r\nabc\r\n0\r\n\r\n",
            b"10000000000000003\r\nabc\r\n0\r\n\r\n",
            b"0\r\nX: y\n\n",
            b"0\r\n\n",
            b"0\r\nX: y\r\n z\r\n\r\n",
            b"0\r\nX: a\rb\r\n\r\n",
            b"0\r\n: y\r\n\r\n",
        ):
            peer, socket, _ = self.stream()
            before = len(self.requests())
            self.send(peer, chunks + hidden)
            self.assertTrue(peer.received.startswith(b"HTTP/1.1 400 "), chunks)
            self.assertEqual(peer.received.count(b"HTTP/1.1"), 1, chunks)
            self.assertIsNotNone(peer.lost, chunks)
            self.assertEqual(len(self.requests()), before, chunks)
            self.assertFalse(any(one.final for one in socket.frames[1:-1]), chunks)

    def test_hidden_in_bodies(self) -> None:
        """What belongs to a body is one, whoever may think otherwise."""
        hidden = self.head(path=HIDDEN)
        self.raw("POST /hyco HTTP/1.1", f"Content-Length: {len(hidden)}", body=hidden)
        self.raw("GET /hyco HTTP/1.1", f"Content-Length: {len(hidden)}", body=hidden)
        self.raw("HEAD /hyco HTTP/1.1", f"Content-Length: {len(hidden)}", body=hidden)
        size = f"0{len(hidden)}"
        self.raw("POST /hyco HTTP/1.1", f"Content-Length: {size}", body=hidden)
        targets = [one["requestTarget"] for one in self.requests()]
        self.assertEqual(targets, ["/hyco"] * 4)
        self.assertEqual(self.control.messages[1::2], [hidden] * 4)

    def test_hidden_behind_upgrades(self) -> None:
        """Behind an upgrade, taken or not, there are frames and no requests."""
        hidden = self.head(path=HIDDEN)
        upgrade = (
            "Connection: upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
        )
        for line, fields, status in (
            ("GET /$hc/hyco?sb-hc-action=connect HTTP/1.1", upgrade, 0),
            ("GET /hyco HTTP/1.0", upgrade, 400),
            ("POST /hyco HTTP/1.1", upgrade, 405),
            ("GET /hyco HTTP/1.1", upgrade[:-1], 426),
            ("GET /hyco HTTP/1.1", (*upgrade, "Content-Length: 5"), 400),
            ("GET /hyco HTTP/1.1", (*upgrade, "Transfer-Encoding: chunked"), 400),
        ):
            peer = self.raw(line, *fields, body=hidden)
            if status:
                self.assertEqual(self.answer(peer).status, status)
                self.assertIsNotNone(peer.lost)
            self.assertEqual(peer.received, b"", line)
        told = [json.loads(str(one)) for one in self.control.messages]
        self.assertEqual([list(one) for one in told], [["accept"]])

    def test_other_upgrades(self) -> None:
        """Whatever else is offered is not passed on: the answer is HTTP/1.1."""
        fields = ("Upgrade: h2c", "HTTP2-Settings: x", "Connection: Upgrade")
        peer = self.raw(
            "GET /hyco HTTP/1.1", *fields[:2], fields[2] + ", HTTP2-Settings"
        )
        self.assertEqual(set(self.requests()[0]["requestHeaders"]), {"Host", "Via"})
        self.respond(self.control, self.requests()[0])
        self.assertEqual(self.answer(peer).status, 200)

    def test_two_hosts(self) -> None:
        """A target that names another host than Host is 400, wherever it leads."""
        host = self.relay.host
        for target, good in (
            (f"https://{host}/hyco", True),
            ("https://other.test/hyco", False),
            (f"https://me@{host}/hyco", False),
            (f"https://{host}:444/hyco", False),
        ):
            peer = self.raw(f"GET {target} HTTP/1.1")
            self.assertEqual(peer.received.startswith(b"HTTP/1.1 400 "), not good)
        self.assertEqual([one["requestTarget"] for one in self.requests()], ["/hyco"])

    def test_targets(self) -> None:
        """What is no path of HTTP, or one that needs a WebSocket, is 400."""
        for line in (
            "OPTIONS * HTTP/1.1",
            "GET hyco HTTP/1.1",
            "GET relay.test:443 HTTP/1.1",
            "GET /$hc/hyco HTTP/1.1",
            "POST /$HC/hyco HTTP/1.1",
            "GET /%24hc/hyco HTTP/1.1",
            "GET /hyco/../open HTTP/1.1",
            "GET /hyco/%2e%2e/open HTTP/1.1",
            "GET /hyco//x HTTP/1.1",
            "GET /hyco\\x HTTP/1.1",
            "GET /hyco/%00 HTTP/1.1",
            "GET /hyco/%0d%0aX:y HTTP/1.1",
            "GET /hyco#x HTTP/1.1",
        ):
            peer = self.raw(line)
            self.refused(peer, 400, "")
        self.assertEqual(self.requests(), [])

    def test_hop_by_hop(self) -> None:
        """What is for one hop, and what Connection names, ends here (section 7.2)."""
        self.raw(
            "GET /hyco HTTP/1.1",
            "Connection: close, x-Named,, Host , Via, Cookie2",
            "Connection: X-Other",
            "X-Named: 1",
            "X-OTHER: 1",
            "Keep-Alive: 5",
            "TE: trailers",
            "Trailer: X",
            "Proxy-Connection: keep-alive",
            "Proxy-Authorization: Basic secret",
            "Close: x",
            "Upgrade: other",
            "Expect: something",
            "sb-hc-anything: x",
            "SERVICEBUSAUTHORIZATION2: kept",
            "Via: 1.0 first",
            "via: 1.1 second (comment)",
            "x-MiXed: 1",
            "Cookie: a=1",
            "X-List: a",
            "cookie: b=2",
            "x-list: b, c",
        )
        self.assertEqual(
            self.requests()[0]["requestHeaders"],
            {
                "Host": self.relay.host,
                "SERVICEBUSAUTHORIZATION2": "kept",
                "x-MiXed": "1",
                "Cookie": "a=1; b=2",
                "X-List": "a, b, c",
                "Via": f"1.0 first, 1.1 second (comment), 1.1 {self.relay.host}",
            },
        )

    def test_no_body(self) -> None:
        """Neither a length of 0 nor no length at all is a body (section 7.2)."""
        for line in ("POST /hyco HTTP/1.1", "PUT /hyco HTTP/1.0"):
            for fields in ((), ("Content-Length: 0",)):
                self.raw(line, *fields)
                self.assertIs(self.requests()[-1]["body"], False)

    def test_headers_that_grow(self) -> None:
        """Fields that are too long as JSON go by a rendezvous (section 7.2)."""
        fields = [f"X-{n}: {chr(34) * 8000}" for n in range(4)]
        peer = self.raw(f"GET /hyco/{'x' * 2000} HTTP/1.1", *fields)
        (offer,) = self.requests()
        self.assertEqual(list(offer), ["address"])
        socket = self.rendezvous(offer)
        request = json.loads(str(socket.messages[0]))["request"]
        self.assertEqual(request["requestHeaders"]["X-3"], chr(34) * 8000)
        self.respond(socket, request)
        self.assertEqual(self.answer(peer).status, 200)

    def test_token_in_an_open_entity(self) -> None:
        """A token that nobody asked for is taken out all the same (section 3.3)."""
        self.control = self.listen("open")
        peer = self.client()
        head = self.head(path="/open?sb-hc-token=x&a&SB-HC-id=7", token=False)
        self.send(peer, head)
        self.assertEqual(self.requests()[0]["requestTarget"], "/open?a")

    def test_half_closed(self) -> None:
        """A client that ends its half is gone: nothing of it is left."""
        peer = self.ask("POST", body=b"x")
        peer.transport.loseWriteConnection()
        self.flush()
        self.respond(self.control, self.requests()[0])
        self.control.hang_up()
        self.flush()
        self.assertTrue(self.relay.service.desk.idle)

    def test_leaves_with_half_a_body(self) -> None:
        """The listener never hears of a small body that is not complete."""
        peer = self.client()
        self.send(peer, self.head("POST", headers={"Content-Length": "9"}) + b"half")
        peer.transport.abortConnection()
        self.flush()
        self.assertEqual(self.control.messages, [])
        self.control.hang_up()
        self.flush()
        self.assertTrue(self.relay.service.desk.idle)


class HostileListenerTests(StreamCase):
    """A listener tries to give a sender what is not its answer."""

    def late(self, method: str = "GET") -> tuple[Any, WsPeer, dict[str, Any]]:
        """A request whose listener came to the rendezvous to respond."""
        peer = self.ask(method)
        request = self.requests()[-1]
        return peer, self.rendezvous(request), request

    def test_another_listeners_request(self) -> None:
        """On a control channel only what went over it can be answered."""
        peer = self.ask()
        (request,) = self.requests()
        other = self.listen()
        self.respond(other, request, body=b"forged")
        self.assertEqual(peer.received, b"")
        self.respond(self.control, request, body=b"true")
        self.assertEqual(self.answer(peer).body, b"true")

    def test_request_of_a_rendezvous(self) -> None:
        """What came by a rendezvous must be answered there (section 7.3)."""
        peer, socket, request = self.stream()
        self.respond(self.control, request, body=b"elsewhere")
        self.assertEqual(peer.received, b"")
        self.send(peer, b"0\r\n\r\n")
        self.respond(socket, request, body=b"here")
        self.assertEqual(self.answer(peer).body, b"here")

    def test_no_second_listener(self) -> None:
        """A request whose listener is lost is never given to another (section 1)."""
        peer = self.ask()
        first, self.control = self.control, self.listen()
        first.abort()
        self.flush()
        self.refused(peer, 502, "The listener was lost")
        self.assertEqual(self.requests(), [])

    def test_late_body_on_the_control_channel(self) -> None:
        """From its head on a response has C{body_idle_timeout} for each part."""
        self.restart(ping_interval=1000.0, body_idle_timeout=20.0)
        peer = self.ask()
        (request,) = self.requests()
        self.network.advance(59)
        head = {"requestId": request["id"], "statusCode": 200, "body": True}
        self.control.text(json.dumps({"response": head}))
        self.flush()
        for number in range(5):
            self.network.advance(19)
            opcode = frames.CONTINUATION if number else frames.BINARY
            self.control.frame(opcode, b"part", number == 4)
        self.flush()
        self.assertEqual(self.answer(peer).body, b"part" * 5)
        peer = self.ask()
        head["requestId"] = self.requests()[1]["id"]
        self.control.text(json.dumps({"response": head}))
        self.control.frame(frames.BINARY, b"part", False)
        self.flush()
        self.network.advance(21)
        self.refused(peer, 504, "")
        # The rest of that body is nobody's, and the channel goes on.
        self.control.frame(frames.CONTINUATION, b"rest", True)
        again = self.ask(peer=peer)
        self.respond(self.control, self.requests()[2], body=b"next")
        self.assertEqual(self.answer(again).body, b"next")

    def test_lost_in_the_middle_of_a_message(self) -> None:
        """Half a response on the control channel is none: 502."""
        peer = self.ask()
        head = {"requestId": self.requests()[0]["id"], "body": True}
        self.control.text(json.dumps({"response": head}))
        self.control.frame(frames.BINARY, b"half", False)
        self.control.hang_up()
        self.flush()
        self.refused(peer, 502, "The listener was lost")

    def test_place_is_free_at_once(self) -> None:
        """An answer without a body makes room before the next request is read."""
        self.restart(connections_per_namespace=1)
        for method in ("GET", "HEAD"):
            peer = self.client()
            two = self.head(method, path="/hyco/1") + self.head(path="/hyco/2")
            self.send(peer, two)
            request = self.requests()[-1]
            self.respond(self.rendezvous(request), request)
            first = self.answer(peer, head_only=method == "HEAD")
            self.assertEqual(first.status, 200)
            self.respond(self.control, self.requests()[-1], 201)
            self.assertEqual(self.answer(peer).status, 201)

    def test_more_than_one(self) -> None:
        """Behind the response on a rendezvous nothing counts."""
        peer, socket, request = self.late()
        response = {"requestId": request["id"], "statusCode": 200, "body": True}
        text = json.dumps({"response": response})
        for _ in range(2):
            socket.text(text)
            socket.binary(b"body")
        self.flush()
        self.assertEqual(self.answer(peer).body, b"body")
        self.assertEqual(peer.received, b"")
        again = self.ask(peer=peer)
        self.respond(self.control, self.requests()[1], body=b"next")
        self.assertEqual(self.answer(again).body, b"next")

    def test_broken_frames(self) -> None:
        """A body whose frames break the rules does not look complete."""
        for send in (
            lambda s: s.frame(frames.TEXT, b"x", True),  # within a message
            lambda s: s.frame(frames.BINARY, b"x", True),
            lambda s: s.frame(frames.CONTINUATION, b"x", True, rsv=4),
            lambda s: s.frame(frames.CONTINUATION, b"x", True, masked=False),
            lambda s: s.frame(frames.CONTINUATION, b"x", announced=2**63),
            lambda s: s.frame(0x3, b"x"),
            lambda s: s.frame(frames.PING, b"x" * 126),
            lambda s: s.close(1005),
            lambda s: s.close(1000, b"\xff"),
            lambda s: s.close(4000),
            lambda s: s.close(None),
        ):
            peer, socket, request = self.late()
            self.begin(socket, request)
            self.part(socket, b"half", True, False)
            send(socket)
            self.flush()
            answer = peer.answer()
            assert answer is not None
            self.assertEqual((answer.body, answer.complete), (b"half", False))
            self.assertIsNotNone(peer.lost)

    def test_never_a_body(self) -> None:
        """HEAD, 204 and 304 have none by the rendezvous either; the next answer is
        where it belongs."""
        for method, status in (("HEAD", 200), ("GET", 204), ("GET", 304)):
            peer, socket, request = self.late(method)
            self.begin(socket, request, statusCode=status)
            self.part(socket, b"HTTP/1.1 200 OK\r\n\r\n", True, True)
            self.assertEqual(self.answer(peer, head_only=True).status, status)
            self.assertEqual(peer.received, b"")
            again = self.ask(peer=peer)
            self.respond(self.control, self.requests()[-1], body=b"next")
            self.assertEqual(self.answer(again).body, b"next")

    def test_drips_what_nobody_gets(self) -> None:
        """A body that is thrown away may not last long."""
        self.restart(ping_interval=1000.0)
        peer, socket, request = self.late("HEAD")
        self.begin(socket, request)
        self.answer(peer, head_only=True)
        for number in range(6):
            self.assertIsNone(socket.close_frame)
            self.part(socket, b"x", number == 0, False)
            self.network.advance(10.1)
        self.assertClosed(socket, 1001)

    def test_other_commands(self) -> None:
        """What is no response on the control channel harms no request."""
        peer = self.ask()
        for text in (
            "",
            "null",
            "[]",
            '{"response": null}',
            '{"response": {"requestId": 7}}',
            '{"response": {"requestId": ""}}',
            '{"request": {}}',
            '{"response": {}, "request": {}}',
            '{"response": {"requestId": "a", "requestId": "b"}}',
            "[" * 5000,
        ):
            self.control.text(text)
        self.control.binary(b'{"response": 1}')
        self.respond(self.control, self.requests()[0])
        self.assertEqual(self.answer(peer).status, 200)


_TEXT = st.text(
    st.sampled_from('aZ0 :;,\t\r\n\0\x0b\x1f\x7f\x80\x85\xa0ÿ€\u010a\u2028\ud800/="')
)
_NAMES = st.sampled_from(
    [
        *("Content-Length", "transfer-encoding", "Connection", "Trailer", "Upgrade"),
        *("Set-Cookie", "Via", "Date", "X", "x", "TE", "Keep-Alive", "Server"),
        *("Content-Length ", "\tX", "X\r\nY", "", ":", "ü"),
    ]
)
_VALUES = (
    st.sampled_from(["0", "5", "chunked", "close", "websocket", "gzip, chunked"])
    | _TEXT
    | st.integers()
    | st.booleans()
    | st.none()
    | st.lists(_TEXT, max_size=3)
)


class SplittingTests(HttpCase):
    """Nothing that a listener says makes two answers of one."""

    @settings(deadline=None)
    @given(
        method=st.sampled_from(["GET", "HEAD", "POST"]),
        version=st.sampled_from([b"1.1", b"1.0"]),
        rendezvous=st.booleans(),
        status=st.sampled_from([100, 101, 199, 200, 204, 205, 304, 404, 999, "200"])
        | st.integers(-5, 1200)
        | _TEXT,
        reason=_TEXT | st.integers(),
        headers=st.dictionaries(_NAMES, _VALUES, max_size=5),
        body=st.none()
        | st.binary(max_size=30)
        | st.just(b"\r\nHTTP/1.1 200 OK\r\n\r\n"),
    )
    def test_one_answer(
        self,
        method: str,
        version: bytes,
        rendezvous: bool,
        status: object,
        reason: object,
        headers: dict[str, object],
        body: bytes | None,
    ) -> None:
        """A strict client finds one answer, and then that to its next request."""
        peer = self.client()
        self.send(peer, self.head(method).replace(b"HTTP/1.1", b"HTTP/" + version))
        request = self.requests()[-1]
        socket = self.rendezvous(request) if rendezvous else self.control
        response = {
            "requestId": request["id"],
            "statusCode": status,
            "statusDescription": reason,
            "responseHeaders": headers,
            "body": body is not None,
        }
        # Lone surrogates are escaped: they are no UTF-8.
        socket.text(json.dumps({"response": response}))
        if body is not None:
            socket.binary(body)
        self.flush()
        first = self.read(peer, method)
        vias = [value for name, value in first.headers if name == b"via"]
        if vias:
            self.assertEqual(first.status_code, int(str(status)))
            self.assertTrue(vias[-1].endswith(f"1.1 {self.relay.host}".encode()))
        else:
            self.assertEqual(first.status_code, 502)
        if version == b"1.1":
            again = self.ask(peer=peer)
            self.respond(self.control, self.requests()[-1], 299, body=b"next")
            self.assertEqual(self.read(again, "GET").status_code, 299)

    def read(self, peer: Any, method: str) -> Any:
        """The one answer that came, complete, with nothing behind it."""
        http = h11.Connection(h11.CLIENT)
        http.send(h11.Request(method=method, target="/", headers=[("Host", "h")]))
        http.send(h11.EndOfMessage())
        http.receive_data(peer.received)
        if peer.lost is not None:
            http.receive_data(b"")
        peer.received = b""
        response = http.next_event()
        self.assertIsInstance(response, h11.Response)
        while isinstance(event := http.next_event(), h11.Data):
            pass
        self.assertIsInstance(event, h11.EndOfMessage)
        self.assertEqual(http.trailing_data[0], b"")
        return response
