"""
A WebSocket peer that does what it is told, right or wrong, and writes down what
comes back.  It shares no code with the ends that it is set against.

    >>> from hybridconn.testing.network import MemoryNetwork
    >>> network = MemoryNetwork()
    >>> server = WsPeer.server()
    >>> port = network.listen("relay.test", 80, one_protocol(server))
    >>> client = WsPeer.client("/$hc/hyco", headers={"X-Test": "1"})
    >>> client.dial(network, "relay.test", 80)
    >>> network.flush()
    >>> server.start_line, server.headers["x-test"], client.status
    ('GET /$hc/hyco HTTP/1.1', '1', 101)
    >>> client.text("hello")
    >>> network.flush()
    >>> server.messages
    ['hello']
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure

from hybridconn.testing import frames
from hybridconn.testing.frames import Frame, FrameReader

if TYPE_CHECKING:
    from hybridconn.testing.network import MemoryNetwork

_KEY = "dGhlIHNhbXBsZSBub25jZQ=="
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def one_protocol(protocol: Any) -> Factory:
    """A factory for one connection, whose protocol is C{protocol}."""
    factory = Factory()
    factory.noisy = False
    factory.buildProtocol = lambda addr: protocol  # type: ignore[method-assign]
    return factory


class WsPeer(Protocol):
    """
    One end of one WebSocket.  Make it with L{client} or L{server}; it sends
    nothing by itself but its opening handshake.

    @ivar start_line: the first line of the other end's head; empty until then.
    @ivar headers: its fields, names in lower case, the last of equal ones.
    @ivar body: what followed an answer other than 101.
    @ivar frames: all frames that came.
    @ivar messages: complete messages: L{str} for text, L{bytes} for binary.
    @ivar close_frame: code and reason of the other end's Close, if it came.
    @ivar lost: why the connection ended, if it did.
    """

    def __init__(self, opening: bytes, masks: bool, answers: bool) -> None:
        self.start_line = ""
        self.headers: dict[str, str] = {}
        self.body = b""
        self.frames: list[Frame] = []
        self.messages: list[str | bytes] = []
        self.close_frame: tuple[int | None, str] | None = None
        self.lost: Failure | None = None
        self._opening = opening
        self._masks = masks
        self._answers = answers
        self._head = b""
        self._reader = FrameReader()
        self._message: list[Frame] = []

    @classmethod
    def client(
        cls,
        target: str,
        host: str = "relay.test",
        headers: Mapping[str, str] | None = None,
        behind: bytes = b"",
    ) -> WsPeer:
        """
        A peer that asks for a WebSocket and masks what it sends.

        @param target: path and query.
        @param headers: added to the usual ones; one of these takes their place,
            an empty value leaves them out.
        @param behind: sent together with the request, before the answer.
        """
        usual = {
            "Host": host,
            "Connection": "Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": _KEY,
        } | dict(headers or {})
        fields = "".join(
            f"{name}: {value}\r\n" for name, value in usual.items() if value
        )
        opening = f"GET {target} HTTP/1.1\r\n{fields}\r\n".encode("latin-1")
        return cls(opening + behind, masks=True, answers=False)

    @classmethod
    def server(cls, answer: bytes | None = None) -> WsPeer:
        """
        A peer that answers the other end's request.

        @param answer: all the bytes of the answer; by default a good 101.
        """
        return cls(answer or b"", masks=False, answers=answer is None)

    def dial(self, network: MemoryNetwork, host: str, port: int, **how: Any) -> None:
        """
        Connect; L{MemoryNetwork.flush} does the rest.

        @param how: as for L{MemoryNetwork.client_endpoint}.
        """
        dialled = network.client_endpoint(host, port, **how).connect(one_protocol(self))
        dialled.addErrback(self._not_connected)

    @property
    def status(self) -> int:
        """The status of the answer; 0 while there is none."""
        words = self.start_line.split()
        return int(words[1]) if words and words[0].startswith("HTTP/") else 0

    @property
    def reason(self) -> str:
        """The status text of the answer."""
        return self.start_line.partition(" ")[2].partition(" ")[2]

    # --- sending ---

    def send(self, data: bytes) -> None:
        """Send any bytes."""
        self._wire.write(data)

    def frame(
        self,
        opcode: int,
        payload: bytes = b"",
        final: bool = True,
        *,
        rsv: int = 0,
        masked: bool | None = None,
        announced: int | None = None,
        wide: int = 0,
    ) -> None:
        """
        Send a frame.

        @param masked: L{None} is as RFC 6455 wants it of this end.
        @param announced: a length that is not the payload's.
        @param wide: bytes of length to use where fewer would do.
        """
        mask = self._masks if masked is None else masked
        self.send(
            frames.encode(Frame(opcode, payload, final, rsv, mask), announced, wide)
        )

    def text(self, message: str) -> None:
        """Send a text message of one frame."""
        self.frame(frames.TEXT, message.encode("utf-8"))

    def binary(self, message: bytes) -> None:
        """Send a binary message of one frame."""
        self.frame(frames.BINARY, message)

    def close(self, code: int | None = 1000, reason: bytes = b"") -> None:
        """Send a Close with any code, without one if it is L{None}."""
        number = b"" if code is None else struct.pack("!H", code)
        self.frame(frames.CLOSE, number + reason)

    def hang_up(self) -> None:
        """Close the connection below, without a Close."""
        self._wire.loseConnection()

    def abort(self) -> None:
        """Reset the connection below."""
        self._wire.abortConnection()

    def pause(self) -> None:
        """Read nothing for now."""
        self._wire.pauseProducing()

    def resume(self) -> None:
        """Read on."""
        self._wire.resumeProducing()

    # --- called by Twisted ---

    def connectionMade(self) -> None:
        """Send the request (Twisted)."""
        if self._masks:
            self.send(self._opening)

    def dataReceived(self, data: bytes) -> None:
        """Take the head, then frames (Twisted)."""
        if not self.start_line:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            self._read_head(head.decode("latin-1"))
        if self.status not in (0, 101):
            self.body += data
            return
        for frame in self._reader.feed(data):
            self._take(frame)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Remember why (Twisted)."""
        self.lost = reason

    # --- ours ---

    @property
    def _wire(self) -> Any:
        return self.transport

    def _not_connected(self, reason: Failure) -> None:
        self.lost = reason

    def _read_head(self, head: str) -> None:
        self.start_line, *fields = head.split("\r\n")
        for field in fields:
            name, _, value = field.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        if self._masks:
            return
        self.send(self._accept() if self._answers else self._opening)

    def _accept(self) -> bytes:
        key = self.headers.get("sec-websocket-key", "").encode("latin-1")
        proof = base64.b64encode(hashlib.sha1(key + _GUID).digest())
        return (
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Accept: " + proof + b"\r\n\r\n"
        )

    def _take(self, frame: Frame) -> None:
        self.frames.append(frame)
        if frame.opcode == frames.CLOSE and self.close_frame is None:
            code = struct.unpack("!H", frame.payload[:2])[0] if frame.payload else None
            self.close_frame = code, frame.payload[2:].decode("utf-8", "replace")
        elif frame.opcode < frames.CLOSE:
            self._message.append(frame)
            if frame.final:
                parts, self._message = self._message, []
                whole = b"".join(part.payload for part in parts)
                text = parts[0].opcode == frames.TEXT
                self.messages.append(
                    whole.decode("utf-8", "replace") if text else whole
                )
