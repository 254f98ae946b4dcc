"""HTTP requests and responses that come by a rendezvous (section 7.2 to 7.4)."""

from __future__ import annotations

import json
from typing import Any

from hybridconn.testing import frames
from hybridconn.testing.ws_peer import WsPeer
from tests.relay.http_peer import HttpCase, HttpPeer
from tests.relay.scene import watch_log

CHUNKED = {"Transfer-Encoding": "chunked"}


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


class StreamCase(HttpCase):
    """A request by delivery B."""

    def stream(
        self, method: str = "POST", path: str = "/hyco/up?x=1"
    ) -> tuple[HttpPeer, WsPeer, dict[str, Any]]:
        """The client, in the middle of its body; the rendezvous; the command."""
        peer = self.client()
        self.send(peer, self.head(method, path, CHUNKED))
        offer = self.requests()[-1]
        self.assertEqual(list(offer), ["address"])
        socket = self.rendezvous(offer)
        self.assertEqual(socket.status, 101)
        (text,) = socket.messages
        return peer, socket, json.loads(text)["request"]

    def begin(self, socket: WsPeer, request: dict[str, Any], **more: object) -> None:
        """Write the head of a response whose body is to follow."""
        response = {"requestId": request["id"], "statusCode": 200, "body": True}
        socket.text(json.dumps({"response": response | more}))
        self.flush()

    def part(self, socket: WsPeer, data: bytes, first: bool, final: bool) -> None:
        """Write a frame of a response's body."""
        opcode = frames.BINARY if first else frames.CONTINUATION
        socket.frame(opcode, data, final)
        self.flush()

    def assertClosed(self, socket: WsPeer, code: int, words: str = "") -> None:
        """The relay closed it so."""
        assert socket.close_frame is not None
        self.assertEqual(socket.close_frame[0], code)
        self.assertIn(words, socket.close_frame[1])


