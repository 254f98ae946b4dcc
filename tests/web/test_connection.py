"""Tests of L{hybridconn.web.connection} and L{hybridconn.web.frontdoor}."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.refusals import (
    BadRequest,
    EndpointNotFound,
    InternalError,
    Rejected,
    TooManyRequests,
    VersionNotSupported,
)
from hybridconn.web.connection import (
    KEEP_ALIVE,
    LINGER,
    LINGER_BYTES,
    MOST_PENDING,
)
from tests.web.support import (
    GET,
    GUID,
    UPGRADE,
    Stand,
    Wire,
    body_of,
    fields_of,
    status_of,
)


class StandCase(SynchronousTestCase):
    """One front door and one client."""

    def setUp(self) -> None:
        self.stand = Stand()
        self.clock, self.handler = self.stand.clock, self.stand.handler
        self.wire = self.stand.connect()

    def tearDown(self) -> None:
        """A connection that is gone leaves no timer behind."""
        if "abort" not in self.wire.ended:
            self.wire.lose()
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertEqual(self.stand.admission.waiting, 0)

    def request(self, data: bytes = GET) -> Any:
        """Send a request that the handler holds."""
        self.wire.receive(data)
        return self.handler.requests[-1]


class HoldingTests(StandCase):
    """What the relay is given."""

    def test_head(self) -> None:
        """A request has all that was sent, names in their own case, undecoded."""
        self.wire.receive(
            b"GET /$hc/a%2Fb?x=%31&sb-hc-id=4F56F839-4267-4E78-99B4-06A83B18C8B4"
            b" HTTP/1.1\r\nhOST: Relay.example:8443\r\nX-a: 1\r\nX-A:\t\xe92 \r\n\r\n"
        )
        (request,) = self.handler.requests
        self.assertEqual(request.head.method, "GET")
        self.assertTrue(request.head.target.startswith("/$hc/a%2Fb?x=%31&sb-hc-id="))
        self.assertEqual(request.head.version, "1.1")
        self.assertEqual(
            request.head.headers,
            (("hOST", "Relay.example:8443"), ("X-a", "1"), ("X-A", "\xe92")),
        )
        self.assertEqual(request.peer, IPv4Address("TCP", "192.0.2.7", 40000))
        self.assertFalse(request.secure)
        self.assertEqual(request.tracking.guid, "4F56F839-4267-4E78-99B4-06A83B18C8B4")

    def test_held_without_end(self) -> None:
        """No time-out of ours ends a request that the relay holds."""
        self.request(UPGRADE)
        self.clock.advance(3600)
        self.assertEqual((self.wire.ended, self.wire.value()), ([], b""))

    def test_gone(self) -> None:
        """A client that leaves is noticed, once, and cannot be answered."""
        request = self.request(UPGRADE)
        noticed: list[str] = []
        request.on_gone(lambda: noticed.append("before"))
        self.wire.lose()
        request.on_gone(lambda: noticed.append("after"))
        self.assertEqual(noticed, ["before", "after"])
        request.refuse(EndpointNotFound())
        request.answer(200, "OK")
        request.authenticated()
        self.assertEqual(self.wire.value(), b"")
        self.wire = self.stand.connect()

    def test_answered_is_not_gone(self) -> None:
        """After its answer nobody is told that the client left."""
        request = self.request()
        noticed: list[int] = []
        request.on_gone(lambda: noticed.append(1))
        request.answer(200, "OK")
        request.on_gone(lambda: noticed.append(2))
        self.wire.lose()
        self.assertEqual(noticed, [])
        self.wire = self.stand.connect()

    def test_socket_options(self) -> None:
        """Every connection has keep-alive and no delay."""
        self.assertTrue(self.wire.keep_alive and self.wire.no_delay)


class AnswerTests(StandCase):
    """What the client is given."""

    def test_answer(self) -> None:
        """An answer has length and date, and names no product."""
        self.request().answer(200, "Fine", [("X-Y", "z")], b"body")
        answer = self.wire.taken()
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 Fine\r\n"))
        fields = fields_of(answer)
        self.assertEqual(fields["content-length"], "4")
        self.assertEqual(fields["date"], "Sun, 17 Mar 2030 17:46:40 GMT")
        self.assertEqual(fields["x-y"], "z")
        self.assertNotIn("server", fields)
        self.assertNotIn("connection", fields)
        self.assertEqual(body_of(answer), b"body")
        self.assertEqual(self.wire.ended, [])

    def test_first_answer_counts(self) -> None:
        """A second answer to one request does nothing."""
        request = self.request()
        request.answer(200, "OK")
        request.refuse(InternalError())
        self.assertEqual(self.wire.value().count(b"HTTP/1.1"), 1)

    def test_head(self) -> None:
        """HEAD has the length of the body, and no body."""
        self.request(GET.replace(b"GET", b"HEAD")).answer(200, "OK", (), b"body")
        answer = self.wire.taken()
        self.assertEqual(fields_of(answer)["content-length"], "4")
        self.assertEqual(body_of(answer), b"")
        self.request().answer(200, "OK", (), b"next")
        self.assertEqual(body_of(self.wire.taken()), b"next")

    def test_no_content(self) -> None:
        """204 has neither length nor body."""
        self.request().answer(204, "No Content", (), b"body")
        answer = self.wire.taken()
        self.assertNotIn("content-length", fields_of(answer))
        self.assertEqual(body_of(answer), b"")

    def test_refusal(self) -> None:
        """A refusal's words are the reason and the body, with the tracking id."""
        self.request(GET.replace(b"/a", b"/$hc/a/b?sb-hc-token=secret")).refuse(
            EndpointNotFound()
        )
        answer = self.wire.taken()
        reason = answer.split(b"\r\n", 1)[0].removeprefix(b"HTTP/1.1 404 ")
        self.assertEqual(
            reason.decode("ascii"),
            f"Endpoint does not exist. TrackingId:{GUID}_G0, SystemTracker:"
            "sb://relay.example/a/b, Timestamp:2030-03-17T17:46:40Z",
        )
        self.assertEqual(body_of(answer), reason)
        fields = fields_of(answer)
        self.assertEqual(fields["trackingid"], GUID + "_G0")
        self.assertEqual(fields["content-type"], "text/plain; charset=utf-8")
        self.assertNotIn(b"secret", answer)

    def test_refusal_s_fields(self) -> None:
        """What belongs to a refusal comes with it."""
        self.request().refuse(TooManyRequests(retry_after=2.5))
        self.assertEqual(fields_of(self.wire.taken())["retry-after"], "3")
        self.request().refuse(VersionNotSupported())
        self.assertEqual(fields_of(self.wire.taken())["sec-websocket-version"], "13")

    def test_rejection_verbatim(self) -> None:
        """A listener's status and words go out as they are."""
        self.request(UPGRADE).refuse(Rejected(499, "no room, sorry"))
        self.assertTrue(
            self.wire.value().startswith(b"HTTP/1.1 499 no room, sorry\r\n")
        )

    def test_reason_is_one_line(self) -> None:
        """Whatever the words, the status line stays one line of ASCII."""
        self.request().refuse(BadRequest("a\r\nX: y\x00\xe9\u2028" + "z" * 2000))
        line, _, rest = self.wire.value().partition(b"\r\n")
        self.assertTrue(line.startswith(b"HTTP/1.1 400 a X: y"))
        self.assertTrue(line.isascii() and len(line) < 540)
        self.assertNotIn(b"X: y", rest.partition(b"\r\n\r\n")[0])

    def test_refusal_raised(self) -> None:
        """A refusal that the handler raises is the answer."""

        def react(request: Any) -> None:
            raise EndpointNotFound()

        self.handler.react = react
        self.wire.receive(GET)
        self.assertEqual(status_of(self.wire.value()), 404)

    def test_mistake_of_ours(self) -> None:
        """Any other error is logged, and answered 500 without a word of it."""

        def react(request: Any) -> None:
            raise ZeroDivisionError("key=secret")

        self.handler.react = react
        self.wire.receive(GET)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(status_of(self.wire.value()), 500)
        self.assertNotIn(b"secret", self.wire.value())

    def test_impossible_answer(self) -> None:
        """An answer that HTTP cannot carry is logged and ends the connection."""
        self.request().answer(200, "OK", [("X", "a\r\nY: b")])
        self.assertEqual(len(self.flushLoggedErrors()), 1)
        self.assertEqual((self.wire.ended, self.wire.value()), (["abort"], b""))
        self.wire.lose()


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
        """Such a client is dropped in the end."""
        self.handler.react = lambda request: request.answer(200, "OK")
        self.wire.receive(GET)
        self.wire.feeder.pauseProducing()
        self.clock.advance(KEEP_ALIVE)
        self.clock.advance(LINGER)
        self.assertEqual(self.wire.ended[-1], "abort")
        self.wire.lose()

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
    """Bodies, which nobody reads."""

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
        could destroy it; what comes is thrown away, within bounds.
        """
        self.request(self.post % 10_000_000).refuse(EndpointNotFound())
        self.assertEqual(self.wire.ended, ["half"])
        for _ in range(LINGER_BYTES // 65536):
            self.wire.receive(b"x" * 65536)
        self.assertEqual(self.wire.ended, ["half"])
        self.wire.receive(b"x")
        self.assertEqual(self.wire.ended, ["half", "abort"])
        self.wire.lose()

    def test_lingering_ends(self) -> None:
        """A client that does not leave after its answer is dropped."""
        self.request(self.post % 10).refuse(EndpointNotFound())
        self.clock.advance(LINGER)
        self.assertEqual(self.wire.ended, ["half", "abort"])
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


class MalformedTests(StandCase):
    """Heads that are none."""

    def check(self, data: bytes, status: int) -> None:
        wire = self.stand.connect()
        wire.receive(data + GET)
        answer = wire.value()
        self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
        self.assertEqual(status_of(answer), status)
        fields = fields_of(answer)
        self.assertEqual(fields["connection"], "close")
        self.assertEqual(fields["trackingid"], GUID + "_G0")
        self.assertIn(f"TrackingId:{GUID}_G0".encode(), body_of(answer))
        self.assertIn(wire.ended, (["half"], ["lose"]))
        wire.lose()

    def test_statuses(self) -> None:
        """Each is answered with its status, then nothing more is read."""
        self.check(b"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n", 400)
        self.check(b"GET / HTTP/1.1\nHost: h\n\n", 400)
        self.check(b"CONNECT db:1433 HTTP/1.1\r\nHost: db:1433\r\n\r\n", 405)
        self.check(b"GET /" + b"a" * 20_000, 414)
        self.check(b"GET / HTTP/1.1\r\nX: " + b"a" * 9_000, 431)
        self.check(b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 101, 431)
        self.check(b"\x16\x03\x01\x02\x00", 400)
        self.assertEqual(self.handler.requests, [])

    def test_smuggling(self) -> None:
        """No framing that can be read in two ways lets a second request in."""
        for field in (
            b"Content-Length: 5\r\nTransfer-Encoding: chunked",
            b"Content-Length: 5\r\nContent-Length: 0",
            b"Content-Length: 0, 5",
            b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
            b"Transfer-Encoding : chunked",
            b"Transfer-Encoding:\r\n chunked",
            b"Content-Length: 5\nX: y",
            b"X: y\rContent-Length: 5",
        ):
            self.check(
                b"POST / HTTP/1.1\r\nHost: h\r\n" + field + b"\r\n\r\n0\r\n\r\n", 400
            )
        self.assertEqual(self.handler.requests, [])


class TimeTests(StandCase):
    """Clients that are slow."""

    def test_silent(self) -> None:
        """Who says nothing for 10 s is sent away without a word."""
        self.clock.advance(9.9)
        self.assertEqual(self.wire.ended, [])
        self.clock.advance(0.1)
        self.assertEqual((self.wire.ended, self.wire.value()), (["lose"], b""))

    def test_dripping(self) -> None:
        """Who sends a head in drops gets 408 after 10 s, however it drips."""
        for octet in GET[:9]:
            self.wire.receive(bytes([octet]))
            self.clock.advance(1)
        self.assertEqual(self.wire.value(), b"")
        self.wire.receive(GET[9:10])
        self.clock.advance(1)
        self.assertEqual(status_of(self.wire.value()), 408)
        self.assertEqual(fields_of(self.wire.value())["connection"], "close")

    def test_idle_between_requests(self) -> None:
        """Between two requests 60 s may pass."""
        self.request().answer(200, "OK")
        self.wire.clear()
        self.clock.advance(KEEP_ALIVE - 0.1)
        self.assertEqual(self.wire.ended, [])
        self.clock.advance(0.1)
        self.assertEqual((self.wire.ended, self.wire.value()), (["lose"], b""))

    def test_second_head_is_slow(self) -> None:
        """A later head has 10 s too, from its first byte."""
        self.request().answer(200, "OK")
        self.wire.clear()
        self.clock.advance(50)
        self.wire.receive(b"GET")
        self.clock.advance(9)
        self.wire.receive(b" ")
        self.assertEqual(self.wire.value(), b"")
        self.clock.advance(1)
        self.assertEqual(status_of(self.wire.value()), 408)

    def test_never_leaves(self) -> None:
        """A client that does not close its end is dropped after a while."""
        self.clock.advance(10)
        self.clock.advance(LINGER)
        self.assertEqual(self.wire.ended, ["lose", "abort"])
        self.wire.lose()


class DoorTests(SynchronousTestCase):
    """The factory."""

    def test_turned_away(self) -> None:
        """A connection too many gets no protocol; one that ends makes room."""
        stand = Stand(max_unauthenticated_per_address=1)
        wire = stand.connect()
        peer = IPv4Address("TCP", "192.0.2.7", 1)
        self.assertIsNone(stand.door.buildProtocol(peer))
        wire.lose()
        self.assertIsNotNone(stand.door.buildProtocol(peer))

    def test_authenticated_makes_room(self) -> None:
        """A client that is known no longer counts among the unknown, once."""
        stand = Stand()
        wire = stand.connect()
        wire.receive(UPGRADE)
        self.assertEqual(stand.admission.waiting, 1)
        stand.handler.requests[0].authenticated()
        stand.handler.requests[0].authenticated()
        self.assertEqual(stand.admission.waiting, 0)
        wire.lose()
        self.assertEqual(stand.admission.waiting, 0)

    def test_stop(self) -> None:
        """When the last port closes, idle connections go, others when answered."""
        stand = Stand()
        idle, held, begun = (stand.connect() for _ in "123")
        held.receive(GET)
        begun.receive(GET[:5])
        stand.door.doStart()
        stand.door.doStop()
        self.assertEqual((idle.ended, held.ended, begun.ended), (["lose"], [], []))
        stand.handler.requests[0].answer(200, "OK")
        self.assertEqual(fields_of(held.value())["connection"], "close")
        self.assertEqual(held.ended, ["lose"])
        begun.receive(GET[5:])
        stand.handler.requests[1].answer(200, "OK")
        self.assertEqual(begun.ended, ["lose"])

    def test_crowd(self) -> None:
        """Hundreds that are silent or drip are all gone within 30 s."""
        stand = Stand(max_unauthenticated_per_address=1000)
        wires: list[Wire] = [stand.connect() for _ in range(400)]
        for second in range(25):
            for wire in wires[:200]:
                if not wire.ended:
                    wire.receive(GET[second : second + 1])
            if second == 5:
                good = stand.connect("198.51.100.9")
                good.receive(GET)
                stand.handler.requests[0].answer(200, "OK")
                self.assertEqual(status_of(good.value()), 200)
            stand.clock.advance(1)
        self.assertTrue(all("abort" in wire.ended for wire in wires))
