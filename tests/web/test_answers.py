"""Requests that are held, and their answers."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address

from hybridconn.core.refusals import (
    BadRequest,
    EndpointNotFound,
    InternalError,
    Rejected,
    TooManyRequests,
    VersionNotSupported,
)
from tests.web.support import (
    GET,
    GUID,
    UPGRADE,
    StandCase,
    body_of,
    fields_of,
    status_of,
)


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

    def test_refused_request(self) -> None:
        """A plain request's refusal is JSON (relay-protocol section 7.5)."""
        self.request().refuse(EndpointNotFound())
        answer = self.wire.taken()
        self.assertEqual(fields_of(answer)["content-type"], "application/json")
        self.assertNotIn("via", fields_of(answer))
        body = json.loads(body_of(answer))
        self.assertEqual(body["code"], 404)
        self.assertTrue(body["message"].startswith("Endpoint does not exist. Tracking"))

    def test_refusal(self) -> None:
        """A refusal's words are the reason and the body, with the tracking id."""
        self.request(
            UPGRADE.replace(b"hc/echo?", b"hc/a/b?sb-hc-token=secret&")
        ).refuse(EndpointNotFound())
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

    def test_refusal_s_place(self) -> None:
        """The place ends where the path could hold a token (T7)."""
        for target, place in (
            ("/$hc/a/b/c", "a/b/c"),
            ("/%24HC/a.b/", "a.b"),
            ("/", ""),
            ("/$hc/a/SharedAccessSignature%20sr%3Dx/more", "a/..."),
            ("/$hc/sig=secret", "..."),
            ("/a/sig=sec/ret", "a/..."),
        ):
            request = self.request(GET.replace(b"/a", target.encode()))
            request.refuse(EndpointNotFound())
            answer = self.wire.taken().decode("ascii")
            self.assertIn(f"SystemTracker:sb://relay.example/{place},", answer)

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
