"""Tests of L{hybridconn.web.connection} and L{hybridconn.web.frontdoor}."""

from __future__ import annotations

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.web.connection import (
    KEEP_ALIVE,
    LINGER,
)
from tests.web.support import (
    GET,
    GUID,
    UPGRADE,
    Stand,
    StandCase,
    Wire,
    body_of,
    fields_of,
    status_of,
)


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
        self.assertEqual(self.wire.ended, ["lose", "lose"])
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
        self.assertTrue(all(wire.ended[-1:] == ["lose"] for wire in wires))
