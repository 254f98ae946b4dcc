"""Tests for L{hybridconn.websocket.client}: every answer that a relay can give."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionDone,
    ConnectionLost,
    TimeoutError,
)
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.testing import Frame, RecordingSink, WsPeer, one_protocol
from hybridconn.testing.frames import TEXT, encode
from hybridconn.websocket.base import ProtocolViolation
from hybridconn.websocket.client import HandshakeRefused, WebSocketUrl
from tests.websocket.scene import URL, WebSocketTestCase


class RequestTests(WebSocketTestCase):
    """What is asked for."""

    def test_request(self) -> None:
        """The request is RFC 6455's, with our headers and nothing of Autobahn's."""
        peer = WsPeer.server()
        dialled = self.dial(
            peer,
            headers={"ServiceBusAuthorization": "token"},
            user_agent="ours/1",
            url="wss://relay.test/$hc/a%2fb?&&x=%2B+",
        )
        self.successResultOf(dialled)
        self.assertEqual(peer.start_line, "GET /$hc/a%2fb?&&x=%2B+ HTTP/1.1")
        headers = peer.headers
        self.assertEqual(headers["servicebusauthorization"], "token")
        self.assertEqual(headers["user-agent"], "ours/1")
        self.assertEqual(headers["sec-websocket-version"], "13")
        self.assertEqual(headers["upgrade"].lower(), "websocket")
        self.assertEqual(headers["host"].partition(":")[0], "relay.test")
        self.assertNotIn("sec-websocket-extensions", headers)
        self.assertNotIn("sec-websocket-protocol", headers)
        self.assertEqual(len(headers["sec-websocket-key"]), 24)

    def test_fresh_keys(self) -> None:
        """Each request has a key of its own."""
        keys = set()
        for _ in range(3):
            peer = WsPeer.server()
            self.successResultOf(self.dial(peer))
            keys.add(peer.headers["sec-websocket-key"])
        self.assertEqual(len(keys), 3)

    def test_no_path(self) -> None:
        """An address without a path asks for the root."""
        peer = WsPeer.server()
        self.successResultOf(self.dial(peer, url="wss://relay.test"))
        self.assertEqual(peer.start_line, "GET / HTTP/1.1")

    def test_subprotocols(self) -> None:
        """Sub-protocols are offered in order; the relay's choice is the tunnel's."""
        peer = WsPeer.server()
        answer = peer._accept

        def choose() -> bytes:
            return answer()[:-2] + b"Sec-WebSocket-Protocol: two\r\n\r\n"

        self.patch(peer, "_accept", choose)
        tunnel = self.successResultOf(self.dial(peer, subprotocols=("one", "two")))
        self.assertEqual(peer.headers["sec-websocket-protocol"], "one,two")
        self.assertEqual(tunnel.websocket_protocol_in_use, "two")


class AddressTests(SynchronousTestCase):
    """Addresses to dial."""

    def test_parts(self) -> None:
        """Scheme, host and port are read, the rest is left as it is."""
        for url, parts in {
            "wss://relay.test/a?b": (True, "relay.test", 443, "/a?b"),
            "ws://relay.test": (False, "relay.test", 80, "/"),
            "WSS://Relay.Test:8443/A%2f": (True, "relay.test", 8443, "/A%2f"),
            "ws://[2001:db8::7]:1/": (False, "2001:db8::7", 1, "/"),
            "wss://relay.test?x=http://y/": (True, "relay.test", 443, "/?x=http://y/"),
        }.items():
            url_parts = WebSocketUrl.parse(url)
            self.assertEqual(
                (
                    url_parts.secure,
                    url_parts.host,
                    url_parts.port,
                    url_parts.resource,
                ),
                parts,
            )
        self.assertEqual(WebSocketUrl.parse("ws://[::1]/").bracketed_host, "[::1]")

    def test_bad(self) -> None:
        """What cannot be dialled is refused, and not repeated in the words."""
        for url in (
            "",
            "relay.test",
            "https://relay.test/s3cret",
            "wss:///s3cret",
            "wss://relay.test/s3cret\r\nX: y",
            "wss://relay.test/s3cret é",
            "wss://relay.test/#s3cret",
            "wss://relay.test:s3cret/",
            "wss://relay.test:99999/s3cret",
            "wss://[s3cret/",
            "wss://s3cret\u2100/",
        ):
            error = self.assertRaises(ValueError, WebSocketUrl.parse, url)
            self.assertNotIn("s3cret", str(error))


class RefusalTests(WebSocketTestCase):
    """Answers other than a proper 101."""

    def refused(self, answer: bytes) -> HandshakeRefused:
        """Dial a relay with C{answer}; check that nothing is left of it."""
        sink = RecordingSink()
        peer = WsPeer.server(answer)
        failure = self.failureResultOf(self.dial(peer, sink), HandshakeRefused)
        self.advance(100.0)
        self.assertIsNotNone(peer.lost)
        self.assertIsNotNone(sink.lost)
        self.assertEqual(sink.pieces, [])
        self.quiet()
        error = failure.value
        assert isinstance(error, HandshakeRefused)
        self.assertIsInstance(error, ConnectError)
        return error

    def test_words(self) -> None:
        """Status, the relay's own words and the tracking id come through."""
        words = "The token is expired. Expiration time: '2030-01-01'. TrackingId:t_G0"
        for status in (400, 401, 403, 404, 408, 410, 429, 500, 502, 503):
            error = self.refused(
                f"HTTP/1.1 {status} {words}\r\nTrackingId: t_G0\r\n"
                "Content-Length: 2\r\n\r\nno".encode()
            )
            self.assertEqual((error.status, error.reason), (status, words))
            self.assertEqual(error.tracking_id, "t_G0")
            self.assertEqual(str(error), f"{status} {words}")

    def test_few_words(self) -> None:
        """A status without words, and an answer without a tracking id, are fine."""
        for line in (b"HTTP/1.1 404 ", b"HTTP/1.1 404", b"HTTP/1.0 404"):
            error = self.refused(line + b"\r\n\r\n")
            self.assertEqual((error.status, error.reason), (404, ""))
            self.assertEqual(error.tracking_id, "")

    def test_ordinary_page(self) -> None:
        """A web server that knows no WebSocket answers 200: refused."""
        error = self.refused(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        self.assertEqual((error.status, error.reason), (200, "OK"))

    def test_redirect(self) -> None:
        """A redirection is not followed."""
        error = self.refused(
            b"HTTP/1.1 302 Found\r\nLocation: wss://evil.test/\r\n\r\n"
        )
        self.assertEqual(error.status, 302)

    def test_bad_101(self) -> None:
        """A 101 without proof that it is a WebSocket's is refused."""
        good = (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
        )
        for answer in (
            good + b"\r\n",
            good + b"Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
            b"HTTP/1.1 101 OK\r\n\r\n",
        ):
            self.assertIn(self.refused(answer).status, (0, 101))

    def test_unasked_extension(self) -> None:
        """A 101 with an extension that nobody offered is refused."""
        self._bad_accept(b"Sec-WebSocket-Extensions: permessage-deflate\r\n")

    def test_unasked_subprotocol(self) -> None:
        """A 101 with a sub-protocol that nobody offered is refused."""
        self._bad_accept(b"Sec-WebSocket-Protocol: chat\r\n")

    def _bad_accept(self, field: bytes) -> None:
        peer = WsPeer.server()
        answer = peer._accept
        self.patch(peer, "_accept", lambda: answer()[:-2] + field + b"\r\n")
        self.failureResultOf(self.dial(peer), HandshakeRefused)
        self.advance(100.0)
        self.quiet()

    def test_garbage(self) -> None:
        """An answer that is no HTTP has no status, and words that say so."""
        for answer in (
            b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
            b"\x00\xff\xfe\r\n\r\n",
            b"\r\n\r\n",
            b"HTTP/1.1 abc def\r\n\r\n",
            b"HTTP/1.1 101 OK\r\nno colon here\r\n\r\n",
            b"HTTP/9.9 101 OK\r\n\r\n",
        ):
            error = self.refused(answer)
            self.assertIn(error.status, (0, 101), answer)
            self.assertNotEqual(str(error).strip(), "", answer)

    def test_endless_head(self) -> None:
        """A head of more than 64 KiB is not read to its end."""
        error = self.refused(b"HTTP/1.1 404 No\r\n" + b"X: " + b"y" * 70_000)
        self.assertIn("64 KiB", str(error))

    def test_in_pieces(self) -> None:
        """An answer may come byte by byte."""
        self.network.faults.piece_bytes = 1
        error = self.refused(b"HTTP/1.1 404 No\r\nTrackingId: t\r\n\r\n")
        self.assertEqual((error.status, error.tracking_id), (404, "t"))

    def test_stays_open(self) -> None:
        """A relay that keeps the refused connection alive cannot keep it open."""
        error = self.refused(
            b"HTTP/1.1 404 No\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"
        )
        self.assertEqual(error.status, 404)


class AttemptTests(WebSocketTestCase):
    """Attempts that get no answer."""

    def test_lost(self) -> None:
        """A relay that hangs up or resets before its answer fails the dial."""
        for end_it, why in (
            (WsPeer.hang_up, ConnectionDone),
            (WsPeer.abort, ConnectionLost),
        ):
            peer, sink = WsPeer.server(b" "), RecordingSink()
            dialled = self.dial(peer, sink)
            self.assertNoResult(dialled)
            end_it(peer)
            self.flush()
            self.failureResultOf(dialled, why)
            self.assertIsNotNone(sink.lost)
            self.quiet()

    def test_no_answer_to_tcp(self) -> None:
        """The time limit holds for TCP, too."""
        self.network.faults.ignore("relay.test", 443)
        dialled = self.dial(None, timeout=20.0)
        self.advance(19.9)
        self.assertNoResult(dialled)
        self.advance(0.2)
        error = self.failureResultOf(dialled, TimeoutError).value
        self.assertIn("no answer within 20 s", str(error))
        self.quiet()

    def test_dripping(self) -> None:
        """The time limit is for the whole, however steadily bytes come."""
        self.network.faults.piece_bytes = 1
        peer = WsPeer.server(b"HTTP/1.1 404 No\r\n")
        dialled = self.dial(peer, timeout=20.0)
        for _ in range(19):
            peer.send(b"X: y\r\n")
            self.advance(1.0)
        self.assertNoResult(dialled)
        self.advance(1.1)
        self.failureResultOf(dialled, TimeoutError)
        self.flush()
        self.quiet()

    def test_slow_but_in_time(self) -> None:
        """An answer just before the limit is good, and ends the limit."""
        self.network.faults.delay = 4.0
        peer = WsPeer.server()
        port = self.network.listen("relay.test", 443, one_protocol(peer))
        dialled = self.dial(None, timeout=12.1)
        self.advance(12.0)
        tunnel = self.successResultOf(dialled)
        self.advance(100.0)
        self.assertEqual(tunnel.state, tunnel.STATE_OPEN)
        port.stopListening()

    def test_cancelled_at_each_step(self) -> None:
        """Giving up at any moment closes what was half made, and fails once."""
        self.network.faults.delay = 1.0
        for after in (0.0, 0.5, 1.5, 2.5):
            peer = WsPeer.server()
            port = self.network.listen("relay.test", 443, one_protocol(peer))
            dialled = self.dial(None)
            self.advance(after)
            dialled.cancel()
            failure = self.failureResultOf(dialled)
            failure.trap(CancelledError, ConnectingCancelledError)
            self.advance(30.0)
            self.quiet()
            port.stopListening()

    def test_opened_is_not_cancelled(self) -> None:
        """Cancelling afterwards does not touch the open tunnel."""
        peer = WsPeer.server()
        dialled = self.dial(peer)
        tunnel = self.successResultOf(dialled)
        dialled.cancel()
        tunnel.send_piece(b"x", True, True)
        self.flush()
        self.assertEqual(peer.messages, [b"x"])

    def test_violation_behind_the_answer(self) -> None:
        """What is wrong behind a good 101 is a tunnel that is lost."""
        peer, sink = WsPeer.server(), RecordingSink()
        answer = peer._accept
        bad = encode(Frame(TEXT, b"masked", masked=True))
        self.patch(peer, "_accept", lambda: answer() + bad)
        self.dial(peer, sink)
        self.lost(sink, ProtocolViolation)
        self.assertEqual(sink.pieces, [])
        self.advance(100.0)
        self.quiet()

    def test_default_address(self) -> None:
        """The scheme says whether TLS is used."""
        for url, secure in ((URL, True), ("ws://relay.test:443/", False)):
            self.successResultOf(self.dial(WsPeer.server(), url=url))
            self.assertEqual(self.connection.secure, secure)
