"""The same way out for commands, which wait."""

from __future__ import annotations

import socket

from hybridconn.wayout.errors import ProxyError, Refused
from hybridconn.wayout.handshake import start_handshake
from hybridconn.wayout.way import WayOut

_PIECE = 4096


def dial(way: WayOut, host: str, port: int, timeout: float) -> socket.socket:
    """
    Connect, to be used with TLS.

    @param timeout: seconds for each step, and for each use of the result.
    @raise ProxyError: the proxy cannot be reached, or says no.
    @raise OSError: there is no proxy on the way, and no connection.
    """
    proxy = way.proxy_for(host, port, secure=True)
    if proxy is None:
        return socket.create_connection((host, port), timeout)
    if proxy.scheme == "https":
        raise ProxyError(
            str(proxy), "wants TLS of its own, which commands cannot do; use another"
        )
    try:
        connection = socket.create_connection((proxy.host, proxy.port), timeout)
    except OSError as error:
        why = error.strerror or "no answer in time"
        raise ProxyError(str(proxy), f"cannot be reached: {why}") from None
    try:
        handshake = start_handshake(proxy, host, port)
        said = handshake.begin()
        while not handshake.done:
            connection.sendall(said)
            # Behind its answer nothing comes before we speak: TLS begins with us.
            said = handshake.receive(connection.recv(_PIECE))
    except Refused as error:
        connection.close()
        raise ProxyError(str(proxy), error.problem) from None
    except OSError as error:
        connection.close()
        why = error.strerror or "no answer in time"
        raise ProxyError(str(proxy), f"broke off: {why}") from None
    return connection
