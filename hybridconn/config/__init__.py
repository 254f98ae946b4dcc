"""
Configuration files of the three programs, read into frozen values; all
mistakes are found at once.

The exports are those that a program needs; each role's module has the classes. Each is
imported when it is first asked for: commands need little of one role.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hybridconn.late import late_names

if TYPE_CHECKING:
    from hybridconn.config.listener import ListenerConfig as ListenerConfig
    from hybridconn.config.listener import (
        listener_from_options as listener_from_options,
    )
    from hybridconn.config.listener import load_listener as load_listener
    from hybridconn.config.mistakes import ConfigError as ConfigError
    from hybridconn.config.relay import RelayConfig as RelayConfig
    from hybridconn.config.relay import load_relay as load_relay
    from hybridconn.config.sender import SenderConfig as SenderConfig
    from hybridconn.config.sender import load_sender as load_sender
    from hybridconn.config.sender import sender_from_options as sender_from_options

_MODULES: Final = {
    "ConfigError": "mistakes",
    "ListenerConfig": "listener",
    "RelayConfig": "relay",
    "SenderConfig": "sender",
    "listener_from_options": "listener",
    "load_listener": "listener",
    "load_relay": "relay",
    "load_sender": "sender",
    "sender_from_options": "sender",
}

__all__ = list(_MODULES)

__getattr__, __dir__ = late_names(__name__, _MODULES)
