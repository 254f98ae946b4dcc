"""Tests for L{hybridconn.websocket.base}: messages, piece by piece."""

from __future__ import annotations

from random import Random
from typing import cast

from twisted.internet.error import ConnectionAborted, ConnectionLost
from zope.interface.verify import verifyObject

from hybridconn.interfaces import ITunnel
from hybridconn.testing import Frame, RecordingSink, WsPeer
from hybridconn.testing.frames import BINARY, CONTINUATION, PING, PONG, TEXT, encode
from hybridconn.websocket.base import ProtocolViolation
from hybridconn.websocket.server import TunnelServerFactory, TunnelServerProtocol
from tests.websocket.scene import WebSocketTestCase


class ReceivingTests(WebSocketTestCase):
    """What comes over the wire, on its way to the sink."""

    def setUp(self) -> None:
        super().setUp()
        self.sink = RecordingSink()

    def test_is_a_tunnel(self) -> None:
        """Both ends provide ITunnel."""
        self.assertTrue(verifyObject(ITunnel, self.server()[0]))
        self.assertTrue(verifyObject(ITunnel, self.client()[0]))

    def test_messages(self) -> None:
        """Text stays text, binary binary, an empty message a message."""
        _, peer = self.server(self.sink)
        peer.text("hé")
        peer.binary(b"\x00\xff")
        peer.binary(b"")
        peer.text("")
        self.flush()
        self.assertEqual(self.sink.messages, ["hé", b"\x00\xff", b"", ""])

    def test_from_a_server(self) -> None:
        """A client reads what its server sends, unmasked."""
        _, peer = self.client(self.sink)
        peer.text("one")
        peer.binary(b"two")
        self.flush()
        self.assertEqual(self.sink.messages, ["one", b"two"])

    def test_goes_on_as_it_comes(self) -> None:
        """A part of a frame is passed on at once, not kept for the rest."""
        _, peer = self.server(self.sink)
        octets = encode(Frame(BINARY, b"abcdef", masked=True))
        peer.send(octets[:9])
        self.flush()
        self.assertEqual(self.sink.pieces, [(b"abc", True, False)])
        peer.send(octets[9:])
        self.flush()
        self.assertEqual(self.sink.pieces[1:], [(b"def", True, True)])

    def test_any_cut(self) -> None:
        """However the bytes are cut, the same messages come out."""
        stream = b"".join(
            encode(frame)
            for frame in (
                Frame(TEXT, "grüße".encode(), masked=True),
                Frame(BINARY, bytes(range(200)), False, masked=True),
                Frame(PING, b"between", masked=True),
                Frame(CONTINUATION, b"", False, masked=True),
                Frame(CONTINUATION, b"tail", masked=True),
                Frame(BINARY, b"", masked=True),
                Frame(BINARY, bytes(70_000), masked=True),
                Frame(TEXT, b"", False, masked=True),
                Frame(CONTINUATION, b"", masked=True),
            )
        )
        expected = ["grüße", bytes(range(200)) + b"tail", b"", bytes(70_000), ""]
        random = Random(13)
        for round in range(12):
            sink = RecordingSink()
            _, peer = self.server(sink)
            if round == 0:
                self.connection.to_server.piece_bytes = 1
                peer.send(stream[:600])
                self.flush()
                self.connection.to_server.piece_bytes = None
                peer.send(stream[600:])
            else:
                cuts = sorted(random.sample(range(1, len(stream)), 9 * round))
                for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
                    peer.send(stream[start:end])
                    self.flush()
            self.flush()
            self.assertEqual(sink.messages, expected)
            self.assertNotIn((b"", True, False), sink.pieces)
            self.assertEqual([f.opcode for f in peer.frames], [PONG])

    def test_fragments(self) -> None:
        """Fragments are one message; an empty one in its middle is no piece."""
        _, peer = self.server(self.sink)
        peer.frame(BINARY, b"one ", False)
        peer.frame(CONTINUATION, b"", False)
        peer.frame(CONTINUATION, b"two", False)
        peer.frame(CONTINUATION, b"")
        self.flush()
        self.assertEqual(self.sink.messages, [b"one two"])
        self.assertEqual(
            self.sink.pieces,
            [(b"one ", True, False), (b"two", True, False), (b"", True, True)],
        )

    def test_waits_for_a_sink(self) -> None:
        """What comes before a sink is there is kept, and no more is read."""
        end, peer = self.server()
        peer.text("early")
        peer.binary(bytes(100_000))
        self.flush()
        self.assertGreater(self.connection.to_server.unread, 0)
        end.attach(self.sink)
        self.flush()
        self.assertEqual(self.sink.messages, ["early", bytes(100_000)])

    def test_close_waits_for_a_sink(self) -> None:
        """A Close that comes before a sink is there is kept as well."""
        end, peer = self.server()
        peer.text("last")
        peer.close(4000, b"bye")
        self.flush()
        end.attach(self.sink)
        self.assertEqual(self.sink.messages, ["last"])
        self.assertEqual(self.sink.closed, (4000, b"bye"))

    def test_sink_for_the_lost(self) -> None:
        """A sink for a connection that is gone hears so."""
        end, peer = self.server()
        peer.abort()
        self.flush()
        end.attach(self.sink)
        self.lost(self.sink, ConnectionLost)

    def test_behind_the_request(self) -> None:
        """Frames sent behind the request, before the 101, are not lost."""
        early = encode(Frame(TEXT, b"early", masked=True))
        self.server(self.sink, WsPeer.client("/", behind=early))
        self.assertEqual(self.sink.messages, ["early"])

    def test_behind_the_answer(self) -> None:
        """Frames sent together with the 101 are not lost."""
        peer = WsPeer.server()
        answer = WsPeer._accept

        def accept_and_talk(self: WsPeer) -> bytes:
            return answer(self) + encode(Frame(TEXT, b"early"))

        self.patch(WsPeer, "_accept", accept_and_talk)
        self.successResultOf(self.dial(peer, self.sink))
        self.assertEqual(self.sink.messages, ["early"])

    def test_pause(self) -> None:
        """A paused end reads nothing; resumed, it reads all."""
        end, peer = self.server(self.sink)
        end.pause()
        self.assertTrue(end.paused)
        peer.text("later")
        self.flush()
        self.assertEqual(self.sink.messages, [])
        end.resume()
        self.flush()
        self.assertEqual(self.sink.messages, ["later"])
        self.assertFalse(end.paused)

    def test_counts_all_bytes(self) -> None:
        """Every byte is a sign of life, a ping's too."""
        end, peer = self.server(self.sink)
        before = end.bytes_received
        peer.frame(PONG, b"hello")
        self.flush()
        self.assertEqual(end.bytes_received - before, 11)


