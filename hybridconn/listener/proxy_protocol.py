"""What a target that understands the PROXY protocol is told of a sender."""

from __future__ import annotations

from typing import Any

from hybridconn.core.commands import Accept
from hybridconn.core.headers import RULE_HEADER
from hybridconn.core.proxy_protocol import (
    ENTITY,
    NAMESPACE,
    RULE,
    UNIQUE_ID,
    header,
)


def proxy_header(accept: Accept, namespace: str, entity: str, transport: Any) -> bytes:
    """
    The header for the connection of one sender.

    @param namespace: the relay's host.
    @param entity: the hybrid connection's path.
    @param transport: of the connection to the target.
    """
    peer = transport.getPeer()
    return header(
        accept.remote_address,
        accept.remote_port,
        str(getattr(peer, "host", "")),
        int(getattr(peer, "port", 0)),
        (
            (UNIQUE_ID, _octets(accept.id)),
            (ENTITY, _octets(entity)),
            (RULE, _octets(accept.header(RULE_HEADER) or "")),
            (NAMESPACE, _octets(namespace)),
        ),
    )


def _octets(text: str) -> bytes:
    # JSON can name halves of characters, which have no UTF-8.
    return text.encode("utf-8", "replace")
