"""
Configuration files of the three programs, read into frozen values; all
mistakes are found at once.

The exports are those that a program needs; each role's module has the classes.
"""

from __future__ import annotations

from hybridconn.config.listener import (
    ListenerConfig,
    listener_from_options,
    load_listener,
)
from hybridconn.config.mistakes import ConfigError
from hybridconn.config.relay import RelayConfig, load_relay
from hybridconn.config.sender import SenderConfig, load_sender, sender_from_options

__all__ = [
    "ConfigError",
    "ListenerConfig",
    "RelayConfig",
    "SenderConfig",
    "listener_from_options",
    "load_listener",
    "load_relay",
    "load_sender",
    "sender_from_options",
]
