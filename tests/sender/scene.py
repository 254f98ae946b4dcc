"""A relay in memory, a listener made of bytes, and room for senders."""

from __future__ import annotations

import json
from typing import Any

from hybridconn.config.sender import SenderTimings
from hybridconn.core.entities import Claim
from hybridconn.sender.connector import TunnelConnector
from hybridconn.testing.relay import MemoryRelay
from hybridconn.testing.ws_peer import WsPeer
from tests.listener.scene import LogTestCase, Peer

TIMINGS = SenderTimings()


class SenderTestCase(LogTestCase):
    """
    With the hybrid connection C{hyco} and one listener on it.

    @ivar listener: its control channel.
    """

    def setUp(self) -> None:
        super().setUp()
        self.relay = MemoryRelay(["hyco"])
        self.network = self.relay.network
        self.clock = self.network.clock
        self.connection = self.relay.parsed_connection_string("hyco", Claim.SEND)
        self.dialer = self.relay.dialer("198.18.0.2")
        self.connector = TunnelConnector(
            self.connection, self.dialer, self.clock, wall=self.relay.wall
        )

    def listen(self) -> None:
        """Have a listener."""
        self.listener = self.dial_relay(
            "/$hc/hyco?sb-hc-action=listen",
            {"ServiceBusAuthorization": self.relay.token("hyco", Claim.LISTEN)},
        )
        self.assertEqual(self.listener.status, 101)

    def dial_relay(self, target: str, headers: dict[str, str] | None = None) -> WsPeer:
        peer = Peer.client(target, headers=headers)
        peer.dial(self.network, "relay.test", 443, secure=True)
        self.network.flush()
        return peer

    @property
    def accepts(self) -> list[dict[str, Any]]:
        """What the listener was told of senders."""
        return [json.loads(str(text))["accept"] for text in self.listener.messages]

    def accept(
        self, appended: str = "", headers: dict[str, str] | None = None
    ) -> WsPeer:
        """The listener comes for the latest sender."""
        address = self.accepts[-1]["address"] + appended
        return self.dial_relay("/" + address.split("/", 3)[3], headers)

    def tearDown(self) -> None:
        self.network.advance(90)
        self.relay.stop()
        self.network.advance(90)
        self.assertNothingSecret()
        self.assertEqual(self.network.connections, ())
        self.assertEqual(self.clock.getDelayedCalls(), [])
