"""
WebSocket frames as bytes: RFC 6455 section 5 without extensions, for the data
phase of a tunnel.

The parser hands out pieces of messages as they arrive, whatever the lengths of
the frames, so that it holds no more than the head of a frame or a control frame.
It checks all that Autobahn checks: reserved bits, masking, opcodes and their
order, the shortest form of a length, control frames whole and short.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from typing import Final

CONTINUATION: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

#: A part of a message: its bytes, whether the message is binary, and whether
#: the message ends with it.
Piece = tuple[bytes, bool, bool]

#: C{unmask(data, key)}: C{data} xor the four bytes of C{key}, over and over.
Mask = Callable[[bytes | memoryview, bytes], bytes]

#: RFC 6455 section 7.4.1, the codes that reading itself can call for: the peer
#: broke the protocol, or the limit of a message.
PROTOCOL_ERROR: Final = 1002
TOO_BIG: Final = 1009

_FINAL: Final = 0x80
_MASKED: Final = 0x80
_MAX_CONTROL: Final = 125
#: The longest head: two bytes, eight of length, four of key.
_MAX_HEAD: Final = 14
_length16 = struct.Struct("!H").unpack_from
_length64 = struct.Struct("!Q").unpack_from
_head16 = struct.Struct("!BBH").pack
_head64 = struct.Struct("!BBQ").pack


class FrameError(Exception):
    """
    The peer broke RFC 6455 or a limit.

    @ivar code: the close code for it.
    @ivar reason: what it did.
    """

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"{code} {reason}")


class FrameParser:
    """
    Reads what one peer sends.

    @param masked: whether the peer is a client, whose frames must be masked; a
        server's must not be.
    @param unmask: a library's native function for it.
    @param max_message: bytes of a message, 0 for any; a longer one is an error
        as soon as a frame's head says so.
    @ivar controls: control frames that the last L{feed} found, as opcode and
        payload, in their order.  A Close is the last one ever: what follows it is
        void (RFC 6455 section 5.5.1).
    @ivar failure: why reading ended; what is fed after it is ignored.
    """

    def __init__(self, masked: bool, unmask: Mask, max_message: int = 0) -> None:
        self.controls: list[tuple[int, bytes]] = []
        self.failure: FrameError | None = None
        self._masked = masked
        self._unmask = unmask
        self._max_message = max_message
        self._over = False
        self._rest = b""  # an incomplete head or control frame
        self._message = 0  # TEXT or BINARY within a message
        self._size = 0  # payload of this message's frames, as announced
        self._left = 0  # payload of this data frame still to come
        self._final = False  # this data frame ends its message
        self._key = b""

    def feed(self, data: bytes | memoryview) -> list[Piece]:
        """
        Read on.  Look at L{controls} and then at L{failure} after it.

        @param data: nothing of it is kept, it may change after this.
        @return: the pieces of messages that are here now, in their order.
        """
        pieces: list[Piece] = []
        if self.controls:
            self.controls = []
        if self._over:
            return pieces
        if self._rest:
            data = self._rest + bytes(data)
            self._rest = b""
        try:
            position = self._read(data, pieces)
        except FrameError as error:
            self.failure = error
            self._over = True
        else:
            if position < len(data) and not self._over:
                self._rest = bytes(data[position:])
        return pieces

    def _read(self, data: bytes | memoryview, pieces: list[Piece]) -> int:
        """Everything in C{data}; return where something incomplete begins."""
        end = len(data)
        position = 0
        view = memoryview(data)
        if self._left:
            position = self._take(view, 0, end, pieces)
        masked, unmask, add = self._masked, self._unmask, pieces.append
        limited = self._max_message
        while position < end:
            # Most frames are whole messages that are all here: the short way.
            if not self._message and end - position >= _MAX_HEAD:
                first, length = data[position], data[position + 1]
                if (first == 0x82 or first == 0x81) and (length >= _MASKED) == masked:
                    length &= 0x7F
                    start = position + 2
                    if length == 126:
                        (length,) = _length16(data, start)
                        start = position + 4 if length > 125 else end
                    elif length == 127:
                        start = end  # big frames are few
                    if masked:
                        stop = start + 4 + length
                        if stop <= end and not 0 < limited < length:
                            key = bytes(data[start : start + 4])
                            payload = unmask(view[start + 4 : stop], key)
                            add((payload, first == 0x82, True))
                            position = stop
                            continue
                    else:
                        stop = start + length
                        if stop <= end and not 0 < limited < length:
                            add((bytes(view[start:stop]), first == 0x82, True))
                            position = stop
                            continue
            after = self._begin(data, position, end, pieces)
            if after == position or self._over:
                break
            position = after
            if self._left and position < end:
                position = self._take(view, position, end, pieces)
        return position

    def _take(self, view: memoryview, start: int, end: int, pieces: list[Piece]) -> int:
        """A part of a data frame's payload."""
        stop = min(end, start + self._left)
        size = stop - start
        self._left -= size
        if self._masked:
            piece = self._unmask(view[start:stop], self._key)
            turn = size & 3
            if turn:
                self._key = self._key[turn:] + self._key[:turn]
        else:
            piece = bytes(view[start:stop])
        final = self._final and not self._left
        pieces.append((piece, self._message == BINARY, final))
        if final:
            self._message = 0
        return stop

    def _begin(
        self, data: bytes | memoryview, start: int, end: int, pieces: list[Piece]
    ) -> int:
        """
        Read the head of a data frame, or a whole control frame.

        @return: what follows it; C{start} if it is not yet all here.
        """
        if end - start < 2:
            return start
        first, second = data[start], data[start + 1]
        opcode, length = first & 0x0F, second & 0x7F
        if first & 0x70:
            raise FrameError(PROTOCOL_ERROR, "reserved bits are set")
        if (second >= _MASKED) != self._masked:
            raise FrameError(
                PROTOCOL_ERROR, f"a frame is {'not ' if self._masked else ''}masked"
            )
        if opcode > BINARY:
            _check_control(opcode, length, first)
        elif bool(opcode) == bool(self._message):
            raise FrameError(
                PROTOCOL_ERROR,
                "a message begins inside another"
                if opcode
                else "a message is continued that never began",
            )
        position = start + 2
        if length > _MAX_CONTROL:
            short = length == 126
            if end - position < (2 if short else 8):
                return start
            (length,) = (_length16 if short else _length64)(data, position)
            position += 2 if short else 8
            if length < (126 if short else 65536):
                raise FrameError(
                    PROTOCOL_ERROR, "a length is not written in its shortest form"
                )
            if length >> 63:
                raise FrameError(PROTOCOL_ERROR, "a length has its highest bit set")
        key = b""
        if self._masked:
            key = bytes(data[position : position + 4])
            position += 4
        if position > end or (opcode > BINARY and position + length > end):
            return start
        if opcode > BINARY:
            payload = bytes(data[position : position + length])
            self.controls.append(
                (opcode, self._unmask(payload, key) if key else payload)
            )
            self._over = opcode == CLOSE
            return position + length
        self._open(opcode, length, first >= _FINAL, key)
        if not length and self._final:
            pieces.append((b"", self._message == BINARY, True))
            self._message = 0
        return position

    def _open(self, opcode: int, length: int, final: bool, key: bytes) -> None:
        """A data frame begins."""
        if opcode:
            self._message = opcode
            self._size = 0
        self._size += length
        self._left, self._final, self._key = length, final, key
        if 0 < self._max_message < self._size:
            raise FrameError(TOO_BIG, f"a message may have {self._max_message} bytes")