class SendingTests(WebSocketTestCase):
    """What goes out."""

    def test_pieces(self) -> None:
        """Each piece is a frame; the pieces of a message are its fragments."""
        for end, peer in (self.server(), self.client()):
            end.send_piece(b"one ", True, False)
            end.send_piece(b"", True, False)
            end.send_piece(b"two", True, True)
            end.send_piece(b"text", False, True)
            end.send_piece(b"", True, True)
            self.flush()
            self.assertEqual(peer.messages, [b"one two", "text", b""])
            shape = [(f.opcode, f.final) for f in peer.frames]
            self.assertEqual(shape[0], (BINARY, False))
            self.assertEqual(shape[-3:], [(0, True), (TEXT, True), (BINARY, True)])
            self.assertEqual({f.rsv for f in peer.frames}, {0})

    def test_masks(self) -> None:
        """A client masks, each frame with a mask of its own; a server does not."""
        end, peer = self.server()
        end.send_piece(b"x", True, True)
        self.flush()
        self.assertFalse(peer.frames[0].masked)
        end, peer = self.client()
        raw: list[bytes] = []

        def feed(data: bytes) -> list[Frame]:
            raw.append(data)
            return []

        self.patch(peer._reader, "feed", feed)
        for _ in range(4):
            end.send_piece(bytes(64), True, True)
            self.flush()
        self.assertEqual({octets[1] for octets in raw}, {0x80 | 64})
        self.assertEqual(len({octets[2:6] for octets in raw}), 4)

    def test_cuts_at_64_kb(self) -> None:
        """No frame is longer than 64 kB; boundaries of messages stay."""
        cases = {
            65535: [65535],
            65536: [65536],
            65537: [65536, 1],
            200_000: [65536, 65536, 65536, 3392],
        }
        for size, lengths in cases.items():
            end, peer = self.server()
            end.send_piece(bytes(size), True, True)
            self.flush()
            self.assertEqual([len(f.payload) for f in peer.frames], lengths)
            self.assertEqual(peer.messages, [bytes(size)])
            self.assertEqual(
                [f.final for f in peer.frames], [False] * (len(lengths) - 1) + [True]
            )

    def test_cut_within_a_message(self) -> None:
        """A long piece in the middle of a message is cut into continuations."""
        end, peer = self.server()
        end.send_piece(b"start", False, False)
        end.send_piece(b"x" * 70_000, False, True)
        self.flush()
        self.assertEqual([f.opcode for f in peer.frames], [TEXT, 0, 0])
        self.assertEqual(peer.messages, ["start" + "x" * 70_000])

    def test_before_the_handshake(self) -> None:
        """What is sent before the handshake is done goes out behind it."""
        factory = TunnelServerFactory(self.clock, self.limits, self.data_path)
        end = factory.build()
        end.send_piece(b"first", True, False)
        end.send_piece(b"second", True, True)
        end.send_close(1000, b"bye")
        end.send_piece(b"void", True, True)
        self.patch(TunnelServerFactory, "build", lambda *_: end)
        _, peer = self.server()
        self.assertEqual(peer.messages, [b"firstsecond"])
        self.assertEqual(peer.close_frame, (1000, "bye"))

    def test_after_the_end(self) -> None:
        """Nothing follows our Close, and nothing is written when all is gone."""
        end, peer = self.server(RecordingSink())
        end.send_close(1000, b"")
        end.send_piece(b"void", True, True)
        end.send_close(1001, b"")
        end.send_ping()
        self.flush()
        self.assertEqual(len(peer.frames), 1)
        peer.abort()
        self.flush()
        end.send_piece(b"void", True, True)
        end.send_close(1001, b"")
        end.finish(1001, b"")
        end.drop()
        end.abort()
        end.resume()
        self.advance(1000.0)
        self.quiet()


