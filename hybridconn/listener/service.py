"""All hybrid connections of one listener, independent of one another."""

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import succeed

from hybridconn.config.listener import HybridConnectionTarget, ListenerConfig
from hybridconn.interfaces import IDialer
from hybridconn.listener.forward import ForwardConnector
from hybridconn.listener.listener import HybridConnectionListener
from hybridconn.listener.metadata import DescriptionReader, MetadataTarget
from hybridconn.websocket.keeper import Keeper


class _MetadataListener(HybridConnectionListener):
    """A listener whose target stands in its hybrid connection's metadata."""

    metadata: MetadataTarget

    def online(self) -> None:
        """Read the metadata anew: it may have changed while we were away."""
        self.metadata.start()

    def offline(self, reason: str) -> None:
        """There is nobody to ask."""
        self.metadata.stop()

    def stopService(self) -> Any:
        """Ask no more (Twisted)."""
        self.metadata.stop()
        return super().stopService()


class ListenerService(MultiService):
    """
    Listens on every hybrid connection of a configuration.

    @param dialer: the way to the relays.
    """

    def __init__(self, config: ListenerConfig, dialer: IDialer, reactor: Any) -> None:
        super().__init__()
        timings = config.timings
        keeper = Keeper(reactor, timings.ping_interval, timings.dead_after)
        for one in config.hybrid_connections:
            listener = _listener(one, config, dialer, reactor, keeper)
            listener.setServiceParent(self)


def _listener(
    one: HybridConnectionTarget,
    config: ListenerConfig,
    dialer: IDialer,
    reactor: Any,
    keeper: Keeper,
) -> HybridConnectionListener:
    entity = one.connection.require_entity_path()
    settings: dict[str, Any] = {"timings": config.timings, "keeper": keeper}
    if one.target is not None:
        fixed = one.target
        connector = ForwardConnector(
            lambda: succeed(fixed), entity, reactor, one.target_timeout
        )
        return HybridConnectionListener(
            one.connection, connector, dialer, reactor, **settings
        )
    metadata = MetadataTarget(
        DescriptionReader(one.connection, dialer, reactor), entity, reactor
    )
    connector = ForwardConnector(metadata.target, entity, reactor, one.target_timeout)
    listener = _MetadataListener(one.connection, connector, dialer, reactor, **settings)
    listener.metadata = metadata
    return listener
