"""Tests for L{hybridconn.core.frames}; Autobahn says what is right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from attrs import frozen
from autobahn.twisted.websocket import (
    WebSocketClientFactory,
    WebSocketClientProtocol,
    WebSocketServerFactory,
    WebSocketServerProtocol,
)
from hypothesis import example, given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from websockets.utils import apply_mask

from hybridconn.core.frames import (
    CLOSE,
    PING,
    PONG,
    FrameError,
    FrameParser,
    FrameWriter,
    Piece,
)

KEY = b"\x11\x22\x33\x44"


@frozen
class Read:
    """What was made of some bytes."""

    messages: tuple[tuple[bytes, bool], ...]
    begun: bytes
    controls: tuple[tuple[int, bytes], ...]
    failed: bool


def read(parser: FrameParser, parts: Iterable[bytes]) -> Read:
    """Feed C{parts} and gather what comes."""
    messages: list[tuple[bytes, bool]] = []
    controls: list[tuple[int, bytes]] = []
    begun = b""
    for part in parts:
        for data, binary, final in parser.feed(part):
            begun += data
            if final:
                messages.append((begun, binary))
                begun = b""
        controls += parser.controls
    return Read(
        tuple(messages), begun, tuple(controls), isinstance(parser.failure, FrameError)
    )


def frame(
    first: int, payload: bytes = b"", form: int = 0, masked: bool = True
) -> bytes:
    """
    A frame with any first byte.

    @param form: 126 or 127 for a longer form of the length than is needed.
    """
    length = len(payload)
    bit = 0x80 if masked else 0
    if form == 127 or length > 65535:
        head = bytes((first, bit | 127)) + length.to_bytes(8, "big")
    elif form == 126 or length > 125:
        head = bytes((first, bit | 126)) + length.to_bytes(2, "big")
    else:
        head = bytes((first, bit | length))
    return head + (KEY + bytes(apply_mask(payload, KEY)) if masked else payload)


class _Oracle:
    """Autobahn's reading, noted down (mixed into its protocols)."""

    factory: Any
    data: bytes

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[tuple[bytes, bool]] = []
        self.controls: list[tuple[int, bytes]] = []
        self.begun: list[bytes] = []
        self.failed = self.over = False

    def _onOpen(self) -> None:
        """No look at the peer's certificate."""

    def onMessageBegin(self, isBinary: bool) -> None:
        self.binary = isBinary
        self.begun = []

    def onMessageFrameBegin(self, length: int) -> None:
        """No limits."""

    def onMessageFrameData(self, payload: bytes) -> None:
        self.begun.append(payload)

    def onMessageFrameEnd(self) -> None:
        """Nothing is gathered."""

    def onMessageEnd(self) -> None:
        self.messages.append((b"".join(self.begun), self.binary))
        self.begun = []

    def onPing(self, payload: bytes) -> None:
        self.controls.append((PING, payload))

    def onPong(self, payload: bytes) -> None:
        self.controls.append((PONG, payload))

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> bool:
        payload = b"" if code is None else code.to_bytes(2, "big")
        self.controls.append((CLOSE, payload + (reasonRaw or b"")))
        self.over = True
        self.data = b""
        return True

    def _fail_connection(self, code: int = 1001, reason: str = "") -> None:
        self.failed = self.over = True
        self.data = b""

    def read(self, stream: bytes) -> Read:
        """What Autobahn makes of C{stream}."""
        protocol: Any = self
        protocol._dataReceived(stream)
        return Read(
            tuple(self.messages),
            b"".join(self.begun),
            tuple(self.controls),
            self.failed,
        )


class _Server(_Oracle, WebSocketServerProtocol):  # type: ignore[misc]  # untyped
    pass


class _Client(_Oracle, WebSocketClientProtocol):  # type: ignore[misc]  # untyped
    pass


def oracle(masked: bool) -> _Oracle:
    """Autobahn after a handshake, reading a client's or a server's frames."""
    factory: Any = (
        WebSocketServerFactory(reactor=Clock())
        if masked
        else WebSocketClientFactory(reactor=Clock())
    )
    factory.setProtocolOptions(
        utf8validateIncoming=False, openHandshakeTimeout=0, autoPingInterval=0
    )
    protocol: Any = (_Server if masked else _Client)()
    protocol.factory = factory
    protocol.transport = StringTransport()
    protocol._connectionMade()
    protocol.state = protocol.STATE_OPEN
    protocol.inside_message = False
    protocol.current_frame = None
    protocol.websocket_version = 13
    protocol.data = b""
    return protocol  # type: ignore[no-any-return]


