"""
WebSocket by hand, for what no honest client does and for speed.

It sends whatever it is told to, right or wrong.
"""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from tests.integration.pump import plain_end
from tests.integration.stage import Stage

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA


class Frame(NamedTuple):
    """One frame as it arrived."""

    opcode: int
    final: bool
    payload: bytes

    @property
    def code(self) -> int | None:
        """The status of a Close frame."""
        return struct.unpack("!H", self.payload[:2])[0] if self.payload else None


class Answer(NamedTuple):
    """The head of an HTTP answer."""

    status: int
    reason: str
    headers: Mapping[str, str]


def head_of(connection: socket.socket) -> tuple[Answer, bytes]:
    """
    Read the head of an answer.

    @return: the answer, and what arrived behind it.
    @raise EOFError: if the connection ended before.
    """
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65_536)
        if not piece:
            raise EOFError(f"the connection ended after {got!r}")
        got += piece
    head, _, rest = got.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    _, status, reason = (first + "  ").split(" ", 2)
    fields = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in fields}
    return Answer(int(status), reason.strip(), headers), rest


def request_for(url: str, headers: Mapping[str, str] | None = None) -> bytes:
    """The upgrade request for an address; a header of L{None} is left out."""
    parts = urlsplit(url)
    fields = {
        "Host": parts.netloc,
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Version": "13",
        **(headers or {}),
    }
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    lines = [f"GET {target} HTTP/1.1", *(f"{n}: {v}" for n, v in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def frame_head(
    opcode: int, length: int, final: bool = True, mask: bytes = bytes(4), rsv: int = 0
) -> bytes:
    """
    A frame's head.

    @param mask: the masking key; with the default, zeros, masking changes
        nothing.  Empty for a frame that is not masked.
    """
    first = (0x80 if final else 0) | rsv << 4 | opcode
    bit = 0x80 if mask else 0
    if length < 126:
        head = struct.pack("!BB", first, bit | length)
    elif length < 65_536:
        head = struct.pack("!BBH", first, bit | 126, length)
    else:
        head = struct.pack("!BBQ", first, bit | 127, length)
    return head + mask


class RawWebSocket:
    """
    One WebSocket to the stage's relay.

    @ivar answer: the relay's answer to the upgrade request.
    """

    def __init__(
        self,
        stage: Stage,
        url: str,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        seconds: float = 60.0,
    ) -> None:
        self.connection = stage.dial_relay(seconds)
        fields = dict(headers or {})
        if token is not None:
            fields["ServiceBusAuthorization"] = token
        self.connection.sendall(request_for(url, fields))
        self._buffer = bytearray()

    def handshake(self) -> RawWebSocket:
        """Read the answer to the upgrade request, whatever it is."""
        self.answer, rest = head_of(self.connection)
        self._buffer += rest
        return self

    def use_threads(self) -> None:
        """Allow one thread to read while another writes, from now on."""
        if isinstance(self.connection, ssl.SSLSocket):
            seconds = self.connection.gettimeout()
            self.connection = plain_end(self.connection)
            self.connection.settimeout(seconds)

    def send(
        self,
        opcode: int,
        payload: bytes = b"",
        final: bool = True,
        mask: bytes = bytes(4),
        rsv: int = 0,
    ) -> None:
        """Send a frame; C{payload} goes out as it is, so masking is the caller's."""
        head = frame_head(opcode, len(payload), final, mask, rsv)
        self.connection.sendall(head + payload)

    def _fill(self, size: int) -> None:
        while len(self._buffer) < size:
            piece = self.connection.recv(262_144)
            if not piece:
                raise EOFError(f"ended with {len(self._buffer)} of {size} bytes")
            self._buffer += piece

    def _take(self, size: int) -> bytes:
        self._fill(size)
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    def receive(self) -> Frame:
        """
        The next frame, pings left out.

        @raise EOFError: at the end of the connection.
        """
        while True:
            first, second = self._take(2)
            length = second & 0x7F
            if length == 126:
                (length,) = struct.unpack("!H", self._take(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", self._take(8))
            assert not second & 0x80, "the relay masked a frame"
            assert not first & 0x70, "the relay set a reserved bit"
            frame = Frame(first & 0x0F, bool(first & 0x80), self._take(length))
            if frame.opcode != PING:
                return frame
            self.send(PONG, frame.payload)

    def close(self) -> None:
        """Leave without a word."""
        self.connection.close()
