"""How a listener says no to a sender (relay-protocol section 6.3)."""

from __future__ import annotations

from hybridconn.core.refusals import MAX_DESCRIPTION
from hybridconn.core.text import printable


class Reject(Exception):
    """
    Raised, or failed with, where a sender is to be refused.

    @ivar status: what the sender's handshake is answered.
    @ivar description: its reason phrase; one line of printable ASCII, for the
        sender's eyes: nothing secret belongs there.
    @raise ValueError: if C{status} is not from 400 to 999; a lower one would be
        no refusal to a WebSocket client.
    """

    def __init__(self, status: int, description: str) -> None:
        if not 400 <= status <= 999:
            raise ValueError(f"{status} is no status of a refusal; use 400 to 999")
        self.status = status
        self.description = printable(description, MAX_DESCRIPTION)
        super().__init__(f"{status} {self.description}")
