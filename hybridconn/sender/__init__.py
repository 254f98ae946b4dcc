"""The sender: reaches hybrid connections beside the app."""

from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.errors import (
    HybridConnectionError,
    HybridConnectionRefused,
    HybridConnectionTimeout,
)
from hybridconn.sender.forward import AppJoint, LocalForward
from hybridconn.sender.service import SenderService

__all__ = [
    "AppJoint",
    "HybridConnectionError",
    "HybridConnectionRefused",
    "HybridConnectionTimeout",
    "LocalForward",
    "SenderService",
    "TunnelConnector",
]