class ControlFrameTests(WebSocketTestCase):
    """Pings and pongs end at each hop."""

    def setUp(self) -> None:
        super().setUp()
        self.sink = RecordingSink()
        self.end, self.peer = self.server(self.sink)

    def test_answers_pings(self) -> None:
        """A ping is answered with its payload, between fragments too."""
        self.peer.frame(BINARY, b"a", False)
        self.peer.frame(PING, b"are you there?")
        self.peer.frame(CONTINUATION, b"b")
        self.flush()
        self.assertEqual(self.peer.frames, [Frame(PONG, b"are you there?")])
        self.assertEqual(self.sink.messages, [b"ab"])

    def test_ignores_pongs(self) -> None:
        """A pong that nobody asked for is no error."""
        self.peer.frame(PONG, b"hello")
        self.flush()
        self.assertEqual((self.peer.frames, self.sink.pieces), ([], []))
        self.assertIsNone(self.sink.lost)

    def test_sends_pings(self) -> None:
        """send_ping asks for a sign of life."""
        self.end.send_ping()
        self.flush()
        self.assertEqual([f.opcode for f in self.peer.frames], [PING])

    def test_no_pong_behind_close(self) -> None:
        """After our Close a ping is not answered: nothing may follow a Close."""
        self.end.send_close(1000, b"")
        self.peer.frame(PING)
        self.flush()
        self.assertEqual([f.opcode for f in self.peer.frames], [8])
        self.assertIsNone(self.sink.lost)

    def test_burst(self) -> None:
        """A burst of control frames is fine; one more than it is 1008."""
        for number in range(100):
            self.peer.frame(PING if number % 2 else PONG)
        self.flush()
        self.assertIsNone(self.sink.lost)
        self.peer.frame(PONG)
        self.flush()
        self.assertEqual(self.peer.close_frame, (1008, "too many control frames"))
        self.lost(self.sink, ProtocolViolation)

    def test_rate(self) -> None:
        """Ten a second are fine for ever, eleven are not."""
        for count, lives in ((10, True), (11, False)):
            sink = RecordingSink()
            _, peer = self.server(sink)
            for _ in range(200):
                for _ in range(count):
                    peer.frame(PING)
                self.advance(1.0)
            self.assertEqual(sink.lost is None, lives, count)


