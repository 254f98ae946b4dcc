"""Several requests over one connection, and those with a body."""

from __future__ import annotations

from typing import Any

from hybridconn.core.refusals import (
    EndpointNotFound,
)
from hybridconn.web.connection import (
    KEEP_ALIVE,
    LEAST_TAKEN,
    LINGER,
    LINGER_BYTES,
    MOST_PENDING,
)
from tests.web.support import (
    GET,
    UPGRADE,
    StandCase,
    fields_of,
    status_of,
)


class SequenceTests(StandCase):
    """Several requests over one connection."""

    def test_keep_alive(self) -> None:
        """A second request may follow, an upgrade too."""
        self.request().answer(200, "OK")
        second = self.request(UPGRADE)
        self.assertTrue(second.head.wants_websocket)
        self.assertEqual(len(self.handler.requests), 2)

    def test_pipelined(self) -> None:
        """Requests sent ahead are given and answered one after the other."""
        self.wire.receive(GET + GET.replace(b"/a", b"/b") + b"GET /c")
        self.assertEqual(len(self.handler.requests), 1)
        self.handler.requests[0].answer(200, "First")
        self.assertEqual(self.handler.requests[1].head.target, "/b")
        self.handler.requests[1].answer(200, "Second")
        self.wire.receive(b" HTTP/1.1\r\nHost: h\r\n\r\n")
        self.assertEqual(self.handler.requests[2].head.target, "/c")
        answers = self.wire.value()
        self.assertLess(answers.index(b"First"), answers.index(b"Second"))

    def test_many_pipelined(self) -> None:
        """Any number of requests answered at once takes no depth of stack."""
        self.handler.react = lambda request: request.answer(200, "OK")
        self.wire.receive(GET * 3000)
        self.assertEqual(self.wire.value().count(b"HTTP/1.1 200"), 3000)

    def test_answers_not_taken(self) -> None:
        """A client that does not take its answers gets no further ones."""

        def react(request: Any) -> None:
            request.answer(200, "OK")
            self.wire.feeder.pauseProducing()

        self.handler.react = react
        self.wire.receive(GET * 3)
        self.assertEqual(len(self.handler.requests), 1)
        self.assertEqual(self.wire.producerState, "paused")
        self.wire.feeder.resumeProducing()
        self.assertEqual(len(self.handler.requests), 2)
        self.handler.react = lambda request: request.answer(200, "OK")
        self.wire.feeder.resumeProducing()
        self.assertEqual(len(self.handler.requests), 3)
        self.assertEqual(self.wire.producerState, "producing")

    def test_answers_never_taken(self) -> None:
        """Such a client is dropped in the end, without a word."""
        self.wire.dataBuffer = b"x" * 100_000
        self.handler.react = lambda request: request.answer(200, "OK")
        self.wire.receive(GET)
        self.wire.feeder.pauseProducing()
        self.wire.receive(b"GET")
        self.wire.clear()
        self.clock.advance(KEEP_ALIVE)
        self.assertEqual(self.wire.ended, ["half"])
        self.clock.advance(LINGER)
        self.clock.advance(self.stand.limits.write_stall_timeout)
        self.assertEqual(self.wire.ended, ["half", "abort"])
        self.assertEqual(self.wire.value(), b"")
        self.wire.lose()

    def test_answers_taken_slowly(self) -> None:
        """A slow client has its answer to the end, and 60 s from there."""
        self.wire.dataBuffer = b"x" * 10 * LEAST_TAKEN
        self.handler.react = lambda request: request.answer(200, "OK")
        self.wire.receive(GET)
        self.wire.feeder.pauseProducing()
        for _ in range(9):
            self.wire.dataBuffer = self.wire.dataBuffer[LEAST_TAKEN:]
            self.clock.advance(KEEP_ALIVE)
        self.wire.dataBuffer = b""
        self.wire.feeder.resumeProducing()
        self.clock.advance(KEEP_ALIVE - 1)
        self.assertEqual(self.wire.ended, [])
        self.wire.receive(GET)
        self.assertEqual(len(self.handler.requests), 2)

    def test_last_answer_taken_slowly(self) -> None:
        """So has one whose connection ends behind it; it must only not stand still."""
        stall = self.stand.limits.write_stall_timeout
        for slow in (True, False):
            self.wire.receive(GET.replace(b"1.1\r", b"1.0\r"))
            self.wire.dataBuffer = b"x" * 10 * LEAST_TAKEN
            self.handler.requests[-1].answer(200, "OK")
            self.clock.advance(LINGER)
            for _ in range(8):
                if slow:
                    self.wire.dataBuffer = self.wire.dataBuffer[LEAST_TAKEN:]
                self.clock.advance(stall)
            end = ["lose"] if slow else ["lose", "abort"]
            self.assertEqual(self.wire.ended, end)
            self.wire.dataBuffer = b""
            self.clock.advance(stall)
            self.assertEqual(self.wire.ended[1:], ["lose"] if slow else ["abort"])
            self.wire.lose()
            self.wire = self.stand.connect()

    def test_pending_is_bounded(self) -> None:
        """Behind a held request 64 KiB are kept, then nothing is read."""
        request = self.request(UPGRADE)
        self.wire.receive(b"x" * MOST_PENDING)
        self.assertEqual(self.wire.producerState, "producing")
        self.wire.receive(b"x")
        self.assertEqual(self.wire.producerState, "paused")
        request.refuse(EndpointNotFound())
        self.assertEqual(self.wire.producerState, "producing")

    def test_held_is_read(self) -> None:
        """
        While a request is held its connection is read, even if earlier answers
        were not taken: only so is a client that leaves noticed.
        """
        self.request(UPGRADE)
        self.wire.feeder.pauseProducing()
        self.assertEqual(self.wire.producerState, "producing")

    def test_http_1_0(self) -> None:
        """A client of HTTP/1.0 gets its answer and the end."""
        self.wire.receive(b"GET / HTTP/1.0\r\nHost: h\r\n\r\n")
        self.handler.requests[0].answer(200, "OK")
        self.assertEqual(fields_of(self.wire.value())["connection"], "close")
        self.assertEqual(self.wire.ended, ["lose"])

    def test_client_wants_close(self) -> None:
        """C{Connection: close} is kept."""
        self.request(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).answer(
            200, "OK"
        )
        self.assertEqual(fields_of(self.wire.value())["connection"], "close")
        self.assertEqual(self.wire.ended, ["lose"])

    def test_other_upgrades_are_no_upgrades(self) -> None:
        """A client that offers another protocol is served in HTTP/1.1."""
        offer = b"\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
        self.request(GET.replace(b"\r\n\r\n", offer)).answer(200, "OK")
        self.request().answer(200, "OK")
        self.assertEqual(self.wire.value().count(b"HTTP/1.1 200"), 2)


