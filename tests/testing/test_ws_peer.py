"""Tests for L{hybridconn.testing.ws_peer} and L{hybridconn.testing.frames}."""

from __future__ import annotations

import struct

from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.testing import Frame, MemoryNetwork, WsPeer, one_protocol
from hybridconn.testing.frames import BINARY, PING, TEXT, FrameReader, encode


class FrameTests(SynchronousTestCase):
    """The codec that shares nothing with the product's."""

    def test_rfc_examples(self) -> None:
        """The examples of RFC 6455 section 5.7 read as they say."""
        cases = {
            "810548656c6c6f": Frame(TEXT, b"Hello"),
            "818537fa213d7f9f4d5158": Frame(TEXT, b"Hello", masked=True),
            "010348656c": Frame(TEXT, b"Hel", False),
            "80026c6f": Frame(0, b"lo"),
            "890548656c6c6f": Frame(PING, b"Hello"),
        }
        for octets, frame in cases.items():
            self.assertEqual(FrameReader().feed(bytes.fromhex(octets)), [frame])

    def test_round_trip(self) -> None:
        """Every length form reads back, masked or not, in any pieces."""
        for size in (0, 1, 125, 126, 65535, 65536):
            for masked in (False, True):
                frame = Frame(BINARY, bytes(range(256)) * 256 + b"x", masked=masked)
                frame = Frame(BINARY, frame.payload[:size], masked=masked)
                octets, reader = encode(frame), FrameReader()
                self.assertEqual(reader.feed(octets[:-1]) if octets[:-1] else [], [])
                self.assertEqual(reader.feed(octets[-1:]), [frame])
                self.assertEqual(reader.pending, b"")

    def test_wrong_on_purpose(self) -> None:
        """Lengths may be wide, or not the payload's own."""
        self.assertEqual(encode(Frame(BINARY, b"a"), wide=2)[:4], b"\x82\x7e\x00\x01")
        self.assertEqual(encode(Frame(BINARY, b"a"), wide=8)[1], 127)
        lie = encode(Frame(BINARY), announced=2**63)
        self.assertEqual(lie[2:], struct.pack("!Q", 2**63))
        self.assertEqual(encode(Frame(BINARY, rsv=5))[0], 0xD2)


class PeerTests(SynchronousTestCase):
    """Two peers against each other."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()

    def serve(self, server: WsPeer) -> None:
        self.network.listen("relay.test", 80, one_protocol(server))

    def dial(self, client: WsPeer) -> None:
        client.dial(self.network, "relay.test", 80)
        self.network.flush()

    def test_messages(self) -> None:
        """Messages, fragments, pings and Close arrive as they were sent."""
        client, server = WsPeer.client("/x?y=1"), WsPeer.server()
        self.serve(server)
        self.dial(client)
        self.assertEqual(server.start_line, "GET /x?y=1 HTTP/1.1")
        client.frame(BINARY, b"to", False)
        client.frame(PING, b"?")
        client.frame(0, b"gether")
        client.close(4001, b"bye")
        server.text("hé")
        server.close(None)
        self.network.flush()
        self.assertEqual(server.messages, [b"together"])
        self.assertEqual(server.frames[1], Frame(PING, b"?", masked=True))
        self.assertEqual(server.close_frame, (4001, "bye"))
        self.assertEqual(client.messages, ["hé"])
        self.assertEqual(client.close_frame, (None, ""))
        self.assertFalse(client.frames[0].masked)

    def test_does_nothing_by_itself(self) -> None:
        """Neither pings nor Close are answered: that is the test's to do."""
        client, server = WsPeer.client("/"), WsPeer.server()
        self.serve(server)
        self.dial(client)
        client.frame(PING)
        client.close()
        self.network.advance(100.0)
        self.assertEqual(client.frames, [])
        self.assertIsNone(client.lost)

    def test_refusal(self) -> None:
        """An answer other than 101 is kept, its body too."""
        answer = b"HTTP/1.1 404 Not at all\r\nTrackingId: t\r\n\r\nbecause"
        self.serve(WsPeer.server(answer))
        client = WsPeer.client("/")
        self.dial(client)
        self.assertEqual((client.status, client.reason), (404, "Not at all"))
        self.assertEqual(client.headers, {"trackingid": "t"})
        self.assertEqual(client.body, b"because")

    def test_behind_the_head(self) -> None:
        """Frames may be sent with the request, and with the answer."""
        early = encode(Frame(TEXT, b"early", masked=True))
        client, server = WsPeer.client("/", behind=early), WsPeer.server()
        self.serve(server)
        self.dial(client)
        self.assertEqual(server.messages, ["early"])

    def test_headers(self) -> None:
        """Header fields may be replaced, added and left out."""
        server = WsPeer.server()
        self.serve(server)
        self.dial(WsPeer.client("/", headers={"Upgrade": "", "Host": "h", "A": "b"}))
        self.assertNotIn("upgrade", server.headers)
        self.assertEqual((server.headers["host"], server.headers["a"]), ("h", "b"))

    def test_ends(self) -> None:
        """A hang-up and a dial that fails are remembered."""
        client, refused = WsPeer.client("/"), WsPeer.client("/")
        self.dial(refused)
        assert refused.lost is not None
        refused.lost.trap(ConnectionRefusedError)
        server = WsPeer.server()
        self.serve(server)
        self.dial(client)
        server.hang_up()
        self.network.flush()
        assert client.lost is not None
        client.lost.trap(ConnectionDone)
