"""
The opening handshake of a WebSocket, as it is handed to Autobahn.

Autobahn wants to read a request itself, and would refuse some that are good for
us: with an C{Origin}, a doubled sub-protocol, two extension headers.  It gets a
fresh, minimal one instead of the client's.  As no extension stands in it, none
can be negotiated (relay-protocol section 6.2).

What the client sent was checked before by L{hybridconn.core.route.classify}.
"""

from __future__ import annotations

from hybridconn.core.http import RequestHead


def opening_handshake(head: RequestHead, subprotocol: str | None) -> bytes:
    """
    Write the request that makes Autobahn answer 101 to C{head}.

    @param subprotocol: the one that the 101 shall name.
    @raise ValueError: C{head} asks for no WebSocket, or C{subprotocol} is a
        list: a mistake of the caller.
    """
    key = head.get("Sec-WebSocket-Key")
    if not head.wants_websocket or not key:
        raise ValueError("the request asks for no WebSocket")
    lines = [
        "GET / HTTP/1.1",
        "Host: relay",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        "Sec-WebSocket-Version: 13",
    ]
    if subprotocol:
        if not subprotocol.isprintable() or "," in subprotocol:
            raise ValueError("a sub-protocol is one word")
        lines.append(f"Sec-WebSocket-Protocol: {subprotocol}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")
