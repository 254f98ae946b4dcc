"""Bodies in and out of the front door, bit by bit."""

from __future__ import annotations

from typing import Any

from zope.interface import implementer

from hybridconn.core.refusals import BadRequest, EndpointNotFound, Refusal
from hybridconn.interfaces import IBodySink
from tests.web.support import GET, UPGRADE, StandCase, body_of, fields_of, status_of

POST = b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"


@implementer(IBodySink)
class Sink:
    """
    @ivar body: what came.
    @ivar end: C{"ended"}, a refusal, or L{None}.
    """

    def __init__(self) -> None:
        self.body = b""
        self.end: object = None

    def body_received(self, data: bytes) -> None:
        """Keep it."""
        assert data
        assert self.end is None
        self.body += data

    def body_ended(self) -> None:
        """Remember it."""
        assert self.end is None
        self.end = "ended"

    def body_failed(self, refusal: Refusal) -> None:
        """Remember it."""
        assert self.end is None
        self.end = refusal


class Source:
    """A producer that remembers."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        """Remember it (Twisted)."""
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        """Remember it (Twisted)."""
        self.calls.append("resume")


class BodyTests(StandCase):
    """A request's body, read."""

    def read(self, data: bytes) -> tuple[Any, Sink]:
        """Send C{data}, whose body is then read."""
        request, sink = self.request(data), Sink()
        request.read_body(sink)
        return request, sink

    def test_length(self) -> None:
        """It ends after as many bytes as were announced."""
        request, sink = self.read(POST % 5 + b"ab")
        self.assertEqual((request.body_length, sink.body, sink.end), (5, b"ab", None))
        self.wire.receive(b"cd")
        self.wire.receive(b"e" + GET)
        self.assertEqual((sink.body, sink.end), (b"abcde", "ended"))
        self.assertEqual(len(self.handler.requests), 1)
        request.answer(200, "OK")
        self.assertEqual(len(self.handler.requests), 2)
        self.assertEqual(self.wire.ended, [])

    def test_chunked(self) -> None:
        """It ends with the last chunk; what is behind is the next request."""
        request, sink = self.read(CHUNKED + b"3;x=y\r\nabc\r\n")
        self.assertIsNone(request.body_length)
        self.wire.receive(b"2\r\nde\r\n0\r\nTrailer: t\r\n\r\n" + GET)
        self.assertEqual((sink.body, sink.end), (b"abcde", "ended"))
        request.answer(204, "")
        self.assertEqual(len(self.handler.requests), 2)

    def test_none(self) -> None:
        """No body ends at once."""
        request, sink = self.read(GET)
        self.assertEqual((request.body_length, sink.end), (0, "ended"))

    def test_malformed(self) -> None:
        """The sink hears of it; then the connection is closed behind the answer."""
        request, sink = self.read(CHUNKED + b"xyz\r\n")
        self.assertIsInstance(sink.end, BadRequest)
        request.refuse(sink.end)
        self.assertEqual(status_of(self.wire.value()), 400)
        self.assertEqual(self.wire.ended, ["half"])

    def test_pause(self) -> None:
        """A paused body is not read, and its silence is not held against it."""
        request, sink = self.read(POST % 70_000 + b"a")
        request.pause_body()
        self.assertEqual(self.wire.producerState, "paused")
        self.clock.advance(1000)
        self.assertIsNone(sink.end)
        request.resume_body()
        self.assertEqual(self.wire.producerState, "producing")
        self.clock.advance(59)
        self.wire.receive(b"b" * 61_440)
        self.clock.advance(59)
        self.assertIsNone(sink.end)
        self.clock.advance(1)
        assert isinstance(sink.end, Refusal)
        self.assertEqual(sink.end.status, 408)

    def test_continue(self) -> None:
        """100 once, and not when the body is already on its way."""
        expect = POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")
        request, _ = self.read(expect % 2)
        self.assertTrue(self.wire.taken().startswith(b"HTTP/1.1 100 "))
        self.wire.receive(b"ab")
        request.answer(200, "OK")
        self.assertTrue(self.wire.taken().startswith(b"HTTP/1.1 200 "))
        self.read(expect % 2 + b"a")
        self.assertEqual(self.wire.taken(), b"")

    def test_answered_early(self) -> None:
        """The rest of the body goes nowhere, and the connection ends."""
        request, sink = self.read(POST % 10 + b"abc")
        request.answer(413, "")
        self.assertEqual(fields_of(self.wire.value())["connection"], "close")
        self.wire.receive(b"defghij" + GET)
        self.assertEqual((sink.body, sink.end), (b"abc", None))
        self.assertEqual(len(self.handler.requests), 1)

    def test_known(self) -> None:
        """A client that has shown a right once is known from then on."""
        first = self.request()
        self.assertFalse(first.known)
        first.authenticated()
        first.answer(200, "OK")
        self.assertTrue(self.request().known)


