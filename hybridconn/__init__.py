"""
Hybrid connections for Twisted: what an app's author imports.

The relay is in L{hybridconn.relay}, the seams for extensions are in
L{hybridconn.interfaces}, the test kit is L{hybridconn.testing}.
"""

from __future__ import annotations

from hybridconn.core.commands import Accept
from hybridconn.core.connection_string import ConnectionString, ConnectionStringError
from hybridconn.core.sas import sign
from hybridconn.dialer import ReactorDialer
from hybridconn.endpoints import (
    HybridConnectionClientEndpoint,
    HybridConnectionServerEndpoint,
)
from hybridconn.listener import (
    ChannelStatus,
    ControlChannelClient,
    ForwardConnector,
    HybridConnectionListener,
    ListenerService,
    MintedToken,
    Reject,
)
from hybridconn.sender import (
    HybridConnectionError,
    HybridConnectionRefused,
    HybridConnectionTimeout,
    LocalForward,
    SenderService,
    TunnelConnector,
)
from hybridconn.websocket.addresses import HybridConnectionAddress
from hybridconn.websocket.closing import TunnelClosed

__all__ = [
    "Accept",
    "ChannelStatus",
    "ConnectionString",
    "ConnectionStringError",
    "ControlChannelClient",
    "ForwardConnector",
    "HybridConnectionAddress",
    "HybridConnectionClientEndpoint",
    "HybridConnectionError",
    "HybridConnectionListener",
    "HybridConnectionRefused",
    "HybridConnectionServerEndpoint",
    "HybridConnectionTimeout",
    "ListenerService",
    "LocalForward",
    "MintedToken",
    "ReactorDialer",
    "Reject",
    "SenderService",
    "TunnelClosed",
    "TunnelConnector",
    "sign",
]
