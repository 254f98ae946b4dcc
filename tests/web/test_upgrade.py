"""Tests of the way from a held request to a WebSocket, Autobahn's part included."""

from __future__ import annotations

from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from hybridconn.interfaces import ITunnelSink
from hybridconn.web.connection import MOST_PENDING
from hybridconn.web.takeover import replace_protocol
from hybridconn.websocket.server import TunnelServerFactory
from tests.web.support import GET, GUID, UPGRADE, Stand, Wire, fields_of, status_of

#: A final text frame "Hi", masked with zeros.
FRAME = b"\x81\x82\x00\x00\x00\x00Hi"


class Taker(Protocol):
    """Notes what happens to it."""

    def __init__(self) -> None:
        self.prepared: tuple[Any, ...] = ()
        self.received = b""
        self.lost = 0

    def prepare_upgrade(self, subprotocol: Any, headers: Any) -> None:
        assert self.transport is None, "prepared too late"
        self.prepared = (subprotocol, dict(headers))

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost += 1


@implementer(ITunnelSink)
class Sink:
    """Notes the messages that come."""

    def __init__(self) -> None:
        self.pieces: list[tuple[bytes, bool, bool]] = []

    def piece_received(self, data: bytes, binary: bool, final: bool) -> None:
        self.pieces.append((data, binary, final))

    def close_received(self, code: int | None, reason: bytes) -> None: ...

    def tunnel_lost(self, reason: Failure) -> None: ...


class HandOverTests(SynchronousTestCase):
    """The connection changes hands."""

    def setUp(self) -> None:
        self.stand = Stand()
        self.wire = self.stand.connect()
        self.taker = Taker()

    def held(self, data: bytes = UPGRADE) -> Any:
        self.wire.receive(data)
        return self.stand.handler.requests[-1]

    def test_hand_over(self) -> None:
        """The new protocol has the connection, timers and counts are gone."""
        request = self.held()
        gone: list[int] = []
        request.on_gone(lambda: gone.append(1))
        request.upgrade(self.taker, None)
        self.assertIs(self.taker.transport, self.wire)
        self.assertIs(self.wire.protocol, self.taker)
        self.assertIsNone(self.wire.producer)
        self.assertEqual(self.stand.clock.getDelayedCalls(), [])
        self.assertEqual(self.stand.admission.waiting, 0)
        self.wire.lose()
        self.assertEqual((self.taker.lost, gone), (1, []))

    def test_nothing_is_lost(self) -> None:
        """Bytes behind the request reach the new protocol, before and after."""
        request = self.held(UPGRADE + b"one")
        self.wire.receive(b"two")
        request.upgrade(self.taker, None)
        self.wire.receive(b"three")
        opening, _, rest = self.taker.received.partition(b"\r\n\r\n")
        self.assertTrue(opening.startswith(b"GET / HTTP/1.1\r\n"))
        self.assertEqual(rest, b"onetwothree")

    def test_reading_goes_on(self) -> None:
        """A connection whose reading stood still is read again."""
        request = self.held()
        self.wire.receive(b"x" * (MOST_PENDING + 1))
        self.assertEqual(self.wire.producerState, "paused")
        request.upgrade(self.taker, None)
        self.assertEqual(self.wire.producerState, "producing")
        self.assertEqual(self.taker.received.count(b"x"), MOST_PENDING + 1)

    def test_at_once(self) -> None:
        """A handler may upgrade before it returns."""
        self.stand.handler.react = lambda request: request.upgrade(self.taker, "a")
        self.wire.receive(
            UPGRADE.replace(b"Host", b"Sec-WebSocket-Protocol: b, a\r\nHost") + b"rest"
        )
        self.assertTrue(self.taker.received.endswith(b"\r\n\r\nrest"))
        self.assertEqual(self.taker.prepared[0], "a")

    def test_tracking(self) -> None:
        """The 101 carries the tracking id, the caller's if it has one."""
        self.held().upgrade(self.taker, None, [("X", "y")])
        self.assertEqual(
            self.taker.prepared, (None, {"X": "y", "TrackingId": GUID + "_G0"})
        )
        self.wire, self.taker = self.stand.connect(), Taker()
        self.held().upgrade(self.taker, None, [("trackingid", "other")])
        self.assertEqual(self.taker.prepared, (None, {"trackingid": "other"}))

    def test_gone(self) -> None:
        """Nothing happens to a protocol for a client that left."""
        request = self.held()
        self.wire.lose()
        request.upgrade(self.taker, None)
        self.assertEqual((self.taker.prepared, self.taker.transport), ((), None))

    def test_no_websocket(self) -> None:
        """A request that asks for none cannot be upgraded, but answered."""
        request = self.held(GET)
        self.assertRaises(ValueError, request.upgrade, self.taker, None)
        request.answer(200, "OK")
        self.assertEqual(status_of(self.wire.value()), 200)

    def test_wrapped(self) -> None:
        """Wrappers like TLS stay around the new protocol, wherever they are."""
        before, after = Taker(), Taker()
        wrapper = ProtocolWrapper(WrappingFactory(None), before)
        wire = Wire(wrapper)
        replace_protocol(wrapper, after)
        wire.receive(b"a")
        self.assertEqual((after.received, after.transport), (b"a", wrapper))
        last = Taker()
        replace_protocol(wire, last)  # the way of startTLS
        wire.receive(b"b")
        self.assertEqual((last.received, before.received), (b"b", b""))