class ViolationTests(WebSocketTestCase):
    """RFC 6455's MUSTs, and limits: named in a Close, then let go."""

    def violate(self, octets: bytes, code: int, client: bool = False) -> str:
        """Send C{octets} and check what becomes of it; returns the reason."""
        sink = RecordingSink()
        _, peer = self.client(sink) if client else self.server(sink)
        peer.send(octets)
        self.flush()
        words = self.lost(sink, ProtocolViolation)
        assert peer.close_frame is not None, words
        self.assertEqual(peer.close_frame[0], code, words)
        self.assertEqual(peer.close_frame[1], words[:123])
        self.assertEqual(sink.pieces, [])
        self.assertIsNone(sink.closed)
        # Nothing that follows counts.
        peer.text("more")
        self.advance(1000.0)
        self.assertEqual(sink.pieces, [])
        self.quiet()
        return words

    def test_masking(self) -> None:
        """A client must mask, a server must not."""
        self.violate(encode(Frame(TEXT, b"bare")), 1002)
        self.violate(encode(Frame(TEXT, b"masked", masked=True)), 1002, client=True)

    def test_reserved_bits(self) -> None:
        """No extension was agreed on: the reserved bits must be zero."""
        for rsv in range(1, 8):
            self.violate(encode(Frame(TEXT, b"x", rsv=rsv, masked=True)), 1002)

    def test_reserved_opcodes(self) -> None:
        """Opcodes without a meaning are refused."""
        for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
            self.violate(encode(Frame(opcode, masked=True)), 1002)

    def test_control_frames(self) -> None:
        """A control frame is short and whole."""
        self.violate(encode(Frame(PING, bytes(126), masked=True)), 1002)
        self.violate(encode(Frame(PING, b"", False, masked=True)), 1002)
        self.violate(encode(Frame(8, b"\x03", masked=True)), 1002)

    def test_fragmentation(self) -> None:
        """A continuation continues; nothing else does."""
        self.violate(encode(Frame(CONTINUATION, b"x", masked=True)), 1002)
        begun = encode(Frame(TEXT, b"", False, masked=True))
        self.violate(begun + encode(Frame(BINARY, b"x", masked=True)), 1002)

    def test_lengths(self) -> None:
        """A length is in its shortest form and below 2^63."""
        self.violate(encode(Frame(BINARY, b"x", masked=True), wide=2), 1002)
        self.violate(encode(Frame(BINARY, bytes(126), masked=True), wide=8), 1002)
        self.violate(encode(Frame(BINARY, masked=True), announced=2**63), 1002)

    def test_message_size(self) -> None:
        """A message over the limit is refused by its head, 1009."""
        self.limit(max_message_bytes=1000)
        self.violate(encode(Frame(BINARY, masked=True), announced=1001), 1009)
        sink = RecordingSink()
        _, peer = self.server(sink)
        for _ in range(3):
            peer.binary(bytes(1000))
        peer.frame(BINARY, bytes(999), False)
        peer.frame(CONTINUATION, b"x")
        self.flush()
        self.assertIsNone(sink.lost)
        peer.frame(BINARY, bytes(999), False)
        peer.frame(CONTINUATION, b"xx")
        self.flush()
        self.lost(sink, ProtocolViolation)
        self.assertEqual(peer.close_frame, (1009, "a message may have 1000 bytes"))

    def test_no_size_limit(self) -> None:
        """By default a message has no limit: 2^40 bytes may be announced."""
        sink = RecordingSink()
        _, peer = self.server(sink)
        peer.frame(BINARY, b"x", announced=2**40)
        self.flush()
        self.assertEqual(sink.pieces, [(b"x", True, False)])

    def test_fragments_limit(self) -> None:
        """Where it is set, so many frames make a message and no more, 1008."""
        sink = RecordingSink()
        end, peer = self.server(sink, control=True)
        end.max_fragments = 4
        for opcode in (TEXT, 0, 0):
            peer.frame(opcode, b"", False)
        peer.frame(CONTINUATION, b"ok")
        for opcode in (BINARY, 0, 0, 0):
            peer.frame(opcode, b"", False)
        self.flush()
        self.assertEqual(sink.messages, ["ok"])
        self.assertIsNone(sink.lost)
        peer.frame(CONTINUATION, b"")
        self.flush()
        self.assertEqual(peer.close_frame, (1008, "a message may have 4 frames"))
        self.lost(sink, ProtocolViolation)

    def test_utf8_is_not_checked(self) -> None:
        """Text is passed on unlooked at: messages may be cut anywhere."""
        sink = RecordingSink()
        _, peer = self.server(sink)
        peer.frame(TEXT, b"\xff\xfe")
        self.flush()
        self.assertEqual(sink.pieces, [(b"\xff\xfe", False, True)])

    def test_lets_go_of_a_deaf_peer(self) -> None:
        """A peer that broke a rule and reads nothing is dropped in 5 s."""
        _, peer = self.server(RecordingSink())
        peer.pause()
        peer.send(encode(Frame(TEXT)))
        self.advance(4.9)
        self.assertEqual(len(self.network.connections), 1)
        self.advance(0.2)
        peer.resume()
        self.flush()
        assert peer.lost is not None
        peer.lost.trap(ConnectionLost, ConnectionAborted)
        self.quiet()


