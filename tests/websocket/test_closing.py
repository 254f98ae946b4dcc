"""Tests for the two halves of the closing handshake, and for other ends."""

from __future__ import annotations

import struct
from collections.abc import Callable

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost

from hybridconn.testing import RecordingSink, WsPeer
from hybridconn.testing.frames import CLOSE, PONG
from hybridconn.websocket.base import ProtocolViolation, StreamingWebSocket
from hybridconn.websocket.closing import (
    MAX_REASON_BYTES,
    TunnelClosed,
    close_reason,
    valid_close_code,
)
from tests.websocket.scene import WebSocketTestCase

_VALID = (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014)
_INVALID = (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535)


class WordsTests(WebSocketTestCase):
    """Codes and reasons by themselves."""

    def test_codes(self) -> None:
        """Registered codes and those for applications may go over the wire."""
        for code in (*_VALID, 3000, 3999, 4000, 4999):
            self.assertTrue(valid_close_code(code), code)
        for code in _INVALID:
            self.assertFalse(valid_close_code(code), code)

    def test_reason(self) -> None:
        """A reason is cut to 123 bytes, between characters."""
        self.assertEqual(close_reason("bye"), b"bye")
        self.assertEqual(close_reason("x" * 200), b"x" * MAX_REASON_BYTES)
        self.assertEqual(close_reason("x" + "é" * 100), ("x" + "é" * 61).encode())
        self.assertEqual(close_reason("€" * 100), ("€" * 41).encode())

    def test_tunnel_closed(self) -> None:
        """Code and reason can be read, and read well."""
        error = TunnelClosed(4001, "bye")
        self.assertEqual((error.code, error.reason), (4001, "bye"))
        self.assertEqual(str(error), "tunnel closed with 4001: bye")
        self.assertEqual(
            str(TunnelClosed(1011, "")), "tunnel closed with 1011: no reason given"
        )


class CloseFrameTests(WebSocketTestCase):
    """What may stand in a Close that comes."""

    def close_with(self, payload: bytes) -> tuple[RecordingSink, WsPeer]:
        sink = RecordingSink()
        _, peer = self.server(sink)
        peer.frame(CLOSE, payload)
        self.flush()
        return sink, peer

    def test_valid(self) -> None:
        """Every valid code comes through with its reason, and is not answered."""
        for code in (*_VALID, 3000, 4999):
            sink, peer = self.close_with(struct.pack("!H", code) + "é".encode())
            self.assertEqual(sink.closed, (code, "é".encode()))
            self.assertEqual((sink.lost, peer.frames), (None, []))

    def test_empty(self) -> None:
        """A Close without a code comes through without a code."""
        sink, peer = self.close_with(b"")
        self.assertEqual((sink.closed, peer.frames), ((None, b""), []))

    def test_longest_reason(self) -> None:
        """123 bytes of reason are fine."""
        sink, _ = self.close_with(b"\x03\xe8" + b"x" * 123)
        self.assertEqual(sink.closed, (1000, b"x" * 123))

    def test_invalid_codes(self) -> None:
        """A code that may not be sent breaks the protocol: 1002, no Close told."""
        for code in _INVALID:
            sink, peer = self.close_with(struct.pack("!H", code))
            self.assertIsNone(sink.closed)
            self.lost(sink, ProtocolViolation)
            self.assertEqual(peer.close_frame, (1002, f"invalid close code {code}"))

    def test_invalid_reason(self) -> None:
        """A reason that is not UTF-8 is 1007."""
        sink, peer = self.close_with(b"\x03\xe8\xff\xfe")
        self.lost(sink, ProtocolViolation)
        assert peer.close_frame is not None
        self.assertEqual(peer.close_frame[0], 1007)

    def test_void_behind_it(self) -> None:
        """What follows a Close is thrown away, in the same read and later."""
        sink = RecordingSink()
        _, peer = self.server(sink)
        peer.text("before")
        peer.close(4000)
        peer.text("behind")
        self.flush()
        peer.text("later")
        peer.close(4001)
        self.flush()
        self.assertEqual((sink.messages, sink.closed), (["before"], (4000, b"")))
        self.assertEqual(peer.frames, [])