def parser(masked: bool = True, limit: int = 0) -> FrameParser:
    return FrameParser(masked, apply_mask, limit)


def cut(stream: bytes, sizes: list[int]) -> list[bytes]:
    """C{stream} in parts of these sizes, and the rest."""
    parts, start = [], 0
    for size in sizes:
        parts.append(stream[start : start + size])
        start += size
    return [*parts, stream[start:]]


# Autobahn looks at a head when all of it is there, we do as soon as we can: both
# have done so after this.
_PADDING = b"\0" * 14

_lengths = st.one_of(
    st.integers(0, 130), st.sampled_from([125, 126, 127, 300, 65535, 65536, 70000])
)
_payloads = _lengths.map(lambda n: bytes(i & 0xFF for i in range(n)))
_good_firsts = st.sampled_from([0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A])
_cuts = st.lists(st.integers(0, 400), max_size=30)


class OracleTests(SynchronousTestCase):
    """Whatever comes, and however it is cut: what Autobahn says holds."""

    @given(
        st.booleans(),
        st.lists(st.tuples(_good_firsts, _payloads), max_size=8),
        _cuts,
    )
    def test_any_frames(
        self, masked: bool, frames: list[tuple[int, bytes]], cuts: list[int]
    ) -> None:
        """Frames in any order and fragmentation, with controls in between."""
        stream = b"".join(frame(first, data, 0, masked) for first, data in frames)
        self.assertEqual(
            read(parser(masked), cut(stream, cuts)), oracle(masked).read(stream)
        )

    @given(
        st.booleans(),
        st.lists(
            st.tuples(
                st.one_of(_good_firsts, st.integers(0, 255)),
                _payloads,
                st.sampled_from([0, 0, 0, 126, 127]),
                st.sampled_from([True, True, True, False]),
            ),
            max_size=4,
        ),
        _cuts,
    )
    def test_broken_frames(
        self,
        masked: bool,
        frames: list[tuple[int, bytes, int, bool]],
        cuts: list[int],
    ) -> None:
        """Reserved bits and opcodes, wrong lengths and masking, or none of it."""
        stream = b"".join(
            frame(first, data, form, masked == right)
            for first, data, form, right in frames
        )
        stream += _PADDING
        self.assertEqual(
            read(parser(masked), cut(stream, cuts)), oracle(masked).read(stream)
        )

    @given(st.booleans(), st.binary(max_size=60), _cuts)
    @example(True, b"\x82\xff" + b"\xff" * 8, [])
    @example(False, b"\x82\x7f\x80" + b"\0" * 7, [1, 1])
    def test_noise(self, masked: bool, stream: bytes, cuts: list[int]) -> None:
        """Bytes that are no frames at all."""
        stream += _PADDING
        self.assertEqual(
            read(parser(masked), cut(stream, cuts)), oracle(masked).read(stream)
        )

    @given(
        st.booleans(),
        st.lists(st.lists(_payloads, min_size=1, max_size=4), max_size=4),
        st.booleans(),
        st.sampled_from([1000, 65535, 65536]),
    )
    def test_written_frames(
        self, client: bool, messages: list[list[bytes]], binary: bool, longest: int
    ) -> None:
        """Autobahn reads what we write, message by message."""
        pieces: list[Piece] = [
            (part, binary, index == len(message) - 1)
            for message in messages
            for index, part in enumerate(message)
        ]
        writer = FrameWriter(longest, apply_mask if client else None, lambda: KEY)
        half = len(pieces) // 2
        stream = writer.frames(pieces[:half]) + writer.frames(pieces[half:])
        seen = oracle(client).read(stream)
        self.assertEqual(
            seen.messages, tuple((b"".join(message), binary) for message in messages)
        )
        self.assertFalse(seen.failed)


