"""
Writing at once instead of in the reactor's next turn.

Twisted's transports queue what is written and ask the reactor to be called when
the socket has room: two system calls and a turn of the reactor for bytes that
the kernel nearly always takes at once.  For a tunnel that is a good part of its
price and of its delay.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Connection

from hybridconn.socket_options import tcp_below


def write_now(transport: Any, data: bytes | memoryview) -> None:
    """
    As C{transport.write}, but what the kernel takes is on its way already.

    @param transport: any transport; all but Twisted's TCP ones get a plain
        C{write}.
    @param data: not kept; it may change after this.
    """
    if (
        isinstance(transport, Connection)
        and transport.connected
        and not transport._writeDisconnected
        # Nothing may overtake what waits.
        and not transport._tempDataBuffer
        and not transport.dataBuffer
    ):
        try:
            sent = transport.socket.send(data)
        except OSError:
            # No room, or no connection: that comes again, and is dealt with, when
            # the reactor writes it.
            sent = 0
        if sent == len(data):
            return
        data = data[sent:]
    transport.write(bytes(data))


def unsent(transport: Any) -> int:
    """
    How many bytes the kernel did not take yet; 0 for a transport that does not tell.

    @param transport: as a protocol has it; TLS may lie around it.
    """
    tcp = tcp_below(transport)
    waiting = len(getattr(tcp, "dataBuffer", b"")) - getattr(tcp, "offset", 0)
    return waiting + int(getattr(tcp, "_tempDataLen", 0))
