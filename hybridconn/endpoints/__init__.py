"""Hybrid connections as Twisted endpoints."""

from hybridconn.endpoints.client import HybridConnectionClientEndpoint
from hybridconn.endpoints.server import HybridConnectionServerEndpoint

__all__ = ["HybridConnectionClientEndpoint", "HybridConnectionServerEndpoint"]