class ParserTests(SynchronousTestCase):
    """Each rule by itself."""

    def refused(self, stream: bytes, words: str, masked: bool = True) -> None:
        """C{stream} is a mistake, in one piece and byte by byte."""
        for parts in ([stream], [bytes((byte,)) for byte in stream]):
            reader = parser(masked)
            self.assertEqual(read(reader, parts).messages, ())
            assert reader.failure is not None
            self.assertEqual(
                (reader.failure.code, reader.failure.reason), (1002, words)
            )

    def test_reserved_bits(self) -> None:
        """No extension was agreed on, so RSV1 to RSV3 are zero."""
        for bit in (0x40, 0x20, 0x10):
            self.refused(frame(0x82 | bit, b"x"), "reserved bits are set")

    def test_masking(self) -> None:
        """A client masks, a server does not."""
        self.refused(frame(0x82, b"x", masked=False), "a frame is not masked")
        self.refused(frame(0x82, b"x"), "a frame is masked", masked=False)

    def test_shortest_form(self) -> None:
        """A length has one way to be written."""
        words = "a length is not written in its shortest form"
        self.refused(frame(0x82, b"x" * 125, 126), words)
        self.refused(frame(0x82, b"x" * 300, 127), words)

    def test_longest_length(self) -> None:
        """The highest bit of a length of eight bytes is zero."""
        self.refused(
            b"\x82\xff\x80" + b"\0" * 7 + KEY, "a length has its highest bit set"
        )

    def test_reserved_opcodes(self) -> None:
        """Opcodes 3 to 7 and 11 to 15 mean nothing."""
        for opcode in (3, 7, 11, 15):
            self.refused(
                frame(0x80 | opcode), f"a frame has the reserved opcode {opcode}"
            )

    def test_order(self) -> None:
        """A message ends before the next begins, and begins before it goes on."""
        self.refused(frame(0x80, b"x"), "a message is continued that never began")
        self.refused(
            frame(0x02, b"") + frame(0x82, b"x"), "a message begins inside another"
        )

    def test_control_frames(self) -> None:
        """They are whole, of 125 bytes at most; a Close has a whole code."""
        self.refused(frame(PING, b""), "a control frame is fragmented")
        self.refused(
            frame(0x80 | PING, b"x" * 126), "a control frame has more than 125 bytes"
        )
        self.refused(frame(0x80 | CLOSE, b"\x03"), "a Close has one byte")

    def test_partial_frame(self) -> None:
        """What is here of a frame comes at once, unmasked from where it stands."""
        stream = frame(0x82, b"abcdefgh")
        reader = parser()
        self.assertEqual(reader.feed(stream[:9]), [(b"abc", True, False)])
        self.assertEqual(reader.feed(stream[9:11]), [(b"de", True, False)])
        self.assertEqual(reader.feed(stream[11:]), [(b"fgh", True, True)])

    def test_control_within_a_message(self) -> None:
        """A ping between two fragments disturbs neither."""
        stream = frame(0x01, b"a") + frame(0x80 | PING, b"?") + frame(0x80, b"b")
        reader = parser()
        self.assertEqual(
            reader.feed(stream), [(b"a", False, False), (b"b", False, True)]
        )
        self.assertEqual(reader.controls, [(PING, b"?")])
        self.assertEqual(reader.feed(b""), [])
        self.assertEqual(reader.controls, [])

    def test_empty_messages(self) -> None:
        """They count; an empty fragment that ends nothing does not."""
        stream = frame(0x82) + frame(0x02) + frame(0x00) + frame(0x80)
        self.assertEqual(parser().feed(stream), [(b"", True, True), (b"", True, True)])

    def test_after_the_close(self) -> None:
        """What follows a Close is void."""
        reader = parser()
        stream = frame(0x82, b"x") + frame(0x80 | CLOSE, b"\x03\xe8")
        self.assertEqual(reader.feed(stream + frame(0x82, b"y")), [(b"x", True, True)])
        self.assertEqual(reader.controls, [(CLOSE, b"\x03\xe8")])
        self.assertEqual(reader.feed(frame(0x82, b"z")), [])
        self.assertEqual(reader.controls, [])

    def test_before_a_mistake(self) -> None:
        """What came before it still counts, nothing after it does."""
        reader = parser()
        self.assertEqual(
            reader.feed(frame(0x82, b"x") + b"\xff\xff"), [(b"x", True, True)]
        )
        self.assertIsNotNone(reader.failure)
        self.assertEqual(reader.feed(frame(0x82, b"y")), [])

    def test_limit(self) -> None:
        """A message over the limit is refused by a frame's head alone."""
        reader = parser(limit=100)
        self.assertEqual(len(reader.feed(frame(0x82, b"x" * 100))), 1)
        self.assertEqual(len(reader.feed(frame(0x02, b"x" * 60))), 1)
        self.assertEqual(reader.feed(frame(0x80, b"x" * 41)[:6]), [])
        assert reader.failure is not None
        self.assertEqual(reader.failure.code, 1009)

    def test_limit_of_whole_messages(self) -> None:
        """Nor does one that is all here pass."""
        for masked in (True, False):
            reader = parser(masked, limit=100)
            self.assertEqual(reader.feed(frame(0x82, b"x" * 101, 0, masked)), [])
            assert reader.failure is not None
            self.assertEqual(str(reader.failure), "1009 a message may have 100 bytes")

    def test_borrowed_buffer(self) -> None:
        """Nothing of a buffer that is used again for the next read is kept."""
        for masked in (True, False):
            stream = b"".join(
                frame(first, data, 0, masked)
                for first, data in ((0x01, b"a" * 50), (0x89, b"?"), (0x80, b"b" * 200))
            )
            for size in (1, 3, 7, 64, len(stream)):
                buffer, reader = bytearray(size), parser(masked)
                got: list[Piece] = []
                controls: list[tuple[int, bytes]] = []
                for start in range(0, len(stream), size):
                    part = stream[start : start + size]
                    buffer[: len(part)] = part
                    got += reader.feed(memoryview(buffer)[: len(part)])
                    controls += reader.controls
                    buffer[:] = bytes(size)
                text = b"".join(piece[0] for piece in got)
                self.assertEqual(text, b"a" * 50 + b"b" * 200)
                self.assertEqual(controls, [(PING, b"?")])

    def test_hardly_anything_is_held(self) -> None:
        """Of an endless frame nothing stays but what its head says."""
        reader = parser()
        reader.feed(b"\x82\xff" + (2**40).to_bytes(8, "big") + KEY)
        for _ in range(50):
            self.assertEqual(len(reader.feed(b"x" * 1000)[0][0]), 1000)
        held = sum(len(v) for v in vars(reader).values() if isinstance(v, bytes))
        self.assertEqual(held, len(KEY))


