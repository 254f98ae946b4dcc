"""Close frames: what may stand in one, and how a tunnel's end is told to people."""

from __future__ import annotations

from typing import Final

from twisted.internet.error import ConnectionLost

from hybridconn.core.frames import PROTOCOL_ERROR, TOO_BIG
from hybridconn.core.text import printable

__all__ = [
    "GOING_AWAY",
    "INTERNAL_ERROR",
    "INVALID_PAYLOAD",
    "MAX_REASON_BYTES",
    "NORMAL",
    "POLICY_VIOLATION",
    "PROTOCOL_ERROR",
    "TOO_BIG",
    "TunnelClosed",
    "close_reason",
    "valid_close_code",
]

#: RFC 6455 section 7.4: an orderly end.
NORMAL: Final = 1000
#: The relay shuts down or the entity was deleted or disabled.
GOING_AWAY: Final = 1001
#: The token expired, a bad renewal, or abuse.
POLICY_VIOLATION: Final = 1008
#: A text or a reason that is not UTF-8.
INVALID_PAYLOAD: Final = 1007
#: Our own fault.
INTERNAL_ERROR: Final = 1011

#: RFC 6455 section 5.5: a control frame carries at most 125 bytes, two are the code.
MAX_REASON_BYTES: Final = 123


def valid_close_code(code: int) -> bool:
    """
    Whether C{code} may go over the wire (RFC 6455 section 7.4): 1004, 1005,
    1006 and 1015 may not, nor what nobody registered.
    """
    if code < 3000:
        return 1000 <= code <= 1003 or 1007 <= code <= 1014
    return code < 5000


def close_reason(text: str) -> bytes:
    """C{text} as UTF-8 of at most 123 bytes, cut between characters."""
    cut = text.encode("utf-8")[:MAX_REASON_BYTES]
    return cut.decode("utf-8", "ignore").encode("utf-8")


def reason_text(reason: bytes) -> str:
    """
    The words of a Close for a log: they are the peer's, and may have controls that a
    terminal obeys.
    """
    return printable(reason.decode("utf-8", "replace"))


class TunnelClosed(ConnectionLost):
    """
    The other end closed the tunnel with a code that is not an orderly end.

    @ivar code: the WebSocket close code.
    @ivar reason: the text that came with it, maybe empty.
    """

    def __init__(self, code: int, reason: str) -> None:
        self.code = code
        self.reason = reason
        super().__init__(f"tunnel closed with {code}: {reason or 'no reason given'}")

    def __str__(self) -> str:
        # Twisted's own words would stand in front of it.
        return str(self.args[0])
