"""
What every TCP connection of ours sets on its socket (reliability-security T19).

Pings inside the WebSocket are what notices a dead peer.  The kernel's own means
stand behind them: keep-alive for connections that carry no WebSocket yet, and a
limit for unacknowledged data on control channels.
"""

from __future__ import annotations

import socket
import struct
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
#: A peer with a shorter round trip is near.
NEAR_MICROSECONDS: Final = 1000
#: Bytes that may wait in the kernel for a near peer; the kernel doubles it.  Half
#: of it makes an echo beside bulk no quicker, but costs a tenth of the speed.
NEAR_SEND_BUFFER: Final = 212_992

# Linux's struct tcp_info, as far as tcpi_min_rtt.
_TCP_INFO_MIN_RTT: Final = 148
_TCP_INFO_BYTES: Final = 152


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
    if not isinstance(handle, socket.socket):
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


def keep_queue_short(tcp: Any) -> None:
    """
    Let little wait in the kernel when the other end is near.

    The kernel lets megabytes pile up between two processes of one machine or one
    network.  Each stage of a busy tunnel then always has work and never sleeps,
    and whoever shares its cores waits long for his turn: an echo beside a bulk
    tunnel took twice as long and more.  Over a distance the kernel's own
    measure is right, since that much is on its way.

    @param tcp: what L{tcp_below} found, after some bytes went there and back.
    """
    handle = getattr(tcp, "getHandle", lambda: None)()
    if not isinstance(handle, socket.socket) or not hasattr(socket, "TCP_INFO"):
        return
    try:
        info = handle.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO_BYTES)
    except OSError:  # no TCP after all, or already closed
        return
    if len(info) == _TCP_INFO_BYTES:  # an older kernel says less
        (round_trip,) = struct.unpack_from("=I", info, _TCP_INFO_MIN_RTT)
        if round_trip < NEAR_MICROSECONDS:
            handle.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, NEAR_SEND_BUFFER)


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
