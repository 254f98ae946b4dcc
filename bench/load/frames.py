"""
WebSocket frames and heads, no more of RFC 6455 than the raw parts need.
"""

from __future__ import annotations

import base64
import os
import struct

# Not zero: unmasking must be work, as it is for a real client's frames.
MASK = bytes((0x37, 0xFA, 0x21, 0x3D))
CLOSE = struct.pack("!BBH", 0x88, 2, 1000)


def xor(payload: bytes, mask: bytes = MASK) -> bytes:
    """Mask or unmask a payload."""
    if not payload:
        return b""
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    number = int.from_bytes(payload, "big") ^ int.from_bytes(key, "big")
    return number.to_bytes(len(payload), "big")


def head(opcode: int, length: int, masked: bool) -> bytes:
    """The head of a last frame, without the mask."""
    first, bit = 0x80 | opcode, 0x80 if masked else 0
    if length < 126:
        return struct.pack("!BB", first, bit | length)
    if length < 65536:
        return struct.pack("!BBH", first, bit | 126, length)
    return struct.pack("!BBQ", first, bit | 127, length)


def message(payload: bytes, opcode: int = 2) -> bytes:
    """One message as one masked frame."""
    return head(opcode, len(payload), True) + MASK + xor(payload)


def close_frame() -> bytes:
    """A masked Close, 1000."""
    return message(struct.pack("!H", 1000), 8)


class Frame:
    """
    One frame that was received.

    @ivar final: whether it ends a message.
    @ivar opcode: as in RFC 6455 section 5.2.
    @ivar payload: what it carries, unmasked.
    """

    __slots__ = ("final", "opcode", "payload")

    def __init__(self, final: bool, opcode: int, payload: bytes) -> None:
        self.final, self.opcode, self.payload = final, opcode, payload


def parse(data: bytes) -> tuple[list[Frame], int]:
    """
    The whole frames at the beginning of what a relay sent, so unmasked.

    @return: them, and how many bytes they take.
    @raise ValueError: if one is masked.
    """
    frames = []
    at, size = 0, len(data)
    while size - at >= 2:
        first, second = data[at], data[at + 1]
        if second & 0x80:
            raise ValueError("the relay sent a masked frame")
        begin = at + 2
        length = second
        if second == 126:
            begin += 2
            if begin > size:
                break
            (length,) = struct.unpack_from("!H", data, at + 2)
        elif second == 127:
            begin += 8
            if begin > size:
                break
            (length,) = struct.unpack_from("!Q", data, at + 2)
        if begin + length > size:
            break
        payload = data[begin : begin + length]
        frames.append(Frame(bool(first & 0x80), first & 0x0F, payload))
        at = begin + length
    return frames, at


def upgrade_request(authority: str, target: str) -> bytes:
    """The request that opens a WebSocket."""
    lines = [
        f"GET {target} HTTP/1.1",
        f"Host: {authority}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {base64.b64encode(os.urandom(16)).decode()}",
        "Sec-WebSocket-Version: 13",
    ]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