class AnswerTests(StandCase):
    """An answer that is written bit by bit."""

    def test_chunks(self) -> None:
        """Each part is on the wire at once; the connection goes on."""
        answer = self.request().begin_answer(200, "", (("X", "1"),))
        head = self.wire.taken()
        self.assertTrue(head.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertEqual(fields_of(head)["transfer-encoding"], "chunked")
        answer.write(b"abc")
        self.assertEqual(self.wire.taken(), b"3\r\nabc\r\n")
        answer.write(b"")
        self.assertEqual(self.wire.taken(), b"")
        answer.finish()
        self.assertEqual(self.wire.taken(), b"0\r\n\r\n")
        answer.write(b"late")
        answer.finish()
        answer.break_off()
        self.assertEqual((self.wire.taken(), self.wire.ended), (b"", []))
        self.request().answer(200, "OK")

    def test_length(self) -> None:
        """A known length is told, and no chunks are needed."""
        answer = self.request().begin_answer(200, "", (), 5)
        answer.write(b"ab")
        answer.write(b"cde")
        answer.finish()
        self.assertEqual(fields_of(self.wire.value())["content-length"], "5")
        self.assertEqual(body_of(self.wire.taken()), b"abcde")
        self.request().answer(200, "OK")

    def test_wrong_length(self) -> None:
        """More or less than was told cannot be passed off as complete."""
        for parts in (b"abc", b"abcdefg"):
            wire = self.stand.connect()
            wire.receive(GET)
            answer = self.handler.requests[-1].begin_answer(200, "", (), 5)
            answer.write(parts)
            answer.finish()
            self.assertEqual(wire.ended[0], "abort")
            wire.lose()
        self.flushLoggedErrors()

    def test_no_body(self) -> None:
        """HEAD, 204 and 304 have none; a length may be told."""
        for data, status, length in (
            (GET.replace(b"GET", b"HEAD"), 200, "7"),
            (GET, 304, "7"),
            (GET, 204, None),
        ):
            told = None if length is None else int(length)
            answer = self.request(data).begin_answer(status, "", (), told)
            answer.write(b"surplus")
            answer.finish()
            written = self.wire.taken()
            self.assertEqual(body_of(written), b"")
            self.assertEqual(fields_of(written).get("content-length"), length)

    def test_break_off(self) -> None:
        """No last chunk, and the end of the connection."""
        answer = self.request().begin_answer(200, "")
        answer.write(b"abc")
        answer.break_off()
        self.assertTrue(self.wire.value().endswith(b"3\r\nabc\r\n"))
        self.assertEqual(self.wire.ended, ["half"])

    def test_break_off_for_http_1_0(self) -> None:
        """Where the end of the connection is the body's end it is a reset."""
        request = self.request(b"GET / HTTP/1.0\r\nHost: h\r\n\r\n")
        answer = request.begin_answer(200, "")
        answer.write(b"abc")
        self.assertTrue(self.wire.value().endswith(b"\r\n\r\nabc"))
        answer.break_off()
        self.assertEqual(self.wire.ended, ["abort"])
        self.wire.lose()

    def test_held_back(self) -> None:
        """The source is paused while the client takes nothing."""
        answer, source = self.request().begin_answer(200, ""), Source()
        answer.register_producer(source)
        self.wire.feeder.pauseProducing()
        self.wire.feeder.resumeProducing()
        self.assertEqual(source.calls, ["pause", "resume"])
        answer.finish()
        self.wire.feeder.pauseProducing()
        self.assertEqual(len(source.calls), 2)
        self.assertEqual(self.wire.producerState, "paused")
        self.wire.feeder.resumeProducing()

    def test_registered_late(self) -> None:
        """A source is paused at once if the client already takes nothing."""
        answer, source = self.request().begin_answer(200, ""), Source()
        self.wire.feeder.pauseProducing()
        answer.register_producer(source)
        self.assertEqual(source.calls, ["pause"])
        self.wire.feeder.resumeProducing()

    def test_gone(self) -> None:
        """Until it is complete the client counts as one that may leave."""
        gone: list[str] = []
        request = self.request()
        request.on_gone(lambda: gone.append("first"))
        answer = request.begin_answer(200, "")
        request.on_gone(lambda: gone.append("second"))
        self.wire.lose()
        self.assertEqual(gone, ["first", "second"])
        answer.write(b"x")
        answer.finish()
        self.wire = self.stand.connect()

    def test_only_one(self) -> None:
        """What comes after the first answer goes nowhere."""
        request = self.request()
        first = request.begin_answer(200, "")
        second = request.begin_answer(500, "")
        second.write(b"no")
        second.finish()
        request.answer(500, "")
        request.refuse(EndpointNotFound())
        first.write(b"yes")
        first.finish()
        self.assertEqual(self.wire.value().count(b"HTTP/1.1"), 1)
        self.assertTrue(self.wire.taken().endswith(b"3\r\nyes\r\n0\r\n\r\n"))

    def test_own_date(self) -> None:
        """A listener's own Date stays the only one."""
        self.request().answer(200, "", (("Date", "then"),))
        self.assertEqual(self.wire.taken().lower().count(b"\r\ndate: "), 1)

    def test_stopping(self) -> None:
        """A front door that closes ends the connection behind the answer."""
        answer = self.request().begin_answer(200, "")
        self.stand.door.stopFactory()
        answer.write(b"x")
        answer.finish()
        self.request(GET).answer(200, "")
        self.assertEqual(self.wire.ended, ["lose"])

    def test_upgrade_cannot_follow(self) -> None:
        """A begun answer is no WebSocket any more."""
        request = self.request(UPGRADE)
        answer = request.begin_answer(200, "")
        request.upgrade(object(), None)
        answer.finish()
        self.assertEqual(status_of(self.wire.value()), 200)
        self.assertEqual(self.wire.ended, ["lose"])
