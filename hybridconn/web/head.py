"""
The head of an HTTP request, counted and checked byte by byte.

h11 parses what comes out of here.  It is given only complete heads that are
within the limits and that no two parsers could read in two ways: many servers
forgive a bare LF, a folded line or two lengths, and that is how a second request
is smuggled past one of them (reliability-security T12).
"""

from __future__ import annotations

import re
from typing import Final

from hybridconn.core.limits import Limits
from hybridconn.core.refusals import (
    BadRequest,
    HeadersTooLarge,
    MethodNotAllowed,
    TargetTooLong,
)

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_FIRST: Final = re.compile(_TOKEN)
_REQUEST_LINE: Final = re.compile(
    rb"(" + _TOKEN + rb"+) [\x21-\x7e]+ HTTP/([0-9]\.[0-9])"
)
#: A header field, or a trailer.
FIELD: Final = re.compile(
    rb"(" + _TOKEN + rb"+):([\t\x20-\x7e\x80-\xff]*)",
)
#: 18 digits are more than anyone sends and less than 64 bits hold.
_LENGTH: Final = re.compile(rb"[0-9]{1,18}")
_METHODS: Final = "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"


class HeadReader:
    """
    Finds heads in a stream of bytes.  Each byte is looked at once, however
    small the pieces are in which it comes.

    @ivar begun: whether a part of a head is here.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = bytearray()
        self._line_start = 0
        self._searched = 0
        self._start_over()

    def feed(self, data: bytes) -> None:
        """Add bytes that came in."""
        self._buffer += data

    def next_head(self) -> bytes | None:
        """
        Take the next head off the stream.

        @return: request line and fields, up to and with the empty line;
            L{None} while it is not complete.
        @raise TargetTooLong: the request line is over its limit.
        @raise HeadersTooLarge: a field, all of them, or their number is.
        @raise MethodNotAllowed: the method is C{CONNECT}.
        @raise BadRequest: the head breaks the grammar or could be read in two
            ways.  After any of these the stream cannot be read on.
        """
        buffer = self._buffer
        if not self._line_start and not self._skip_empty_line():
            return None
        while True:
            end = buffer.find(b"\n", self._searched)
            if end < 0:
                self._searched = len(buffer)
                self._check_size(len(buffer) - self._line_start)
                return None
            line = bytes(buffer[self._line_start : end + 1])
            self._line_start = self._searched = end + 1
            if not line.endswith(b"\r\n"):
                raise BadRequest("A line of the head does not end in CR LF")
            self._check_size(len(line))
            if line == b"\r\n":
                break
            self._check_line(line[:-2])
        self._check_whole()
        head = bytes(buffer[: self._line_start])
        del buffer[: self._line_start]
        self._start_over()
        return head

    @property
    def begun(self) -> bool:
        return bool(self._buffer)

    @property
    def pending(self) -> int:
        """The number of bytes that were fed and not taken."""
        return len(self._buffer)

    def take_rest(self) -> bytes:
        """Take all bytes that are left, whatever they are."""
        rest = bytes(self._buffer)
        self._buffer.clear()
        self._start_over()
        return rest

    def _start_over(self) -> None:
        self._line_start = 0
        self._searched = 0
        self._skipped = False
        self._version: bytes | None = None
        self._count = 0
        self._fields_size = 0
        self._hosts = 0
        self._lengths: list[bytes] = []
        self._codings: list[bytes] = []

    def _skip_empty_line(self) -> bool:
        """
        RFC 9112 section 2.2: old clients send one CR LF too many after a body.

        @return: whether the first byte of a request line is here.
        """
        if not self._skipped and self._buffer[:2] == b"\r\n":
            del self._buffer[:2]
            self._skipped = True
            self._searched = 0
        if not self._buffer or (not self._skipped and self._buffer == b"\r"):
            return False
        if not _FIRST.match(self._buffer):
            # Most often it is a TLS client that speaks to a port without TLS.
            raise BadRequest("The request does not begin with a method")
        return True

    def _check_size(self, line_bytes: int) -> None:
        # Line ends are not counted, except in the sum of all fields.
        limits = self._limits
        if self._version is None:
            if line_bytes > limits.max_request_line_bytes + 2:
                raise TargetTooLong()
        elif line_bytes > limits.max_header_bytes + 2:
            raise HeadersTooLarge("A header field of the request is too large")
        elif self._fields_size + line_bytes > limits.max_headers_bytes + 2:
            raise HeadersTooLarge("The request's header fields are too large")

    def _check_line(self, line: bytes) -> None:
        if self._version is None:
            self._check_request_line(line)
            return
        self._fields_size += len(line) + 2
        self._count += 1
        if self._count > self._limits.max_headers:
            raise HeadersTooLarge("The request has too many header fields")
        if line[:1] in b" \t":
            raise BadRequest("A header field is folded over two lines")
        field = FIELD.fullmatch(line)
        if field is None:
            raise BadRequest("A header field is malformed")
        name = field[1].lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"content-length":
            self._lengths.append(field[2].strip(b" \t"))
        elif name == b"transfer-encoding":
            self._codings.append(field[2].strip(b" \t").lower())

    def _check_request_line(self, line: bytes) -> None:
        match = _REQUEST_LINE.fullmatch(line)
        if match is None:
            raise BadRequest("The request line is malformed")
        if match[2] not in (b"1.0", b"1.1"):
            raise BadRequest("The HTTP version is not 1.1")
        if match[1] == b"CONNECT":
            raise MethodNotAllowed(_METHODS)
        self._version = match[2]

    def _check_whole(self) -> None:
        if self._version is None:
            raise BadRequest("The request line is missing")
        if self._hosts > 1 or (self._version == b"1.1" and not self._hosts):
            raise BadRequest("The request must have one Host header field")
        if self._codings:
            if self._codings != [b"chunked"] or self._version == b"1.0":
                raise BadRequest("The Transfer-Encoding is not supported")
            if self._lengths:
                raise BadRequest("Content-Length and Transfer-Encoding exclude another")
        if len(self._lengths) > 1 or not all(map(_LENGTH.fullmatch, self._lengths)):
            raise BadRequest("The Content-Length is malformed")