class UploadTests(StreamCase):
    """The request's body."""

    def test_streams(self) -> None:
        """The command waits at the rendezvous; the body follows as it comes."""
        peer, socket, request = self.stream()
        self.assertEqual(request["method"], "POST")
        self.assertEqual(request["requestTarget"], "/hyco/up?x=1")
        self.assertIs(request["body"], True)
        self.assertEqual(request["address"], self.requests()[0]["address"])
        self.assertNotIn("Transfer-Encoding", request["requestHeaders"])
        self.send(peer, chunk(b"one"))
        self.assertEqual(socket.frames[-1].payload, b"one")
        self.assertFalse(socket.frames[-1].final)
        self.send(peer, chunk(b"two") + b"0\r\nX-Trailer: t\r\n\r\n")
        self.assertEqual(socket.messages[1], b"onetwo")
        self.respond(socket, request, body=b"done")
        answer = self.answer(peer)
        self.assertEqual((answer.status, answer.body), (200, b"done"))
        self.assertClosed(socket, 1000, "Normal Closure")
        again = self.ask(peer=peer)
        self.respond(self.control, self.requests()[1])
        self.assertEqual(self.answer(again).status, 200)

    def test_empty_after_all(self) -> None:
        """A body of unknown length that is empty is one empty message."""
        peer, socket, request = self.stream()
        self.send(peer, b"0\r\n\r\n")
        self.assertEqual(socket.messages[1:], [b""])
        self.respond(socket, request)
        self.assertEqual(self.answer(peer).status, 200)

    def test_large(self) -> None:
        """A known length over 64 KiB comes so too, in frames of at most 64 kB."""
        peer = self.client()
        fields = {"Content-Length": "300000", "Expect": "100-continue"}
        self.send(peer, self.head("PUT", headers=fields))
        self.assertEqual(peer.received, b"")
        socket = self.rendezvous(self.requests()[0])
        self.assertEqual(peer.received, b"HTTP/1.1 100 \r\n\r\n")
        peer.received = b""
        self.send(peer, b"x" * 300000)
        self.assertEqual(socket.messages[1], b"x" * 300000)
        self.assertLessEqual(max(len(frame.payload) for frame in socket.frames), 65536)
        self.respond(socket, json.loads(str(socket.messages[0]))["request"])
        self.assertEqual(self.answer(peer).status, 200)

    def test_held_back(self) -> None:
        """A listener that does not read holds the client back."""
        self.restart(ping_interval=1000.0)
        peer, socket, request = self.stream()
        socket.pause()
        sent = 0
        while sent < 64 * 65536:
            peer.transport.write(chunk(b"x" * 65536))
            sent += 65536
        self.flush()
        got = sum(len(frame.payload) for frame in socket.frames)
        self.assertLess(got, 20 * 65536)
        socket.resume()
        self.flush()
        self.send(peer, b"0\r\n\r\n")
        self.assertEqual(len(socket.messages[1]), sent)
        self.respond(socket, request)
        self.assertEqual(self.answer(peer).status, 200)

    def test_stalls_for_ever(self) -> None:
        """A listener that takes nothing for C{write_stall_timeout}: 504."""
        self.restart(ping_interval=1000.0, write_stall_timeout=20.0)
        peer, socket, _ = self.stream()
        socket.pause()
        for _ in range(64):
            peer.transport.write(chunk(b"x" * 65536))
        self.flush()
        self.network.advance(19)
        self.assertEqual(peer.received, b"")
        self.network.advance(2)
        self.assertTrue(peer.received.startswith(b"HTTP/1.1 504 "), peer.received)

    def test_time_counts_from_delivery(self) -> None:
        """The listener's time begins when it has the whole request."""
        self.restart(ping_interval=1000.0, body_bytes_per_second=0)
        peer, _, _ = self.stream()
        for _ in range(3):
            self.network.advance(50)
            self.send(peer, chunk(b"x"))
        self.send(peer, b"0\r\n\r\n")
        self.network.advance(59)
        self.assertEqual(peer.received, b"")
        self.network.advance(2)
        self.refused(peer, 504, "did not respond in the required time")

    def test_client_is_silent(self) -> None:
        """A body that does not go on is 408, and the rendezvous is closed."""
        self.restart(ping_interval=1000.0, body_idle_timeout=20.0)
        peer, socket, _ = self.stream()
        self.network.advance(21)
        self.refused(peer, 408, "did not arrive in time")
        self.assertClosed(socket, 1001)

    def test_client_leaves(self) -> None:
        """1001 to the listener; its late answer is nobody's."""
        lines = watch_log(self)
        peer, socket, _ = self.stream()
        peer.transport.loseConnection()
        self.flush()
        self.assertClosed(socket, 1001, "sender shut down")
        self.assertIn("the sender left before it was answered", "".join(lines))
        waiting = self.ask()
        waiting.transport.loseConnection()
        self.flush()
        self.assertEqual(self.rendezvous(self.requests()[1]).status, 403)
        self.respond(self.control, self.requests()[1], body=b"late")

    def test_early_answer(self) -> None:
        """An answer before the body's end is delivered; then the end."""
        peer, socket, request = self.stream()
        self.send(peer, chunk(b"one"))
        self.respond(socket, request, 413, body=b"too much")
        answer = self.answer(peer)
        self.assertEqual((answer.status, answer["connection"]), (413, "close"))
        self.send(peer, chunk(b"two"))
        self.assertClosed(socket, 1000)
        self.assertNotIn(b"two", [frame.payload for frame in socket.frames])

    def test_rendezvous_is_lost(self) -> None:
        """Before the response that is 502."""
        peer, socket, _ = self.stream()
        socket.hang_up()
        self.flush()
        self.assertTrue(peer.received.startswith(b"HTTP/1.1 502 "), peer.received)

    def test_control_channel_is_lost(self) -> None:
        """Once the rendezvous is open the control channel is no matter."""
        peer, socket, request = self.stream()
        self.control.hang_up()
        self.flush()
        self.send(peer, b"0\r\n\r\n")
        self.respond(socket, request, body=b"still here")
        self.assertEqual(self.answer(peer).body, b"still here")