class Counting(TunnelServerProtocol):
    """A subclass that wants every message."""

    max_gathered_bytes = 10

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[bytes, bool]] = []

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        self.seen.append((payload, isBinary))


class WholeMessagesTests(WebSocketTestCase):
    """A subclass may have messages whole, beside the pieces."""

    def setUp(self) -> None:
        super().setUp()
        self.patch(TunnelServerFactory, "protocol", Counting)

    def test_each_message(self) -> None:
        """It gets each message once, and the sink its pieces as ever."""
        sink = RecordingSink()
        end, peer = self.server(sink)
        peer.frame(TEXT, b"a", False)
        self.flush()
        self.assertEqual(sink.pieces, [(b"a", False, False)])
        peer.frame(CONTINUATION, b"b")
        peer.frame(BINARY, b"c")
        self.flush()
        self.assertEqual(cast(Counting, end).seen, [(b"ab", False), (b"c", True)])
        self.assertEqual(sink.messages, ["ab", b"c"])

    def test_too_long(self) -> None:
        """A message that is too long to be gathered closes with 1009."""
        sink = RecordingSink()
        end, peer = self.server(sink)
        peer.frame(BINARY, b"x" * 10)
        peer.frame(BINARY, b"x" * 11)
        self.flush()
        self.assertEqual(cast(Counting, end).seen, [(b"x" * 10, True)])
        self.assertEqual(peer.close_frame, (1009, "a message may have 10 bytes"))
        self.lost(sink, ProtocolViolation)