class BodyTests(StandCase):
    """Bodies that nobody reads."""

    post = (
        b"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )

    def test_closes(self) -> None:
        """An answer to a request with a body is the last one."""
        self.wire.receive(self.post % 3 + b"abc" + GET)
        self.assertEqual(len(self.handler.requests), 1)
        self.handler.requests[0].refuse(EndpointNotFound())
        answer = self.wire.value()
        self.assertEqual(status_of(answer), 404)
        self.assertEqual(fields_of(answer)["connection"], "close")
        self.assertEqual(len(self.handler.requests), 1)

    def test_answer_is_not_overtaken(self) -> None:
        """
        The answer's end is closed alone while the body still comes, or a reset
        could destroy it; what comes is thrown away, within bounds, and then waits.
        """
        self.request(self.post % 10_000_000).refuse(EndpointNotFound())
        self.assertEqual(self.wire.ended, ["half"])
        for _ in range(LINGER_BYTES // 65536):
            self.wire.receive(b"x" * 65536)
        self.assertEqual(self.wire.producerState, "producing")
        self.wire.receive(b"x")
        self.assertEqual(self.wire.producerState, "paused")
        self.assertEqual(self.wire.ended, ["half"])
        self.clock.advance(LINGER)
        self.assertEqual(self.wire.ended, ["half", "lose"])
        self.wire.lose()

    def test_lingering_ends(self) -> None:
        """A client that does not leave after its answer is dropped."""
        self.request(self.post % 10).refuse(EndpointNotFound())
        self.clock.advance(LINGER)
        self.assertEqual(self.wire.ended, ["half", "lose"])
        self.wire.lose()

    def test_chunked(self) -> None:
        """A chunked body is a body; chunks are never read as a request."""
        self.wire.receive(
            b"POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
            b"0\r\n\r\n" + GET
        )
        self.handler.requests[0].refuse(EndpointNotFound())
        self.assertEqual(len(self.handler.requests), 1)
        self.assertEqual(self.wire.ended, ["half"])

    def test_no_body(self) -> None:
        """A length of 0 is no body."""
        self.request(self.post % 0).answer(200, "OK")
        self.request().answer(200, "OK")
        self.assertEqual(self.wire.ended, [])

    def test_upgrade_with_body(self) -> None:
        """What follows an upgrade with a body is ambiguous: 400."""
        for field in (b"Content-Length: 5", b"Transfer-Encoding: chunked"):
            wire = self.stand.connect()
            wire.receive(UPGRADE.replace(b"\r\n\r\n", b"\r\n" + field + b"\r\n\r\n"))
            self.assertEqual(status_of(wire.value()), 400)
            wire.lose()
        self.assertEqual(self.handler.requests, [])

    def test_refused_upgrade_closes(self) -> None:
        """Frames behind a refused upgrade are never read as a request."""
        self.wire.receive(UPGRADE + GET)
        self.handler.requests[0].refuse(EndpointNotFound())
        self.assertEqual(len(self.handler.requests), 1)
        self.assertEqual(fields_of(self.wire.value())["connection"], "close")
        self.assertEqual(self.wire.ended, ["half"])
