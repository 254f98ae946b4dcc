"""Which sub-protocol a tunnel gets (relay-protocol section 6.2)."""

from __future__ import annotations

import re
from typing import Final

from hybridconn.core.http import RequestHead
from hybridconn.core.refusals import BadRequest

#: More than the tokens of RFC 6455 section 4.1, as clients are not strict: what
#: can stand in a list and comes back unchanged in a 101.
_WORD: Final = re.compile(r"[\x21-\x2b\x2d-\x7e]+")


def offered(head: RequestHead) -> list[str]:
    """
    The sub-protocols that a client offers, in its order.

    @raise BadRequest: one of them cannot be a sub-protocol's name.
    """
    value = head.get("Sec-WebSocket-Protocol") or ""
    words = [part.strip(" \t") for part in value.split(",")]
    found = [word for word in words if word]
    if not all(map(_WORD.fullmatch, found)):
        raise BadRequest("The Sec-WebSocket-Protocol is malformed")
    return found


def agree(sender: RequestHead, listener: RequestHead) -> str | None:
    """
    The sub-protocol for both ends: the first of the listener's that the sender
    offered too; none if the listener asks for none.

    @raise BadRequest: the listener asks only for what the sender does not speak,
        or for what is no sub-protocol.
    """
    wanted = offered(listener)
    if not wanted:
        return None
    spoken = offered(sender)
    for protocol in wanted:
        if protocol in spoken:
            return protocol
    raise BadRequest("The sender did not offer this sub-protocol")
