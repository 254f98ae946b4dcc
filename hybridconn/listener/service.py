"""Many hybrid connections in one process, independent of one another."""

from __future__ import annotations

from typing import Any

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, succeed

from hybridconn.config.addresses import Target
from hybridconn.config.listener import (
    HybridConnectionTarget,
    ListenerConfig,
    ListenerTimings,
)
from hybridconn.dialer import ReactorDialer
from hybridconn.interfaces import IDialer
from hybridconn.listener.forward import ForwardConnector
from hybridconn.listener.listener import HybridConnectionListener
from hybridconn.listener.metadata import DescriptionReader, MetadataTarget
from hybridconn.websocket.keeper import Keeper


class TargetListener(HybridConnectionListener):
    """
    Serves one TCP target.

    @param one: the hybrid connection, and the target unless its metadata say it.
    """

    def __init__(
        self, one: HybridConnectionTarget, dialer: IDialer, reactor: Any, **more: Any
    ) -> None:
        entity = one.connection.require_entity_path()
        self.metadata: MetadataTarget | None = None
        if one.target is None:
            reader = DescriptionReader(one.connection, dialer, reactor)
            self.metadata = MetadataTarget(reader, entity, reactor)
        self._fixed = one.target
        connector = ForwardConnector(
            self._where, entity, reactor, timeout=one.target_timeout
        )
        super().__init__(one.connection, connector, dialer, reactor, **more)

    def online(self) -> None:
        super().online()
        if self.metadata is not None:
            self.metadata.start()

    def stopService(self) -> Deferred[Any]:
        if self.metadata is not None:
            self.metadata.stop()
        return super().stopService()

    def _where(self) -> Deferred[Target]:
        if self._fixed is not None:
            return succeed(self._fixed)
        assert self.metadata is not None
        return self.metadata.target()


class HybridConnectionListenerService(MultiService):
    """
    Everything that C{twistd hclistener} runs.  One L{TargetListener} for each
    hybrid connection is among its services; what befalls one is nothing to the
    others.

    @param dialer: the way to the relays; by default the network, trusting the
        authorities that C{config} names.
    """

    listener_class = TargetListener

    def __init__(
        self, config: ListenerConfig, reactor: Any, dialer: IDialer | None = None
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self._timings: ListenerTimings = config.timings
        self._dialer = dialer or ReactorDialer(reactor, config.ca_files)
        self._keeper = Keeper(
            reactor, config.timings.ping_interval, config.timings.dead_after
        )
        for one in config.hybrid_connections:
            self.add(one)

    def add(self, one: HybridConnectionTarget) -> TargetListener:
        """Listen on one more; at once if the service runs."""
        listener = self.listener_class(
            one,
            self._dialer,
            self._reactor,
            timings=self._timings,
            keeper=self._keeper,
        )
        listener.setServiceParent(self)
        return listener
