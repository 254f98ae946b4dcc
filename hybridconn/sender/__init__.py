"""The sender: reaches hybrid connections beside the app."""

from hybridconn.sender.agent import HybridConnectionAgent
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.errors import (
    HybridConnectionError,
    HybridConnectionRefused,
    HybridConnectionTimeout,
)
from hybridconn.sender.forward import AppJoint, LocalForward
from hybridconn.sender.http_forward import HttpForward
from hybridconn.sender.service import SenderService

__all__ = [
    "AppJoint",
    "HttpForward",
    "HybridConnectionAgent",
    "HybridConnectionError",
    "HybridConnectionRefused",
    "HybridConnectionTimeout",
    "LocalForward",
    "SenderService",
    "TunnelConnector",
]
