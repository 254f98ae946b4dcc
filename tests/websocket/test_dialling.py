"""Dialling a WebSocket, and giving it up."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionRefusedError, TimeoutError
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.limits import Limits
from hybridconn.testing.fakes import RecordingSink
from hybridconn.testing.network import MemoryNetwork
from hybridconn.testing.ws_peer import WsPeer, one_protocol
from hybridconn.websocket.client import (
    HandshakeRefused,
    WebSocketUrl,
    connect_websocket,
)

URL = "ws://relay.test/$hc/a%2Fb?x=%2B&&y"


class DiallingTests(SynchronousTestCase):
    """One attempt, whatever comes of it."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()

    def serve(self, answer: bytes | None = None) -> WsPeer:
        peer = WsPeer.server(answer)
        self.network.listen("relay.test", 80, one_protocol(peer))
        return peer

    def dial(self, **more: Any) -> Deferred[Any]:
        dialled = connect_websocket(
            self.network.dialer(), self.network.clock, Limits(), URL, **more
        )
        self.network.flush()
        return dialled

    def test_opened(self) -> None:
        """Path and query go out byte for byte, nothing is negotiated."""
        peer = self.serve()
        tunnel = self.successResultOf(self.dial(headers={"X-Test": "1"}))
        self.assertEqual(peer.start_line, "GET /$hc/a%2Fb?x=%2B&&y HTTP/1.1")
        self.assertEqual(peer.headers["x-test"], "1")
        self.assertNotIn("sec-websocket-extensions", peer.headers)
        peer.text("hello")
        self.network.flush()
        sink = RecordingSink()
        tunnel.attach(sink)
        self.network.flush()
        self.assertEqual(sink.messages, ["hello"])

    def test_refused(self) -> None:
        """An answer that is not 101 is the failure, with its words."""
        self.serve(
            b"HTTP/1.1 404 There are no listeners\r\nTrackingId: abc_G0\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        error = self.failureResultOf(self.dial(), HandshakeRefused).value
        self.assertEqual(
            (error.status, error.reason, error.tracking_id),
            (404, "There are no listeners", "abc_G0"),
        )

    def test_controls(self) -> None:
        """The words of an answer become one line that no terminal obeys."""
        self.serve(
            b"HTTP/1.1 404 no\x1b[2J no\r\nTrackingId: \x1babc\r\n"
            b"Content-Length: 0\r\n\r\n"
        )
        error = self.failureResultOf(self.dial(), HandshakeRefused).value
        self.assertEqual((error.reason, error.tracking_id), ("no [2J no", "abc"))

    def test_no_relay(self) -> None:
        """Where nobody listens the connection is refused."""
        self.failureResultOf(self.dial(), ConnectionRefusedError)

    def test_garbage(self) -> None:
        """An answer that is no HTTP, or endless, is a refusal without status."""
        for answer in (b"\xff\xfe rubbish\r\n\r\n", b"x" * 70_000):
            self.network = MemoryNetwork()
            self.serve(answer)
            error = self.failureResultOf(self.dial(), HandshakeRefused).value
            self.assertEqual(error.status, 0)

    def test_silence(self) -> None:
        """No answer within the time-out is one, and leaves nothing behind."""
        peer = self.serve(b" ")
        dialled = self.dial(timeout=5.0)
        self.network.advance(4.9)
        self.assertNoResult(dialled)
        self.network.advance(0.2)
        self.failureResultOf(dialled, TimeoutError)
        self.assertIsNotNone(peer.lost)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_cancelled(self) -> None:
        """Giving up breaks the half-made connection, and fails only once."""
        peer = self.serve(b" ")
        dialled = self.dial()
        dialled.cancel()
        self.failureResultOf(dialled, CancelledError)
        self.network.advance(60)
        self.assertIsNotNone(peer.lost)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_addresses(self) -> None:
        """Only ws: and wss: addresses are dialled; the text is not repeated."""
        for url in ("http://a/", "ws://", "a", "wss://a/b c", "ws://a/#f"):
            error = self.assertRaises(ValueError, WebSocketUrl.parse, url)
            self.assertNotIn("sb-hc", str(error))
        parsed = WebSocketUrl.parse("wss://[::1]:8443?x")
        self.assertEqual(
            (parsed.secure, parsed.host, parsed.port, parsed.resource),
            (True, "::1", 8443, "/?x"),
        )
