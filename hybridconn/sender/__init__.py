"""The sender: reaches hybrid connections beside the app."""

from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.errors import (
    HybridConnectionError,
    HybridConnectionRefused,
    HybridConnectionTimeout,
)
from hybridconn.sender.forward import LocalForward

__all__ = [
    "HybridConnectionError",
    "HybridConnectionRefused",
    "HybridConnectionTimeout",
    "LocalForward",
    "TunnelConnector",
]
