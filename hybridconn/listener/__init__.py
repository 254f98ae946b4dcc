"""The listener: serves hybrid connections beside their targets."""

from hybridconn.listener.channel import ChannelStatus, ControlChannelClient
from hybridconn.listener.forward import ForwardConnector
from hybridconn.listener.listener import HybridConnectionListener
from hybridconn.listener.reject import Reject

__all__ = [
    "ChannelStatus",
    "ControlChannelClient",
    "ForwardConnector",
    "HybridConnectionListener",
    "Reject",
]
