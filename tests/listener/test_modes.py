"""What a listener of named ports does with senders that speak otherwise."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from hybridconn.config.hybrid_connection import HybridConnectionTarget
from hybridconn.config.ports import parse_port
from hybridconn.core.allow_list import AllowedTarget, AllowList
from hybridconn.core.entities import Claim
from hybridconn.core.preamble import IS_DATAGRAM, IS_STREAM, UNSUPPORTED, accepted
from hybridconn.core.reuse import STREAM, TARGET, TARGET_REUSE, TARGET_SPARE
from hybridconn.core.targets import TARGET_HEADER
from hybridconn.listener.service import TargetListener
from hybridconn.testing.relay import MemoryRelay
from hybridconn.testing.ws_peer import WsPeer
from tests.listener.scene import LogTestCase, Peer
from tests.listener.test_named_ports import DNS, Scene, said


class TargetsTests(LogTestCase):
    """Senders that want a target of their own."""

    def setUp(self) -> None:
        super().setUp()
        self.relay = MemoryRelay(["hyco"])
        self.network = self.relay.network

    def listen(self, allowed: AllowList | None = None, **settings: Any) -> None:
        one = HybridConnectionTarget(
            self.relay.parsed_connection_string("hyco", Claim.LISTEN), **settings
        )
        listener = TargetListener(
            one,
            self.relay.dialer(),
            self.network.clock,
            wall=self.relay.wall,
            allowed=allowed,
        )
        listener.startService()
        self.network.flush()
        self.addCleanup(self.network.advance, 10)
        self.addCleanup(listener.stopService)

    def sender(self, *messages: bytes, **headers: str) -> WsPeer:
        token = self.relay.token("hyco", Claim.SEND)
        peer = Peer.client(
            "/$hc/hyco?sb-hc-action=connect",
            headers={"ServiceBusAuthorization": token, **headers},
        )
        peer.dial(self.network, "relay.test", 443, secure=True)
        self.network.flush()
        for message in messages:
            peer.binary(message)
            self.network.flush()
        return peer

    def test_refused(self) -> None:
        """
        Named ports have no such targets: whoever wants one is told what to mend, and
        never joined to a port instead, whatever it offers.
        """
        self.listen(mode="bridge", ports=(parse_port("sql=db.corp:5"),))
        for offers in (
            f"{STREAM}, {TARGET}, {TARGET_REUSE}",
            f"{STREAM}, {TARGET_SPARE}",
            "",
        ):
            wanted = {TARGET_HEADER: "db.corp:5", "Sec-WebSocket-Protocol": offers}
            peer = self.sender(**{name: text for name, text in wanted.items() if text})
            self.assertEqual(peer.status, 403)
            self.assertIn("azbridge's named ports", peer.reason)
            self.assertIn('mode = "bridge"', peer.reason)

    def test_no_waiting(self) -> None:
        """A tunnel that is to wait for a target is a plain one, which wants a name."""
        self.listen(mode="bridge", ports=(parse_port("sql=db.corp:5"),))
        offers = f"{STREAM}, {TARGET_SPARE}"
        peer = self.sender(**{"Sec-WebSocket-Protocol": offers})
        self.assertEqual(peer.status, 101)
        self.assertEqual(peer.headers["sec-websocket-protocol"], STREAM)
        peer.close()

    def test_allow_targets(self) -> None:
        """C{allow_targets} binds named ports of both kinds."""
        allowed = AllowList([AllowedTarget.parse("10.0.0.0/8:*")])
        self.listen(
            allowed,
            mode="bridge",
            ports=(parse_port("a=192.0.2.1:5"), parse_port("b=udp:192.0.2.1:53")),
        )
        for preamble, target in (
            (b"\x01\x00\x00\x01a", "192.0.2.1:5"),
            (b"\x01\x00\x01\x01b", "192.0.2.1:53"),
        ):
            with patch("hybridconn.listener.forward.open_datagrams") as opened:
                peer = self.sender(preamble)
            opened.assert_not_called()
            self.assertEqual(said(peer), [])
            assert peer.close_frame is not None
            words = f"The target {target} is not in allow_targets"
            self.assertEqual(peer.close_frame, (1011, words))
            peer.close()


class NoiseTests(Scene):
    """Senders that say anything at all."""

    ports = ("sql=db.corp:1433", "dns=udp:198.18.0.53:53")

    @given(
        st.one_of(
            st.binary(max_size=40),
            st.tuples(
                st.sampled_from([b"\x01\x00", b"\x01\x01", b"\x02\x00"]),
                st.binary(max_size=40),
            ).map(b"".join),
            st.tuples(
                st.sampled_from([b"\x01\x00\x00\x03", b"\x01\x00\x01\x03"]),
                st.sampled_from([b"sql", b"dns", b"\xff\xfe\xfd", b"s\nl", b"s\0l"]),
                st.binary(max_size=10),
            ).map(b"".join),
        ),
        st.integers(1, 9),
    )
    def test_anything(self, data: bytes, size: int) -> None:
        """
        However it is cut: one of the known answers or none at all, an end in order, and
        nothing is left.
        """
        cuts = [data[at : at + size] for at in range(0, len(data), size)]
        peer = self.sender(*cuts)
        peer.close()
        self.network.advance(30)
        got = b"".join(said(peer))[:3]
        answers = {b"", UNSUPPORTED, IS_STREAM, IS_DATAGRAM, accepted(0), accepted(1)}
        self.assertIn(got, answers)
        self.assertIsNotNone(peer.close_frame)
        self.assertEqual(self.listener.tunnels, 0)
        self.assertTrue(all(end.transport.stopped for end in self.udp))
        self.assertEqual(self.flushLoggedErrors(), [])

    @given(st.lists(st.binary(max_size=600), max_size=12))
    def test_datagrams(self, messages: list[bytes]) -> None:
        """Datagrams of any make: no more than their bytes arrive, and no error."""
        peer = self.sender(DNS, *messages)
        end = self.udp[-1]
        peer.close()
        self.network.advance(30)
        written = b"".join(end.transport.written)
        self.assertLessEqual(len(written), len(b"".join(messages)))
        self.assertTrue(end.transport.stopped)
        self.assertEqual(self.flushLoggedErrors(), [])
