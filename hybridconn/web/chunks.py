"""
The lines of a chunked body, checked byte by byte before h11 reads it.

h11 forgives what others read in another way: a bare CR or other controls in a chunk's
extension, a bare LF or a folded line among the trailers.  Where two parsers differ
about a body's end, a second request is smuggled in behind it.
"""

from __future__ import annotations

import re
from typing import Final

from hybridconn.core.refusals import BadRequest
from hybridconn.web.head import FIELD

#: Padding behind the size is old and harmless.
_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,16})(?:;[\t\x20-\x7e\x80-\xff]*)?[\t ]*")
#: More than a signed number of 64 bits is negative to some.
_MOST: Final = 2**63 - 1


class ChunkCheck:
    """
    Follows one chunked body.  What stands in the chunks, and that each ends in CR LF,
    is left to h11, as is the length of lines.

    @ivar over: all of it was here.
    """

    def __init__(self) -> None:
        self._line = bytearray()
        self._left = 0
        self._trailers = False
        self.over = False

    def check(self, data: bytes) -> None:
        """
        Look at the next bytes of the body, and at what is behind it.

        @raise BadRequest: a line can be read in two ways.  The body cannot be
            read on.
        """
        here, end = 0, len(data)
        while here < end and not self.over:
            if self._left:
                step = min(self._left, end - here)
                self._left -= step
                here += step
                continue
            behind = data.find(b"\n", here) + 1
            self._line += data[here : behind or end]
            here = behind or end
            if behind:
                line = bytes(self._line)
                self._line.clear()
                self._check_line(line)

    def _check_line(self, line: bytes) -> None:
        if not line.endswith(b"\r\n"):
            raise BadRequest("A line of the chunked body does not end in CR LF")
        line = line[:-2]
        if self._trailers:
            self.over = not line
            if line and not FIELD.fullmatch(line):
                raise BadRequest("A trailer of the chunked body is malformed")
            return
        size = _SIZE.fullmatch(line)
        if size is None or int(size[1], 16) > _MOST:
            raise BadRequest("The size of a chunk is malformed")
        self._left = int(size[1], 16)
        if self._left:
            self._left += 2
        else:
            self._trailers = True
