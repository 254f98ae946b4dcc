"""
What every TCP connection of ours sets on its socket (reliability-security T19).

Pings inside the WebSocket are what notices a dead peer.  The kernel's own means
stand behind them: keep-alive for connections that carry no WebSocket yet, and a
limit for unacknowledged data on control channels.
"""

from __future__ import annotations

import socket
from typing import Any, Final

from twisted.internet.interfaces import ITCPTransport, IUNIXTransport
from twisted.protocols.policies import ProtocolWrapper

#: Seconds of silence before the kernel's first keep-alive probe.
KEEP_ALIVE_IDLE: Final = 60
#: Seconds between two probes.
KEEP_ALIVE_INTERVAL: Final = 10
#: Probes without an answer that end the connection.
KEEP_ALIVE_PROBES: Final = 3
#: Milliseconds that sent data may stay without acknowledgement.
USER_TIMEOUT_MS: Final = 30_000

_UNIX: Final = getattr(socket, "AF_UNIX", None)


def tune(transport: Any, control: bool) -> None:
    """
    Set TCP_NODELAY, keep-alive and, for control channels, TCP_USER_TIMEOUT.

    Harmless on what is no TCP connection (a UNIX socket, a transport in memory)
    and where the system lacks an option.

    @param transport: a transport as a protocol has it; TLS may lie around it.
    @param control: whether this is a control channel.  TCP_USER_TIMEOUT must
        never be set on a leg of a tunnel: it also ends a peer that lives but
        does not read, which a tunnel has to bear.
    """
    transport = tcp_below(transport)
    if transport is None:
        return
    transport.setTcpNoDelay(True)
    transport.setTcpKeepAlive(True)
    handle = getattr(transport, "getHandle", lambda: None)()
    if not isinstance(handle, socket.socket) or handle.family == _UNIX:
        return
    options = {
        "TCP_KEEPIDLE": KEEP_ALIVE_IDLE,
        "TCP_KEEPINTVL": KEEP_ALIVE_INTERVAL,
        "TCP_KEEPCNT": KEEP_ALIVE_PROBES,
    }
    if control:
        options["TCP_USER_TIMEOUT"] = USER_TIMEOUT_MS
    for name, value in options.items():
        option = getattr(socket, name, None)
        if option is not None:
            handle.setsockopt(socket.IPPROTO_TCP, option, value)


def tcp_below(transport: Any) -> Any:
    """
    The TCP connection under a transport, which may have TLS around it; L{None}
    for a UNIX socket or a transport in memory.
    """
    while isinstance(transport, ProtocolWrapper):
        transport = transport.transport
    # Twisted's transports for UNIX sockets say that they are TCP, too.
    is_unix = IUNIXTransport.providedBy(transport)
    return transport if ITCPTransport.providedBy(transport) and not is_unix else None
