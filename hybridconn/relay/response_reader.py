"""Reads the one response that a listener writes to a rendezvous."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from typing import Final, Protocol

from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.command_json import CommandError
from hybridconn.core.commands import parse_listener_command
from hybridconn.core.frames import TOO_BIG, Piece
from hybridconn.core.http_commands import Response
from hybridconn.interfaces import IBatchSink
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.closing import NORMAL, PROTOCOL_ERROR
from hybridconn.websocket.messages import Gatherer, TooBig

#: Bytes of a C{response} command: twice what fits on a control channel.
MOST_HEAD_BYTES: Final = 131072


class Reception(Protocol):
    """Who waits for the response."""

    def response_received(self, response: Response) -> None:
        """Its head is here."""

    def body_part_received(self, data: bytes) -> None:
        """A part of its body is, not empty."""

    def response_ended(self) -> None:
        """That was all."""

    def response_failed(self, code: int, why: str) -> None:
        """
        The listener did not keep to the protocol.

        @param code: to close the rendezvous with.
        """

    def rendezvous_lost(self, why: str) -> None:
        """The listener left before the end."""


class _Part(enum.Enum):
    HEAD = "the response command is awaited"
    BODY = "its body is"
    OVER = "nothing more counts"


@implementer(IBatchSink)
class ResponseReader:
    """
    @param request_id: what the response must name.
    @ivar socket: the rendezvous, as soon as there is one.
    """

    socket: StreamingWebSocket

    def __init__(self, reception: Reception, request_id: str) -> None:
        self._reception = reception
        self._request_id = request_id
        self._part = _Part.HEAD
        self._gatherer = Gatherer(MOST_HEAD_BYTES)

    def stop(self) -> None:
        """Tell nobody of what still comes."""
        self._part = _Part.OVER

    # --- IBatchSink ---

    def piece_received(self, data: bytes, binary: bool, final: bool) -> None:
        self.pieces_received(((data, binary, final),))

    def pieces_received(self, pieces: Sequence[Piece]) -> None:
        body: list[bytes] = []
        for data, binary, final in pieces:
            if self._part is _Part.HEAD:
                self._head(data, binary, final)
            elif self._part is _Part.BODY:
                body.append(data)
                if final:
                    self._pass_on(body)
                    self._end()
                    return
        self._pass_on(body)

    def close_received(self, code: int | None, reason: bytes) -> None:
        self.socket.send_close(code, reason)
        if self._part is _Part.BODY and code == NORMAL:
            # Java says so that the body is complete (section 13.2).
            self._end()
        else:
            self._lose("the listener closed the rendezvous")

    def tunnel_lost(self, reason: Failure) -> None:
        self._lose("the rendezvous was lost")

    # --- ours ---

    def _head(self, data: bytes, binary: bool, final: bool) -> None:
        if binary:
            self._fail("Command messages must be text")
            return
        try:
            message = self._gatherer.add(data, final)
        except TooBig:
            self._fail("the response command is too long", TOO_BIG)
            return
        if message is None:
            return
        try:
            command = parse_listener_command(message, MOST_HEAD_BYTES)
        except CommandError as error:
            self._fail(str(error))
            return
        if not isinstance(command, Response):
            self._fail("'response' command was expected")
        elif command.request_id != self._request_id:
            self._fail("'response.requestId' is that of another request")
        else:
            self._part = _Part.BODY if command.body else _Part.OVER
            self._reception.response_received(command)
            if not command.body:
                self._reception.response_ended()

    def _pass_on(self, body: list[bytes]) -> None:
        data = b"".join(body)
        if data and self._part is _Part.BODY:
            self._reception.body_part_received(data)

    def _end(self) -> None:
        if self._part is _Part.BODY:
            self._part = _Part.OVER
            self._reception.response_ended()

    def _fail(self, why: str, code: int = PROTOCOL_ERROR) -> None:
        self._part = _Part.OVER
        self._reception.response_failed(code, why)

    def _lose(self, why: str) -> None:
        if self._part is not _Part.OVER:
            self._part = _Part.OVER
            self._reception.rendezvous_lost(why)
