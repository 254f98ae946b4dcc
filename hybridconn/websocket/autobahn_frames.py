"""
Frames as Autobahn reads and writes them, made into pieces of messages.

This is the base of both our protocols.  Control channels live on it; tunnels do
where C{data_path} is C{autobahn}.  Otherwise a tunnel passes from here to
L{hybridconn.core.frames} when its opening handshake is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from autobahn.websocket.protocol import TrafficStats, WebSocketProtocol
from twisted.logger import Logger

from hybridconn.core.frames import (
    BINARY,
    CONTINUATION,
    TEXT,
    TOO_BIG,
    Piece,
)
from hybridconn.core.limits import Limits
from hybridconn.websocket.closing import POLICY_VIOLATION

#: Who reads and writes the frames of a tunnel.
DataPath = Literal["slim", "autobahn"]

#: Set on the factories of both sides; the zeros turn Autobahn's timers off.
COMMON_OPTIONS: dict[str, Any] = {
    "utf8validateIncoming": False,
    # In Autobahn's words; it stops parsing, and what happens is _fail_connection.
    "failByDrop": True,
    "echoCloseCodeReason": True,
    "openHandshakeTimeout": 0,
    "closeHandshakeTimeout": 0,
    "autoPingInterval": 0,
    "autoPingTimeout": 0,
    "tcpNoDelay": True,
}


_OPTIONS = frozenset(
    WebSocketProtocol.CONFIG_ATTRS_COMMON
    + WebSocketProtocol.CONFIG_ATTRS_SERVER
    + WebSocketProtocol.CONFIG_ATTRS_CLIENT
)

#: Autobahn counts frames and bytes in it; nobody looks.
_NOBODYS_STATISTICS = TrafficStats()


class _AutobahnLog:
    """
    Autobahn's log, kept quiet: it prints handshakes (with tokens in them) at
    debug level and a peer's mistakes as warnings.  Errors are bugs: they pass.
    """

    _log = Logger(namespace="hybridconn.websocket.autobahn")

    def _nothing(self, *args: object, **kwargs: object) -> None:
        """Say nothing."""

    trace = debug = info = warn = _nothing

    def error(self, format: str, **fields: object) -> None:
        self._log.error(format, **fields)


class AutobahnFrames(WebSocketProtocol):  # type: ignore[misc]  # untyped
    """
    Autobahn's protocol with its gathering of messages taken out.

    @ivar limits: the numbers to keep, from the factory.
    @ivar data_path: who reads and writes the frames after the handshake.
    @ivar max_fragments: more frames than this in one message are abuse; 0 is
        no limit.
    """

    log = _AutobahnLog()

    #: Autobahn's: what came and is not yet parsed.
    data: bytes

    limits: Limits
    #: Autobahn's: what is to be copied.
    CONFIG_ATTRS = ()

    data_path: DataPath = "autobahn"
    max_fragments = 0

    _message_open = False
    _incoming_binary = True
    _incoming_bytes = 0
    _incoming_frames = 0

    def __getattr__(self, name: str) -> Any:
        # Autobahn copies some thirty options to every connection, and makes a text
        # of them that nobody reads.  Here they stay in the factory.
        if name in _OPTIONS:
            return getattr(self.factory, name)
        raise AttributeError(name)

    def _forget_handshake(self) -> None:
        """Let go of what only the opening handshake needed; tunnels are many."""
        self.http_request_data = self.http_response_data = b""
        self.http_status_line = self._wskey = ""
        self.http_headers: dict[str, str] = {}
        self.utf8validator = None
        self.trafficStats = _NOBODYS_STATISTICS

    # --- for the class above ---

    def _pieces(self, pieces: Sequence[Piece]) -> None:
        raise NotImplementedError  # L{StreamingWebSocket} has it

    def _fail_connection(self, code: int, reason: str) -> None:
        raise NotImplementedError  # L{StreamingWebSocket} has it

    def _send_frames(self, pieces: Iterable[Piece]) -> None:
        size = self.limits.max_frame_bytes
        for data, binary, final in pieces:
            opcode = BINARY if binary else TEXT
            if self._message_open:
                opcode = CONTINUATION
            while len(data) > size:
                self.sendFrame(opcode=opcode, payload=data[:size], fin=False)
                data, opcode = data[size:], CONTINUATION
            self.sendFrame(opcode=opcode, payload=data, fin=final)
            self._message_open = not final

    # --- called by Autobahn ---

    def sendData(
        self, data: bytes, sync: bool = False, chopsize: int | None = None
    ) -> None:
        """Write at once."""
        self.transport.write(data)

    def onMessageBegin(self, isBinary: bool) -> None:
        """A message starts."""
        self._incoming_binary = isBinary
        self._incoming_bytes = 0
        self._incoming_frames = 0

    def onMessageFrameBegin(self, length: int) -> None:
        """A frame's head is here: check its length before any payload is read."""
        self._incoming_bytes += length
        self._incoming_frames += 1
        if 0 < self.limits.max_message_bytes < self._incoming_bytes:
            self._fail_connection(
                TOO_BIG, f"a message may have {self.limits.max_message_bytes} bytes"
            )
        elif 0 < self.max_fragments < self._incoming_frames:
            self._fail_connection(
                POLICY_VIOLATION, f"a message may have {self.max_fragments} frames"
            )

    def onMessageFrameData(self, payload: bytes) -> None:
        """A part of a frame's payload."""
        frame = self.current_frame
        final = frame.fin and self.current_frame_masker.pointer() == frame.length
        if payload or final:
            self._pieces(((payload, self._incoming_binary, final),))

    def onMessageFrameEnd(self) -> None:
        """Nothing was gathered, nothing is to be handed over."""

    def onMessageEnd(self) -> None:
        """Nothing was gathered, nothing is to be handed over."""
