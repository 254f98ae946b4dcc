"""Opening tunnels."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred

from hybridconn.core.entities import HybridConnection, Secret
from hybridconn.core.tracking import TrackingId
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.errors import (
    HybridConnectionError,
    HybridConnectionRefused,
    HybridConnectionTimeout,
)
from hybridconn.testing.fakes import RecordingSink
from tests.sender.scene import TIMINGS, SenderTestCase

TRACKING = TrackingId("5f7a9be6-0c7e-4b06-9b0b-0d5d4f3f0a11")


class ConnectorTests(SenderTestCase):
    """One tunnel, or why there is none."""

    def connect(self, **more: Any) -> Deferred[Any]:
        connecting = self.connector.connect(TRACKING, **more)
        self.network.flush()
        return connecting

    def test_opened(self) -> None:
        """The listener sees the id, path, query and headers, but no token."""
        self.listen()
        connecting = self.connect(
            suffix="/a%2Fb", query="x=%2B&&y", headers={"X-App": "1"}
        )
        (accept,) = self.accepts
        self.assertTrue(accept["id"].startswith(TRACKING.guid))
        self.assertTrue(
            accept["address"].startswith(
                "wss://relay.test/$hc/hyco/a%2Fb?x=%2B&&y&sb-hc-action=accept"
            )
        )
        self.assertEqual(accept["connectHeaders"]["X-App"], "1")
        self.assertNotIn("ServiceBusAuthorization", accept["connectHeaders"])
        self.assertNoResult(connecting)
        there = self.accept()
        there.binary(b"at once")
        self.network.flush()
        tunnel = self.successResultOf(connecting)
        sink = RecordingSink()
        tunnel.attach(sink)
        self.network.flush()
        self.assertEqual(sink.messages, [b"at once"])
        tunnel.abort()
        self.connector.forget(tunnel)

    def test_subprotocol(self) -> None:
        """Sub-protocols are offered; what the listener chose is known."""
        self.listen()
        connecting = self.connect(subprotocols=("one", "two"))
        self.accept(headers={"Sec-WebSocket-Protocol": "two"})
        tunnel = self.successResultOf(connecting)
        self.assertEqual(tunnel.websocket_protocol_in_use, "two")
        tunnel.abort()
        self.connector.forget(tunnel)

    def test_nobody_listens(self) -> None:
        """The relay's words and tracking id are in the failure."""
        error = self.failureResultOf(self.connect(), HybridConnectionRefused).value
        self.assertEqual(error.status_code, 404)
        self.assertIn("There are no listeners connected", error.reason)
        self.assertEqual(error.tracking_id, f"{TRACKING.guid}_G0")

    def test_rejected(self) -> None:
        """The listener's own status and words are in the failure."""
        self.listen()
        connecting = self.connect()
        self.accept("&sb-hc-statusCode=451&sb-hc-statusDescription=Not+you")
        error = self.failureResultOf(connecting, HybridConnectionRefused).value
        self.assertEqual((error.status_code, error.reason), (451, "Not you"))

    def test_wrong_key(self) -> None:
        """A bad key fails at once, and is not tried again."""
        bad = evolve(self.connection, key=Secret("wrong"))
        self.connector = TunnelConnector(
            bad, self.dialer, self.clock, wall=self.relay.wall
        )
        error = self.failureResultOf(self.connect(), HybridConnectionError).value
        self.assertEqual(error.status_code, 401)
        self.network.advance(100)
        self.assertEqual(len(self.dialer.dialled), 1)

    def test_no_token(self) -> None:
        """A hybrid connection that asks for no token gets none."""
        self.relay.add(HybridConnection("hyco", requires_client_authorization=False))
        self.listen()
        bare = evolve(self.connection, key=None, key_name=None)
        self.connector = TunnelConnector(bare, self.dialer, self.clock)
        connecting = self.connect()
        self.accept()
        tunnel = self.successResultOf(connecting)
        tunnel.abort()
        self.connector.forget(tunnel)

    def test_silence(self) -> None:
        """A relay that does not answer is given up after C{connect_timeout}."""
        self.network.faults.delay = 0.0
        self.network.faults.ignore("relay.test", 443)
        dial = self.connect()
        self.network.advance(TIMINGS.connect_timeout)
        self.failureResultOf(dial, HybridConnectionError)

    def test_waits_for_listener(self) -> None:
        """The relay's wait for a listener, 30 s, is waited for."""
        self.listen()
        connecting = self.connect()
        self.network.advance(29)
        self.assertNoResult(connecting)
        self.network.advance(2)
        error = self.failureResultOf(connecting, HybridConnectionRefused).value
        self.assertEqual(error.status_code, 404)
        self.assertNotIsInstance(error, HybridConnectionTimeout)

    def test_cancelled(self) -> None:
        """Given up while it waits: the relay sees the sender leave."""
        self.listen()
        connecting = self.connect()
        connecting.cancel()
        self.network.flush()
        self.failureResultOf(connecting, CancelledError)
        self.assertEqual(self.accept().status, 403)

    def test_dead(self) -> None:
        """A tunnel whose relay vanishes silently is dropped in C{dead_after}."""
        self.listen()
        connecting = self.connect()
        self.accept()
        tunnel = self.successResultOf(connecting)
        sink = RecordingSink()
        tunnel.attach(sink)
        for connection in self.network.connections:
            if connection.client.getHost().host == "198.18.0.2":
                connection.silence()
        self.network.advance(TIMINGS.dead_after)
        self.assertIsNotNone(sink.lost)
        self.connector.forget(tunnel)
        self.connector.forget(tunnel)
