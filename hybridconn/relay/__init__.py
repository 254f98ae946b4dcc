"""The relay: where listeners and senders meet."""

from hybridconn.relay.control import ControlChannel
from hybridconn.relay.desk import Desk
from hybridconn.relay.handler import RelayHandler
from hybridconn.relay.service import RelayService

__all__ = ["ControlChannel", "Desk", "RelayHandler", "RelayService"]