class HalvesTests(WebSocketTestCase):
    """Each half closes by itself."""

    def both(
        self, check: Callable[[StreamingWebSocket, WsPeer, RecordingSink], None]
    ) -> None:
        """Check a rule at the relay's end and at a client's."""
        for make in (self.server, self.client):
            sink = RecordingSink()
            end, peer = make(sink)
            check(end, peer, sink)

    def test_peer_first(self) -> None:
        """After the peer's Close we may still send, for as long as we like."""

        def check(end: StreamingWebSocket, peer: WsPeer, sink: RecordingSink) -> None:
            peer.close(1000, b"Shutdown")
            self.advance(1000.0)
            self.assertTrue(end.close_received)
            end.send_piece(b"rest", True, True)
            self.flush()
            self.assertEqual((peer.messages, peer.close_frame), ([b"rest"], None))
            end.send_close(4000, b"done")
            self.flush()
            self.assertEqual(peer.close_frame, (4000, "done"))

        self.both(check)

    def test_we_first(self) -> None:
        """After our Close the peer may still send, for as long as it likes."""

        def check(end: StreamingWebSocket, peer: WsPeer, sink: RecordingSink) -> None:
            end.send_close(1000, b"Shutdown")
            self.advance(1000.0)
            self.assertEqual(peer.close_frame, (1000, "Shutdown"))
            peer.binary(b"rest")
            self.flush()
            self.assertEqual((sink.messages, sink.lost), ([b"rest"], None))
            peer.close(1000)
            self.flush()
            self.assertEqual(sink.closed, (1000, b""))

        self.both(check)

    def test_server_hangs_up(self) -> None:
        """After both Closes the relay closes the connection, promptly."""
        for first in ("peer", "we"):
            sink = RecordingSink()
            end, peer = self.server(sink)
            if first == "peer":
                peer.close()
                self.flush()
                end.send_close(1000, b"")
            else:
                end.send_close(1000, b"")
                self.flush()
                peer.close()
            self.flush()
            self.lost(sink, ConnectionDone)
            self.quiet()

    def test_client_waits(self) -> None:
        """A client leaves that to the relay, for 5 s."""
        sink = RecordingSink()
        end, peer = self.client(sink)
        peer.close()
        self.flush()
        end.send_close(1000, b"")
        self.advance(4.9)
        self.assertIsNone(sink.lost)
        self.advance(0.2)
        self.lost(sink, ConnectionDone)
        self.assertIsNotNone(peer.lost)

    def test_client_is_told(self) -> None:
        """A relay that hangs up after both Closes ends it at once."""
        sink = RecordingSink()
        end, peer = self.client(sink)
        end.send_close(1000, b"")
        self.flush()
        peer.close()
        peer.hang_up()
        self.flush()
        self.lost(sink, ConnectionDone)

    def test_pings_after_peers_close(self) -> None:
        """While only the peer has closed we may still ping it."""
        end, peer = self.server(RecordingSink())
        peer.close()
        self.flush()
        end.send_ping()
        self.flush()
        self.assertEqual(len(peer.frames), 1)

    def test_empty(self) -> None:
        """A Close without a code is sent without a code."""
        end, peer = self.server(RecordingSink())
        end.send_close(None, b"")
        self.flush()
        self.assertEqual(peer.close_frame, (None, ""))

    def test_any_valid_code(self) -> None:
        """Every code that may come may be sent."""
        for code in (*_VALID, 3000, 4999):
            end, peer = self.server(RecordingSink())
            end.send_close(code, b"why")
            self.flush()
            self.assertEqual(peer.close_frame, (code, "why"))

    def test_hang_up_without_close(self) -> None:
        """A connection that ends without a Close is a loss, no Close is told."""
        for end_it in (WsPeer.hang_up, WsPeer.abort):
            sink = RecordingSink()
            _, peer = self.server(sink)
            end_it(peer)
            self.flush()
            self.assertIsNone(sink.closed)
            self.lost(
                sink, ConnectionDone if end_it is WsPeer.hang_up else ConnectionLost
            )


