"""
One request and its answer in bytes.  h11 keeps account of what HTTP allows when;
each request has an h11 of its own, so that nothing of one is left for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import Final

import h11

from hybridconn.core.http import RequestHead
from hybridconn.core.refusals import BadRequest
from hybridconn.core.text import printable, standard_phrase
from hybridconn.web.answers import Headers
from hybridconn.web.chunks import ChunkCheck

#: RFC 9110 section 8.6: no length may stand in these.
_BODILESS: Final = (204, 304)


class Turn:
    """
    @ivar head: the request; L{None} if it could not be read.
    @ivar body_length: bytes of body; L{None} if only its end will tell.
    @ivar body_complete: whether the body was read in full.
    @ivar rest: what came behind the body, once it is complete.
    @param now: gives seconds since 1970-01-01 UTC, for C{Date}.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._http = h11.Connection(h11.SERVER)
        self._chunks: ChunkCheck | None = None
        self._now = now
        self.head: RequestHead | None = None
        self.body_length: int | None = 0
        self.body_complete = False
        self.rest = b""

    def read_head(self, raw: bytes) -> RequestHead:
        """
        Take a head that L{hybridconn.web.head} let through.

        @raise BadRequest: it is no request all the same.
        """
        try:
            self._http.receive_data(raw)
            event = self._http.next_event()
            if not isinstance(event, h11.Request):
                raise BadRequest()
            self._read_on()
        except h11.RemoteProtocolError:  # its text may repeat a token
            raise BadRequest() from None
        head = self.head = RequestHead(
            method=event.method.decode("ascii"),
            target=event.target.decode("ascii"),
            version=event.http_version.decode("ascii"),
            headers=tuple(
                (name.decode("ascii"), value.decode("latin-1"))
                for name, value in event.headers.raw_items()
            ),
        )
        if not self.body_complete:
            length = head.get("content-length")
            self.body_length = None if length is None else int(length)
            if length is None:
                self._chunks = ChunkCheck()
        return head

    # --- the request's body ---

    def leave_to_send(self) -> bytes:
        """
        What tells a client to send the body, if it waits for that; the relay says
        so itself (relay-protocol section 7.1).
        """
        if not self._http.they_are_waiting_for_100_continue:
            return b""
        go_on = h11.InformationalResponse(status_code=100, headers=[])
        return self._http.send(go_on) or b""

    def read_body(self, data: bytes) -> bytes:
        """
        Take what came in.

        @return: the body that is in it, maybe nothing.
        @raise BadRequest: the chunks are malformed; nothing more can be read.
        """
        if self._chunks is not None:
            self._chunks.check(data)
        self._http.receive_data(data)
        try:
            return self._read_on()
        except h11.RemoteProtocolError:  # its text may repeat a part of the body
            raise BadRequest("The request's body is malformed") from None

    def _read_on(self) -> bytes:
        pieces = []
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.Data):
                pieces.append(event.data)
                continue
            if isinstance(event, h11.EndOfMessage):
                self.body_complete = True
                self.rest = bytes(self._http.trailing_data[0])
            return b"".join(pieces)

    # --- the answer ---

    def answer(
        self, status: int, reason: str, headers: Headers, body: bytes, close: bool
    ) -> bytes:
        """
        The whole answer.

        @param close: whether to say that the connection ends with it.
        @raise h11.LocalProtocolError: status or header fields are not possible in
            HTTP: a mistake of the caller.
        """
        length = None if status in _BODILESS else len(body)
        return b"".join(
            [
                self.begin(status, reason, headers, length, close),
                *self.part(body),
                self.end(),
            ]
        )

    def begin(
        self,
        status: int,
        reason: str,
        headers: Headers,
        length: int | None,
        close: bool,
    ) -> bytes:
        """
        The head of an answer.

        @param length: of the body; L{None}: h11 chooses how its end is shown.
        @raise h11.LocalProtocolError: see L{answer}.
        """
        fields = list(headers)
        if not any(name.lower() == "date" for name, _ in headers):
            fields.insert(0, ("Date", formatdate(self._now(), usegmt=True)))
        if length is not None:
            fields.append(("Content-Length", str(length)))
        if close:
            fields.append(("Connection", "close"))
        method = None if self.head is None else self.head.method
        self._bodiless = status in _BODILESS or method == "HEAD"
        response = h11.Response(
            status_code=status,
            reason=printable(reason or standard_phrase(status)).encode("ascii"),
            headers=[
                (name.encode(), value.encode("latin-1")) for name, value in fields
            ],
        )
        return self._http.send(response) or b""

    def part(self, data: bytes) -> Sequence[bytes]:
        """
        A part of the body; nothing in an answer that has none, whatever was meant.

        @raise h11.LocalProtocolError: it is more than the length that was given.
        """
        if not data or self._bodiless:
            return ()
        # Not joined here: the transport does that anyway.
        return self._http.send_with_data_passthrough(h11.Data(data=data)) or ()

    def end(self) -> bytes:
        """
        The end of the body.

        @raise h11.LocalProtocolError: it is less than the length that was given.
        """
        return self._http.send(h11.EndOfMessage()) or b""

    @property
    def framed(self) -> bool:
        """
        Whether the client can tell a broken-off answer from a complete one though
        the connection is closed in order.
        """
        return self.head is not None and self.head.version == "1.1"

    @property
    def over(self) -> bool:
        """Whether both are complete and another request may follow."""
        return self._http.our_state is h11.DONE and self._http.their_state is h11.DONE
