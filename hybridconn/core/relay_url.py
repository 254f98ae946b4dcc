"""The addresses that clients ask a relay for (relay-protocol section 2)."""

from __future__ import annotations

from urllib.parse import quote

from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.route import ACTION, TRACKING_ID


def websocket_url(
    connection: ConnectionString,
    action: str,
    sb_hc_id: str,
    suffix: str = "",
    query: str = "",
) -> str:
    """
    Write the address of a C{listen} or a C{connect}.

    >>> relay = ConnectionString("relay.example.net", entity_path="hyco")
    >>> websocket_url(relay, "connect", "4f56", "/sub", "x=1")
    'wss://relay.example.net/$hc/hyco/sub?x=1&sb-hc-action=connect&sb-hc-id=4f56'

    @param suffix: for the listener, already percent-encoded; with a slash in
        front if it is not empty.
    @param query: for the listener, already percent-encoded.
    @raise ConnectionStringError: if the connection string names no entity.
    """
    scheme = "wss" if connection.secure else "ws"
    path = quote(connection.require_entity_path(), safe="/")
    ours = f"{ACTION}={action}&{TRACKING_ID}={quote(sb_hc_id, safe='')}"
    whole = f"{query}&{ours}" if query else ours
    return f"{scheme}://{connection.authority}/$hc/{path}{suffix}?{whole}"


def description_url(connection: ConnectionString) -> str:
    """
    Write the address of an entity's description (section 7.5).

    >>> description_url(ConnectionString("relay.example.net", entity_path="hyco"))
    'https://relay.example.net/hyco?api-version=2016-07'

    @raise ConnectionStringError: if the connection string names no entity.
    """
    return f"{http_url(connection)}?api-version=2016-07"


def http_url(connection: ConnectionString) -> str:
    """
    Write the address of an entity for HTTP requests, without a slash at its end.

    >>> http_url(ConnectionString("relay.example.net", entity_path="hyco"))
    'https://relay.example.net/hyco'

    @raise ConnectionStringError: if the connection string names no entity.
    """
    scheme = "https" if connection.secure else "http"
    path = quote(connection.require_entity_path(), safe="/")
    return f"{scheme}://{connection.authority}/{path}"
