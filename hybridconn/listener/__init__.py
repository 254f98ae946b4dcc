"""
The listener: keeps hybrid connections registered at a relay and joins their
senders to targets.
"""

from __future__ import annotations

from hybridconn.listener.channel import ChannelUser, ControlChannelClient
from hybridconn.listener.forward import ForwardConnector
from hybridconn.listener.listener import HybridConnectionListener
from hybridconn.listener.reject import Reject
from hybridconn.listener.service import ListenerService, TargetListener
from hybridconn.listener.site import serve_site
from hybridconn.listener.states import ChannelStatus
from hybridconn.listener.tokens import MintedToken

__all__ = [
    "ChannelStatus",
    "ChannelUser",
    "ControlChannelClient",
    "ForwardConnector",
    "HybridConnectionListener",
    "ListenerService",
    "MintedToken",
    "Reject",
    "TargetListener",
    "serve_site",
]
