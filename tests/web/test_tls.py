"""Tests of the front door behind TLS."""

from __future__ import annotations

from pathlib import Path

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.refusals import EndpointNotFound
from hybridconn.tls import CertificateStore, client_options, tls_factory
from hybridconn.web.connection import LINGER
from hybridconn.websocket.server import TunnelServerFactory
from tests.web.support import GET, UPGRADE, Stand, Wire, fields_of, status_of
from tests.web.test_upgrade import FRAME, Sink, Taker
from tests.web.tls_wire import Authority, Pair


class SecureTests(SynchronousTestCase):
    """A client over TLS."""

    def setUp(self) -> None:
        folder = Path(self.mktemp())
        folder.mkdir()
        authority = Authority(folder)
        self.stand = Stand()
        self.clock, self.handler = self.stand.clock, self.stand.handler
        store = CertificateStore([authority.issue("relay.example")])
        self.factory = tls_factory(store, self.stand.door, self.clock)
        self.creator = client_options("relay.example", authority.file)

    def connect(self) -> Pair:
        return Pair(self.factory, self.creator, self.clock)

    def speechless(self) -> Wire:
        """A client that did not say anything yet."""
        return Wire(self.factory.buildProtocol(IPv4Address("TCP", "192.0.2.7", 1)))

    def send(self, pair: Pair, data: bytes) -> None:
        pair.client.transport.write(data)
        pair.flush()

    def test_request(self) -> None:
        """A request says that it came over TLS, and is answered."""
        pair = self.connect()
        self.send(pair, GET)
        (request,) = self.handler.requests
        self.assertTrue(request.secure)
        self.assertEqual(request.tls_version, "TLSv1.3")
        request.answer(200, "OK", (), b"body")
        pair.flush()
        self.assertTrue(pair.client.received.endswith(b"\r\n\r\nbody"))
        self.assertEqual(request.tls_version, "")

    def test_upgrade(self) -> None:
        """TLS stays around a WebSocket, and no byte behind the request is lost."""
        pair, sink = self.connect(), Sink()
        self.send(pair, UPGRADE + FRAME + FRAME[:3])
        tunnel = TunnelServerFactory(self.clock, self.stand.limits).build()
        tunnel.attach(sink)
        self.handler.requests[0].upgrade(tunnel, None)
        self.send(pair, FRAME[3:])
        self.assertEqual(status_of(pair.client.received), 101)
        self.assertEqual(sink.pieces, [(b"Hi", False, True)] * 2)
        self.assertEqual(self.stand.admission.waiting, 0)

    def test_large_data_behind_upgrade(self) -> None:
        """Also when there is so much of it that reading had to stop."""
        pair, taker = self.connect(), Taker()
        self.send(pair, UPGRADE)
        self.send(pair, b"x" * 300_000)
        self.handler.requests[0].upgrade(taker, None)
        pair.flush()
        self.assertEqual(taker.received.count(b"x"), 300_000)

    def test_leaves_while_held(self) -> None:
        """A client that leaves is noticed while its request is held."""
        pair = self.connect()
        gone: list[int] = []
        self.send(pair, UPGRADE)
        self.handler.requests[0].on_gone(lambda: gone.append(1))
        pair.client.transport.loseConnection()
        pair.flush()
        self.assertEqual(gone, [1])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_refused_and_closed(self) -> None:
        """A refused upgrade ends with its answer and TLS's farewell."""
        pair = self.connect()
        self.send(pair, UPGRADE)
        self.handler.requests[0].refuse(EndpointNotFound())
        pair.flush()
        self.assertEqual(status_of(pair.client.received), 404)
        self.assertEqual(fields_of(pair.client.received)["connection"], "close")
        self.assertIsNotNone(pair.client.lost)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_farewell(self) -> None:
        """A client that never answers TLS's farewell is dropped."""
        pair = self.connect()
        self.send(pair, UPGRADE)
        self.handler.requests[0].refuse(EndpointNotFound())
        self.assertFalse(pair.server_wire.disconnecting)
        self.clock.advance(LINGER)
        self.assertTrue(pair.server_wire.disconnecting)

    def test_handshake_is_slow(self) -> None:
        """TLS has 10 s."""
        late = self.speechless()
        self.clock.advance(9.9)
        self.assertEqual(late.ended, [])
        self.clock.advance(0.1)
        self.assertIn("abort", late.ended)
        late.lose()
        self.assertEqual(self.stand.admission.waiting, 0)

    def test_head_is_slow(self) -> None:
        """The time for the head begins when TLS is done."""
        pair = self.connect()
        self.clock.advance(9)
        self.send(pair, GET[:5])
        self.assertEqual(pair.client.received, b"")
        self.clock.advance(1)
        pair.flush()
        self.assertEqual(status_of(pair.client.received), 408)

    def test_no_tls(self) -> None:
        """Plain HTTP on the TLS port ends without a trace in the log."""
        wire = self.speechless()
        wire.receive(GET)
        self.assertTrue(wire.ended)
        wire.lose()
        self.assertEqual(self.handler.requests, [])
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_stop_while_securing(self) -> None:
        """When the last port closes, TLS handshakes under way are cut off."""
        wire = self.speechless()
        self.factory.doStart()
        self.factory.doStop()
        self.assertIn("abort", wire.ended)
