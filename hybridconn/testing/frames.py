"""
WebSocket frames as plain bytes, right or wrong: written for tests alone, so that
what we send is not checked by the code that sends it.

    >>> encode(Frame(TEXT, b"hi"))
    b'\\x81\\x02hi'
    >>> FrameReader().feed(b"\\x81\\x82\\x00\\x00\\x00\\x00hi")
    [Frame(opcode=1, payload=b'hi', final=True, rsv=0, masked=True)]
"""

from __future__ import annotations

import struct
from typing import Final

from attrs import frozen

CONTINUATION: Final = 0
TEXT: Final = 1
BINARY: Final = 2
CLOSE: Final = 8
PING: Final = 9
PONG: Final = 10

#: Any four bytes are a mask.
MASK: Final = b"\x1a\x2b\x3c\x4d"


@frozen
class Frame:
    """
    One frame.

    @ivar payload: unmasked.
    @ivar final: FIN.
    @ivar rsv: the three reserved bits, as a number below 8.
    """

    opcode: int
    payload: bytes = b""
    final: bool = True
    rsv: int = 0
    masked: bool = False


def encode(frame: Frame, announced: int | None = None, wide: int = 0) -> bytes:
    """
    Write a frame.

    @param announced: the length to claim, if not the payload's own.
    @param wide: bytes of length to use, 2 or 8, where fewer would do.
    """
    length = len(frame.payload) if announced is None else announced
    first = frame.final << 7 | frame.rsv << 4 | frame.opcode
    bit = frame.masked << 7
    if length > 65535 or wide == 8:
        head = struct.pack("!BBQ", first, bit | 127, length)
    elif length > 125 or wide == 2:
        head = struct.pack("!BBH", first, bit | 126, length)
    else:
        head = struct.pack("!BB", first, bit | length)
    if not frame.masked:
        return head + frame.payload
    return head + MASK + _masked(frame.payload, MASK)


class FrameReader:
    """
    Reads frames from bytes that come in any pieces.

    @ivar pending: bytes of a frame that is not complete.
    """

    def __init__(self) -> None:
        self.pending = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Add bytes; return the frames that they complete."""
        self.pending += data
        frames = []
        while (found := self._next()) is not None:
            frame, size = found
            del self.pending[:size]
            frames.append(frame)
        return frames

    def _next(self) -> tuple[Frame, int] | None:
        buffer = self.pending
        if len(buffer) < 2:
            return None
        first, second = buffer[0], buffer[1]
        masked, length, at = bool(second & 128), second & 127, 2
        wide = {126: 2, 127: 8}.get(length, 0)
        if len(buffer) < at + wide:
            return None
        if wide:
            length = int.from_bytes(buffer[at : at + wide], "big")
        at += wide
        mask = bytes(buffer[at : at + 4]) if masked else b""
        at += 4 * masked
        if len(buffer) < at + length:
            return None
        payload = bytes(buffer[at : at + length])
        if masked:
            payload = _masked(payload, mask)
        frame = Frame(first & 15, payload, bool(first & 128), first >> 4 & 7, masked)
        return frame, at + length


def _masked(payload: bytes, mask: bytes) -> bytes:
    size = len(payload)
    long_mask = (mask * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(long_mask, "big")
    return mixed.to_bytes(size, "big")