class FrameWriter:
    """
    Writes messages to one peer.

    @param max_frame: bytes of payload in a frame; Java drops longer ones than
        64 kB (relay-protocol section 13.1).
    @param mask: for a client: a library's native function for masking.
    @param new_key: for a client: four bytes from a strong source, ever new.
    """

    def __init__(
        self,
        max_frame: int,
        mask: Mask | None = None,
        new_key: Callable[[], bytes] = lambda: b"",
    ) -> None:
        self._max_frame = max_frame
        self._mask = mask
        self._new_key = new_key
        self._inside = False

    def frames(self, pieces: Iterable[Piece]) -> bytes:
        """All these pieces, in frames, as one string of bytes."""
        out: list[bytes] = []
        add = out.append
        inside, mask, max_frame = self._inside, self._mask, self._max_frame
        masked = _MASKED if mask is not None else 0
        for data, binary, final in pieces:
            length = len(data)
            if length > max_frame:
                self._inside = inside
                add(self.frames(_chop(data, binary, final, max_frame)))
                inside = not final
                continue
            first = CONTINUATION if inside else BINARY if binary else TEXT
            inside = not final
            if final:
                first |= _FINAL
            if length <= _MAX_CONTROL:
                add(bytes((first, masked | length)))
            elif length < 65536:
                add(_head16(first, masked | 126, length))
            else:
                add(_head64(first, masked | 127, length))
            if mask is not None:
                key = self._new_key()
                add(key)
                add(mask(data, key))
            else:
                add(data)
        self._inside = inside
        return b"".join(out)


def _chop(data: bytes, binary: bool, final: bool, size: int) -> Iterator[Piece]:
    """One piece as several, none longer than C{size}."""
    for start in range(0, len(data), size):
        last = start + size >= len(data)
        yield data[start : start + size], binary, final and last


def _check_control(opcode: int, length: int, first: int) -> None:
    if opcode < CLOSE or opcode > PONG:
        raise FrameError(PROTOCOL_ERROR, f"a frame has the reserved opcode {opcode}")
    if first < _FINAL:
        raise FrameError(PROTOCOL_ERROR, "a control frame is fragmented")
    if length > _MAX_CONTROL:
        raise FrameError(PROTOCOL_ERROR, "a control frame has more than 125 bytes")
    if opcode == CLOSE and length == 1:
        raise FrameError(PROTOCOL_ERROR, "a Close has one byte")
