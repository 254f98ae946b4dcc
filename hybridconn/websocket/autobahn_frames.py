"""
Frames as Autobahn reads and writes them, made into pieces of messages.

This is the base of both our protocols.  Control channels live on it; tunnels do
where C{data_path} is C{autobahn}.  Otherwise a tunnel passes from here to
L{hybridconn.core.frames} when its opening handshake is done.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal

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

#: What Autobahn sets on every connection and most never change, and what only the
#: opening handshake needs.  It is the class's instead, once that is done.
_AT_REST: Final[Mapping[str, Any]] = {
    **dict.fromkeys(
        (
            "triggered",
            "wasMaxFramePayloadSizeExceeded",
            "wasMaxMessagePayloadSizeExceeded",
            "closedByMe",
            "failedByMe",
            "droppedByMe",
            "wasClean",
            "wasServerConnectionDropTimeout",
            "wasOpenHandshakeTimeout",
            "wasCloseHandshakeTimeout",
            "wasServingFlashSocketPolicyFile",
        ),
        False,
    ),
    **dict.fromkeys(
        (
            "wasNotCleanReason",
            "localCloseCode",
            "localCloseReason",
            "remoteCloseCode",
            "remoteCloseReason",
            "serverConnectionDropTimeoutCall",
            "openHandshakeTimeoutCall",
            "closeHandshakeTimeoutCall",
            "autoPingTimeoutCall",
            "autoPingPending",
            "autoPingPendingCall",
            "autoPingPendingSent",
            "trackedTimings",
            "utf8validator",
            "_perMessageCompress",
        ),
        None,
    ),
    "trafficStats": _NOBODYS_STATISTICS,
}
_OF_THE_HANDSHAKE: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("http_request_data", "http_response_data"), b""),
    **dict.fromkeys(
        (
            "http_status_line",
            "http_request_uri",
            "http_request_path",
            "http_request_host",
            "websocket_origin",
            "websocket_key",
            "_wskey",
        ),
        "",
    ),
    **dict.fromkeys(("http_headers", "http_request_params"), MappingProxyType({})),
    **dict.fromkeys(
        (
            "websocket_protocols",
            "websocket_extensions",
            "websocket_extensions_in_use",
            # Of txaio's events and Autobahn's trickling, which are not used.
            "send_queue",
            "_results",
            "_valid_events",
        ),
        (),
    ),
}


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
        self.utf8validator = None
        self.trafficStats = _NOBODYS_STATISTICS
        # A new dictionary, since one never shrinks: 0.8 KiB instead of 1.6.
        self.__dict__ = {
            name: value
            for name, value in self.__dict__.items()
            if name not in _OF_THE_HANDSHAKE
            and (name not in _AT_REST or value is not _AT_REST[name])
        }

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


for _name, _value in {**_AT_REST, **_OF_THE_HANDSHAKE}.items():
    setattr(AutobahnFrames, _name, _value)
