"""
Hybrid connections for Twisted: what an app's author imports.

The relay is in L{hybridconn.relay}, the seams for extensions are in
L{hybridconn.interfaces}, the test kit is L{hybridconn.testing}.

Every name is imported when it is first asked for: plugins that need only an
interface come through here too, in every program that looks for plugins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hybridconn.late import late_names

if TYPE_CHECKING:
    from hybridconn.core.commands import Accept as Accept
    from hybridconn.core.connection_string import ConnectionString as ConnectionString
    from hybridconn.core.connection_string import (
        ConnectionStringError as ConnectionStringError,
    )
    from hybridconn.core.sas import sign as sign
    from hybridconn.dialer import ReactorDialer as ReactorDialer
    from hybridconn.endpoints import (
        HybridConnectionClientEndpoint as HybridConnectionClientEndpoint,
    )
    from hybridconn.endpoints import (
        HybridConnectionServerEndpoint as HybridConnectionServerEndpoint,
    )
    from hybridconn.listener import ChannelStatus as ChannelStatus
    from hybridconn.listener import ControlChannelClient as ControlChannelClient
    from hybridconn.listener import ForwardConnector as ForwardConnector
    from hybridconn.listener import HybridConnectionListener as HybridConnectionListener
    from hybridconn.listener import ListenerService as ListenerService
    from hybridconn.listener import MintedToken as MintedToken
    from hybridconn.listener import Reject as Reject
    from hybridconn.listener import serve_site as serve_site
    from hybridconn.sender import HybridConnectionAgent as HybridConnectionAgent
    from hybridconn.sender import HybridConnectionError as HybridConnectionError
    from hybridconn.sender import HybridConnectionRefused as HybridConnectionRefused
    from hybridconn.sender import HybridConnectionTimeout as HybridConnectionTimeout
    from hybridconn.sender import LocalForward as LocalForward
    from hybridconn.sender import SenderService as SenderService
    from hybridconn.sender import TunnelConnector as TunnelConnector
    from hybridconn.websocket.addresses import (
        HybridConnectionAddress as HybridConnectionAddress,
    )
    from hybridconn.websocket.closing import TunnelClosed as TunnelClosed

_MODULES: Final = {
    "Accept": "core.commands",
    "ChannelStatus": "listener",
    "ConnectionString": "core.connection_string",
    "ConnectionStringError": "core.connection_string",
    "ControlChannelClient": "listener",
    "ForwardConnector": "listener",
    "HybridConnectionAddress": "websocket.addresses",
    "HybridConnectionAgent": "sender",
    "HybridConnectionClientEndpoint": "endpoints",
    "HybridConnectionError": "sender",
    "HybridConnectionListener": "listener",
    "HybridConnectionRefused": "sender",
    "HybridConnectionServerEndpoint": "endpoints",
    "HybridConnectionTimeout": "sender",
    "ListenerService": "listener",
    "LocalForward": "sender",
    "MintedToken": "listener",
    "ReactorDialer": "dialer",
    "Reject": "listener",
    "SenderService": "sender",
    "TunnelClosed": "websocket.closing",
    "TunnelConnector": "sender",
    "serve_site": "listener",
    "sign": "core.sas",
}

__all__ = list(_MODULES)


__getattr__, __dir__ = late_names(__name__, _MODULES)