class PlainAutobahn(WebSocketServerProtocol):  # type: ignore[misc]  # untyped
    """Autobahn as anyone would use it."""

    def prepare_upgrade(self, subprotocol: Any, headers: Any) -> None:
        self.said = (subprotocol, dict(headers))
        self.messages: list[bytes] = []

    def onConnect(self, request: Any) -> Any:
        return self.said

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.messages.append(payload)


class AutobahnTests(SynchronousTestCase):
    """Real 101s."""

    def test_plain_autobahn(self) -> None:
        """Autobahn answers 101 by itself, and reads what was sent ahead."""
        stand = Stand()
        factory = WebSocketServerFactory(reactor=stand.clock)
        factory.setProtocolOptions(openHandshakeTimeout=0)
        protocol = PlainAutobahn()
        protocol.factory = factory
        wire = stand.connect()
        wire.receive(UPGRADE + FRAME[:3])
        wire.receive(FRAME[3:])
        stand.handler.requests[0].upgrade(protocol, None, [("X-Y", "z")])
        answer = wire.value()
        self.assertEqual(status_of(answer), 101)
        fields = fields_of(answer)
        self.assertEqual(fields["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        self.assertEqual((fields["x-y"], fields["trackingid"]), ("z", GUID + "_G0"))
        self.assertEqual(protocol.messages, [b"Hi"])

    def test_odd_clients(self) -> None:
        """What Autobahn refuses by itself is no matter here."""
        for field in (
            b"Origin: http://evil.example\r\nOrigin: null",
            b"Origin: ::",
            b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=99",
            b"0: Sec-WebSocket-Extensions: permessage-deflate",
            b"Sec-WebSocket-Protocol: a, a\r\nSec-WebSocket-Protocol: b",
        ):
            stand, sink = Stand(), Sink()
            tunnel = TunnelServerFactory(stand.clock, stand.limits).build()
            tunnel.attach(sink)
            wire = stand.connect()
            wire.receive(UPGRADE.replace(b"Host:", field + b"\r\nHost:") + FRAME)
            stand.handler.requests[0].upgrade(tunnel, None)
            answer = wire.value()
            self.assertEqual(status_of(answer), 101)
            self.assertNotIn("sec-websocket-extensions", fields_of(answer))
            self.assertNotIn("sec-websocket-protocol", fields_of(answer))
            self.assertNotIn("server", fields_of(answer))
            self.assertEqual(sink.pieces, [(b"Hi", False, True)])

    def test_subprotocol(self) -> None:
        """The relay's choice is named in the 101."""
        stand = Stand()
        tunnel = TunnelServerFactory(stand.clock, stand.limits).build()
        wire = stand.connect()
        wire.receive(
            UPGRADE.replace(b"Host:", b"Sec-WebSocket-Protocol: a, b\r\nHost:")
        )
        stand.handler.requests[0].upgrade(tunnel, "b")
        self.assertEqual(fields_of(wire.value())["sec-websocket-protocol"], "b")
