"""Targets that want to know who the sender is."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from attrs import evolve
from twisted.internet.protocol import Factory, Protocol

from hybridconn.config.addresses import parse_target
from hybridconn.config.hybrid_connection import HybridConnectionTarget
from hybridconn.config.ports import parse_port
from hybridconn.core.commands import Accept
from hybridconn.core.entities import Claim
from hybridconn.core.proxy_protocol import ENTITY, NAMESPACE, RULE, UNIQUE_ID
from hybridconn.listener.service import TargetListener
from hybridconn.testing.relay import MemoryRelay
from hybridconn.testing.ws_peer import WsPeer
from tests.core.test_proxy_protocol import values_in
from tests.listener.scene import LogTestCase, Peer


class Target(Protocol):
    """Keeps what it is told."""

    made: list[Target]

    def connectionMade(self) -> None:
        self.data = b""
        self.made.append(self)

    def dataReceived(self, data: bytes) -> None:
        self.data += data


class ProxyProtocolTests(LogTestCase):
    """A listener with C{proxy_protocol}."""

    def setUp(self) -> None:
        super().setUp()
        self.relay = MemoryRelay(["hyco"])
        self.network = self.relay.network
        self.targets: list[Target] = []
        kind = type("Kind", (Target,), {"made": self.targets})
        self.network.listen("db.corp", 5, Factory.forProtocol(kind))

    def listen(self, **settings: Any) -> TargetListener:
        one = HybridConnectionTarget(
            self.relay.parsed_connection_string("hyco", Claim.LISTEN),
            **{"proxy_protocol": True, **settings},
        )
        place = patch(
            "hybridconn.config.addresses.Target.endpoint",
            lambda target, reactor, timeout: self.network.client_endpoint(
                target.host_port.host, target.host_port.port, timeout=timeout
            ),
        )
        place.start()
        self.addCleanup(place.stop)
        listener = TargetListener(
            one, self.relay.dialer(), self.network.clock, wall=self.relay.wall
        )
        listener.startService()
        self.network.flush()
        self.addCleanup(self.network.advance, 10)
        self.addCleanup(listener.stopService)
        return listener

    def sender(self, *messages: bytes, **headers: str) -> WsPeer:
        peer = Peer.client(
            "/$hc/hyco?sb-hc-action=connect",
            headers={
                "ServiceBusAuthorization": self.relay.token("hyco", Claim.SEND),
                "HybridConn-Rule": "made-up",
                **headers,
            },
        )
        peer.dial(self.network, "relay.test", 443, secure=True)
        self.network.flush()
        self.assertEqual(peer.status, 101)
        for message in messages:
            peer.binary(message)
        self.network.flush()
        return peer

    def test_told(self) -> None:
        """The header is the first that it gets: address, id, entity, rule, relay."""
        self.listen(target=parse_target("db.corp:5"))
        self.sender(b"hello")
        (target,) = self.targets
        told, _, rest = target.data.partition(b"hello")
        self.assertEqual((told[13], rest), (0x11, b""))
        values = dict(values_in(told))
        self.assertEqual(values[ENTITY], b"hyco")
        self.assertEqual(values[NAMESPACE], b"relay.test")
        self.assertIn(values[RULE], (b"send", b"Send"))
        self.assertRegex(values[UNIQUE_ID].decode(), r"^[0-9a-f-]{36}_G\d")

    def test_half_characters(self) -> None:
        """A relay that names what has no UTF-8 breaks nothing."""
        listener = self.listen(target=parse_target("db.corp:5"))
        accept = Accept("wss://r.test/", "i\ud800", {"HybridConn-Rule": "\udfff"})
        connector = listener.make_connector("hyco", self.network.clock, 10.0)
        dialled = connector.connect(accept)
        self.network.flush()
        end = self.successResultOf(dialled)
        listener.sender_joined(accept, end)
        self.network.flush()
        values = dict(values_in(self.targets[0].data))
        self.assertEqual((values[UNIQUE_ID], values[RULE]), (b"i?", b"?"))
        end.abandon()

    def test_not_told(self) -> None:
        """Without the setting it gets the sender's bytes and no others."""
        self.listen(target=parse_target("db.corp:5"), proxy_protocol=False)
        self.sender(b"hello")
        self.assertEqual(self.targets[0].data, b"hello")

    def test_named_port(self) -> None:
        """With named ports too."""
        self.listen(mode="bridge", ports=(parse_port("sql=db.corp:5"),))
        self.sender(b"\x01\x00\x00\x03sql", b"hello")
        told, _, rest = self.targets[0].data.partition(b"hello")
        self.assertEqual((dict(values_in(told))[ENTITY], rest), (b"hyco", b""))

    def test_dialled_ahead(self) -> None:
        """A target that was reached ahead hears it when there is a sender: its id."""
        listener = self.listen(target=parse_target("db.corp:5"), dial_ahead=True)
        accept = Accept("wss://relay.test/", "first_G0", {}, "192.0.2.9", 7)
        connector = listener.make_connector("hyco", self.network.clock, 10.0)
        dialled = connector.connect(accept)
        self.network.flush()
        end = self.successResultOf(dialled)
        self.assertEqual(self.targets[0].data, b"")
        listener.sender_joined(evolve(accept, id="second_G0"), end)
        self.network.flush()
        self.assertEqual(dict(values_in(self.targets[0].data))[UNIQUE_ID], b"second_G0")
        end.abandon()
