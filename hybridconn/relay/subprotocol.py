"""Which sub-protocol a tunnel gets (relay-protocol section 6.2)."""

from __future__ import annotations

from hybridconn.core.http import RequestHead
from hybridconn.core.refusals import BadRequest


def offered(head: RequestHead) -> list[str]:
    """The sub-protocols that a client offers, in its order."""
    value = head.get("Sec-WebSocket-Protocol") or ""
    return [part.strip() for part in value.split(",") if part.strip()]


def agree(sender: RequestHead, listener: RequestHead) -> str | None:
    """
    The sub-protocol for both ends: the first of the listener's that the sender
    offered too; none if the listener asks for none.

    @raise BadRequest: the listener asks only for what the sender does not speak.
    """
    wanted = offered(listener)
    if not wanted:
        return None
    spoken = offered(sender)
    for protocol in wanted:
        if protocol in spoken:
            return protocol
    raise BadRequest("The sender did not offer this sub-protocol")