class EndsTests(WebSocketTestCase):
    """finish, drop and abort."""

    def setUp(self) -> None:
        super().setUp()
        self.sink = RecordingSink()
        self.end, self.peer = self.server(self.sink)

    def test_finish(self) -> None:
        """finish closes with a code, ignores what comes, and waits for a Close."""
        self.peer.text("heard")
        self.flush()
        self.end.finish(1008, b"enough")
        self.peer.text("unheard")
        self.advance(1.0)
        self.assertEqual(self.peer.close_frame, (1008, "enough"))
        self.assertIsNone(self.peer.lost)
        self.peer.close(1008)
        self.flush()
        self.assertEqual((self.sink.messages, self.sink.closed), (["heard"], None))
        self.assertIsNotNone(self.sink.lost)
        self.quiet()

    def test_finish_in_vain(self) -> None:
        """A peer that does not answer is dropped after 5 s."""
        self.end.finish(1001, b"bye")
        self.advance(4.9)
        self.assertIsNone(self.peer.lost)
        self.advance(0.2)
        assert self.peer.lost is not None
        self.peer.lost.trap(ConnectionDone)
        self.quiet()

    def test_finish_a_paused_one(self) -> None:
        """finish reads on, so that the answer can be seen."""
        self.end.pause()
        self.end.finish(1001, b"bye")
        self.peer.close(1001)
        self.flush()
        self.quiet()

    def test_finish_a_deaf_one(self) -> None:
        """A peer that reads nothing is gone at last, its buffers with it."""
        self.peer.pause()
        self.end.send_piece(bytes(200_000), True, True)
        self.end.finish(1001, b"bye")
        self.advance(5.0 + 60.0 + 0.1)
        self.lost(self.sink, ConnectionAborted)
        self.peer.resume()
        self.flush()
        self.quiet()

    def test_finish_after_its_close(self) -> None:
        """finish after the peer's Close ends it at once."""
        self.peer.close(1000)
        self.flush()
        self.end.finish(1000, b"")
        self.flush()
        self.assertEqual(self.peer.close_frame, (1000, ""))
        self.quiet()

    def test_drop(self) -> None:
        """drop sends what is queued, no Close, and delivers nothing more."""
        self.end.send_piece(bytes(200_000), True, True)
        self.end.drop()
        self.peer.text("unheard")
        self.flush()
        self.assert_messages(self.peer, [bytes(200_000)])
        self.assertIsNone(self.peer.close_frame)
        self.assertIsNotNone(self.peer.lost)
        self.assertEqual(self.sink.messages, [])
        self.quiet()

    def test_drop_a_paused_one(self) -> None:
        """drop of an end that was not read ends it too."""
        self.end.pause()
        self.end.drop()
        self.flush()
        self.assertIsNotNone(self.sink.lost)
        self.quiet()

    def test_drop_a_deaf_one(self) -> None:
        """What cannot be written within 60 s is given up."""
        self.peer.pause()
        self.end.send_piece(bytes(200_000), True, True)
        self.end.drop()
        self.advance(59.9)
        self.assertIsNone(self.sink.lost)
        self.advance(0.2)
        self.lost(self.sink, ConnectionAborted)

    def test_abort(self) -> None:
        """abort breaks the connection: the peer sees a reset."""
        self.end.send_piece(bytes(1000), True, True)
        self.end.abort()
        self.flush()
        self.assertEqual(self.peer.frames, [])
        assert self.peer.lost is not None
        self.peer.lost.trap(ConnectionLost)
        self.lost(self.sink, ConnectionAborted)
        self.quiet()

    def test_pings_while_finishing(self) -> None:
        """While it waits for the Close, a peer's pings do no harm."""
        self.end.finish(1001, b"bye")
        self.peer.frame(9)
        self.flush()
        self.assertNotIn(PONG, [frame.opcode for frame in self.peer.frames])
        self.peer.close()
        self.flush()
        self.quiet()

    def test_violation_while_finishing(self) -> None:
        """A peer that breaks a rule while it should close is let go."""
        self.end.finish(1001, b"bye")
        self.peer.frame(3)
        self.advance(10.0)
        self.assertEqual(len(self.peer.frames), 1)
        self.quiet()