class DownloadTests(StreamCase):
    """The response's body."""

    def late(self) -> tuple[HttpPeer, WsPeer, dict[str, Any]]:
        """A request by delivery A whose listener comes to the rendezvous."""
        peer = self.ask(path="/hyco/down")
        request = self.requests()[-1]
        socket = self.rendezvous(request)
        self.assertEqual((socket.status, socket.messages), (101, []))
        return peer, socket, request

    def test_streams(self) -> None:
        """Each frame is on the wire at once: server-sent events work."""
        peer, socket, request = self.late()
        self.begin(
            socket, request, responseHeaders={"Content-Type": "text/event-stream"}
        )
        self.assertTrue(peer.received.startswith(b"HTTP/1.1 200 OK\r\n"))
        for number in range(3):
            self.part(socket, b"data: %d\n\n" % number, number == 0, False)
            self.assertTrue(peer.received.endswith(chunk(b"data: %d\n\n" % number)))
        # hyco-https: an empty final frame.
        self.part(socket, b"", False, True)
        answer = self.answer(peer)
        self.assertEqual(answer.body, b"data: 0\n\ndata: 1\n\ndata: 2\n\n")
        self.assertEqual(answer["via"], self.requests()[0]["requestHeaders"]["Via"])
        self.assertIsNone(answer["content-length"])
        self.assertClosed(socket, 1000, "Normal Closure")
        self.assertIsNone(peer.lost)

    def test_java(self) -> None:
        """Java ends its body by Close 1000 alone (section 13.2)."""
        peer, socket, request = self.late()
        self.begin(socket, request)
        self.part(socket, b"java", True, False)
        socket.close(1000, b"done")
        self.flush()
        self.assertEqual(self.answer(peer).body, b"java")

    def test_truncated(self) -> None:
        """A listener that is lost on the way leaves no complete answer."""
        for end in ("hang_up", "abort", "close"):
            lines = watch_log(self)
            peer, socket, request = self.late()
            self.begin(socket, request)
            self.part(socket, b"half", True, False)
            if end == "close":
                socket.close(1011)
            else:
                getattr(socket, end)()
            self.flush()
            answer = peer.answer()
            assert answer is not None
            self.assertEqual((answer.body, answer.complete), (b"half", False))
            self.assertIsNotNone(peer.lost)
            self.assertIn("the response was cut off", "".join(lines))

    def test_truncated_for_http_1_0(self) -> None:
        """Without chunks the end of the connection must not look orderly."""
        peer = self.client()
        self.send(peer, self.head().replace(b"HTTP/1.1", b"HTTP/1.0"))
        socket = self.rendezvous(self.requests()[0])
        self.begin(socket, self.requests()[0])
        self.part(socket, b"half", True, False)
        socket.hang_up()
        self.flush()
        assert peer.lost is not None
        self.assertNotIn("cleanly", peer.lost.getErrorMessage())

    def test_http_1_0(self) -> None:
        """A complete answer to HTTP/1.0 ends with the connection."""
        peer = self.client()
        self.send(peer, self.head().replace(b"HTTP/1.1", b"HTTP/1.0"))
        socket = self.rendezvous(self.requests()[0])
        self.begin(socket, self.requests()[0])
        self.part(socket, b"whole", True, True)
        answer = self.answer(peer)
        self.assertEqual(answer.body, b"whole")
        self.assertIsNone(answer["transfer-encoding"])

    def test_gap(self) -> None:
        """No gap of over C{body_idle_timeout} between frames."""
        self.restart(ping_interval=1000.0)
        peer, socket, request = self.late()
        self.network.advance(59)
        self.begin(socket, request)
        self.part(socket, b"a", True, False)
        self.network.advance(59)
        self.part(socket, b"b", False, False)
        self.network.advance(59)
        self.assertIsNone(peer.lost)
        self.network.advance(2)
        answer = peer.answer()
        assert answer is not None
        self.assertEqual((answer.body, answer.complete), (b"ab", False))

    def test_held_back(self) -> None:
        """A client that does not read holds the listener back, as long as it may."""
        self.restart(ping_interval=1000.0, write_stall_timeout=100.0)
        peer, socket, request = self.late()
        self.begin(socket, request)
        peer.transport.pauseProducing()
        for number in range(64):
            socket.frame(
                frames.CONTINUATION if number else frames.BINARY, b"x" * 65536, False
            )
        self.flush()
        self.assertLess(len(peer.received), 20 * 65536)
        self.network.advance(90)
        self.assertIsNone(peer.lost)
        peer.transport.resumeProducing()
        self.flush()
        self.part(socket, b"", False, True)
        self.assertEqual(len(self.answer(peer).body), 64 * 65536)

    def test_reads_too_slowly(self) -> None:
        """A client that takes nothing for C{write_stall_timeout} is cut off."""
        self.restart(ping_interval=1000.0, write_stall_timeout=20.0)
        peer, socket, request = self.late()
        self.begin(socket, request)
        peer.transport.pauseProducing()
        for number in range(64):
            socket.frame(
                frames.CONTINUATION if number else frames.BINARY, b"x" * 65536, False
            )
        self.flush()
        self.network.advance(21)
        self.assertClosed(socket, 1001)

    def test_wrong_first_messages(self) -> None:
        """1002 to the listener, 502 to the sender."""
        good = {"requestId": "other"}
        for send, words in (
            (lambda s: s.binary(b"x"), "Command messages must be text"),
            (lambda s: s.text("{}"), "not an object with one member"),
            (lambda s: s.text('{"accept":{}}'), "'response' command was expected"),
            (lambda s: s.text('{"response":{}}'), "'response.requestId' is required"),
            (lambda s: s.text(json.dumps({"response": good})), "another request"),
        ):
            peer, socket, _ = self.late()
            send(socket)
            self.flush()
            self.assertClosed(socket, 1002, words)
            self.refused(peer, 502, words[:20])

    def test_bad_status(self) -> None:
        """A response that can be none is 502 here too."""
        peer, socket, request = self.late()
        self.begin(socket, request, statusCode=101)
        self.refused(peer, 502, "no valid status")
        self.assertClosed(socket, 1002)

    def test_no_body_allowed(self) -> None:
        """What a HEAD must not get is read to its end, and thrown away."""
        peer = self.ask("HEAD")
        socket = self.rendezvous(self.requests()[0])
        self.begin(socket, self.requests()[0], responseHeaders={"Content-Length": "5"})
        answer = self.answer(peer, head_only=True)
        self.assertEqual(answer["content-length"], "5")
        self.part(socket, b"hel", True, False)
        self.assertIsNone(socket.close_frame)
        self.part(socket, b"lo", False, True)
        self.assertEqual(peer.received, b"")
        self.assertClosed(socket, 1000)

    def test_without_a_body(self) -> None:
        """A response with no body may come by the rendezvous as well."""
        peer, socket, request = self.late()
        self.respond(socket, request, 404)
        answer = self.answer(peer)
        self.assertEqual((answer.status, answer["content-length"]), (404, "0"))
        self.assertClosed(socket, 1000)

    def test_text_body(self) -> None:
        """A body that comes as text is taken."""
        peer, socket, request = self.late()
        self.begin(socket, request)
        socket.text("words")
        self.flush()
        self.assertEqual(self.answer(peer).body, b"words")

    def test_client_leaves(self) -> None:
        """1001 to the listener, whose frames go nowhere from then on."""
        peer, socket, request = self.late()
        self.begin(socket, request)
        peer.transport.loseConnection()
        self.flush()
        self.part(socket, b"x", True, False)
        self.assertClosed(socket, 1001, "sender shut down")

    def test_answer_over_the_control_channel_after_all(self) -> None:
        """The first response counts, wherever it comes."""
        peer, socket, request = self.late()
        self.respond(self.control, request, body=b"first")
        self.assertEqual(self.answer(peer).body, b"first")
        self.assertClosed(socket, 1000)

    def test_stopping(self) -> None:
        """A relay that stops cuts what streams."""
        peer, socket, request = self.late()
        self.begin(socket, request)
        self.part(socket, b"half", True, False)
        self.relay.stop()
        self.flush()
        answer = peer.answer()
        assert answer is not None
        self.assertFalse(answer.complete)
        self.assertClosed(socket, 1001)

    def test_nothing_is_left(self) -> None:
        """When all is over the relay holds nothing of it."""
        peer, socket, request = self.late()
        self.begin(socket, request)
        self.part(socket, b"x", True, True)
        self.answer(peer)
        peer.transport.loseConnection()
        socket.hang_up()
        self.control.hang_up()
        self.flush()
        self.assertTrue(self.relay.service.desk.idle)