class WriterTests(SynchronousTestCase):
    """Bytes of frames."""

    def test_server_frames(self) -> None:
        """All pieces of one call are one string."""
        writer = FrameWriter(65536)
        self.assertEqual(
            writer.frames(
                [(b"a", False, False), (b"", False, False), (b"b", False, True)]
            ),
            frame(0x01, b"a", masked=False)
            + frame(0x00, b"", masked=False)
            + frame(0x80, b"b", masked=False),
        )
        for size in (0, 125, 126, 65535, 65536):
            data = b"x" * size
            self.assertEqual(
                writer.frames([(data, True, True)]), frame(0x82, data, masked=False)
            )

    def test_client_frames(self) -> None:
        """Each frame of a client has a key of its own."""
        keys = iter((b"1234", b"5678"))
        writer = FrameWriter(65536, apply_mask, lambda: next(keys))
        self.assertEqual(
            writer.frames([(b"a", True, True), (b"b" * 126, True, True)]),
            b"\x82\x811234"
            + bytes(apply_mask(b"a", b"1234"))
            + b"\x82\xfe\x00\x7e5678"
            + bytes(apply_mask(b"b" * 126, b"5678")),
        )

    def test_long_pieces(self) -> None:
        """A long piece is cut; only its last part may end the message."""
        writer = FrameWriter(10)
        self.assertEqual(
            writer.frames([(b"x" * 25, True, False), (b"y" * 11, True, True)]),
            frame(0x02, b"x" * 10, masked=False)
            + frame(0x00, b"x" * 10, masked=False)
            + frame(0x00, b"x" * 5, masked=False)
            + frame(0x00, b"y" * 10, masked=False)
            + frame(0x80, b"y", masked=False),
        )
        self.assertEqual(
            writer.frames([(b"z", True, True)]), frame(0x82, b"z", masked=False)
        )
