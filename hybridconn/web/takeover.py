"""Giving a connection that is in use to another protocol."""

from __future__ import annotations

from typing import Any

from twisted.protocols.policies import ProtocolWrapper


def replace_protocol(transport: Any, protocol: Any) -> None:
    """
    Make C{protocol} the receiver of all that C{transport} reads from now on,
    and tell it of the connection.  The one before is not told.

    @param transport: as the protocol before has it.  TLS may lie around it in
        either way that Twisted knows: as the transport itself, or, after
        C{startTLS}, between a TCP transport and the protocol.
    """
    if isinstance(transport, ProtocolWrapper):
        transport.wrappedProtocol = protocol
    elif isinstance(getattr(transport, "protocol", None), ProtocolWrapper):
        transport.protocol.wrappedProtocol = protocol
    else:
        transport.protocol = protocol
    protocol.makeConnection(transport)
