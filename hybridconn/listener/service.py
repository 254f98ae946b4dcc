"""All hybrid connections of one listener, independent of one another."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, succeed

from hybridconn.config.addresses import Target
from hybridconn.config.hybrid_connection import HybridConnectionTarget
from hybridconn.config.listener import ListenerConfig, ListenerTimings
from hybridconn.core.limits import Limits
from hybridconn.dialer import ReactorDialer
from hybridconn.interfaces import IDialer
from hybridconn.listener.forward import ForwardConnector
from hybridconn.listener.http_target import HttpSettings, service_target
from hybridconn.listener.listener import HybridConnectionListener
from hybridconn.listener.metadata import MetadataTarget
from hybridconn.listener.websocket_target import WebSocketConnector
from hybridconn.web.description_reader import DescriptionReader
from hybridconn.websocket.keeper import Keeper
from hybridconn.websocket.reading import ReadSizes


class TargetListener(HybridConnectionListener):
    """
    Serves one target.

    @param one: the hybrid connection, and the target unless its metadata say it.
    @param target_dialer: the way to an HTTP target; by default over the network.
    @param more: as for L{HybridConnectionListener}.
    """

    def __init__(
        self,
        one: HybridConnectionTarget,
        dialer: IDialer,
        reactor: Any,
        *,
        timings: ListenerTimings | None = None,
        wall: Callable[[], float] = time.time,
        target_dialer: IDialer | None = None,
        **more: Any,
    ) -> None:
        timings = timings or ListenerTimings()
        entity = one.connection.require_entity_path()
        self._fixed = one.target
        self._metadata: MetadataTarget | None = None
        if one.target is None:
            self._metadata = MetadataTarget(
                DescriptionReader(one.connection, dialer, reactor, wall),
                entity,
                reactor,
                timings.metadata_refresh,
            )
        connector: Any = self.make_connector(entity, reactor, one.target_timeout)
        responder = None
        if one.target is not None and one.target.http is not None:
            way: IDialer = target_dialer or ReactorDialer(
                reactor,
                one.http.ca_files,
                one.target_timeout,
                verify=not one.http.insecure,
            )
            settings = HttpSettings(
                host=one.http.host,
                keep_path=one.http.keep_path,
                timeout=one.target_timeout,
                response_timeout=timings.response_timeout,
            )
            url = one.target.http
            responder = service_target(reactor, url, entity, way, settings)
            connector = WebSocketConnector(url, entity, way, reactor, settings)
        super().__init__(
            one.connection,
            connector,
            dialer,
            reactor,
            timings=timings,
            wall=wall,
            # A WebSocket of the sender's is one of the service's, and no other's.
            reuse=one.reuse and responder is None,
            responder=responder,
            dial_ahead=one.dial_ahead,
            **more,
        )

    def make_connector(
        self, entity: str, reactor: Any, timeout: float
    ) -> ForwardConnector:
        """What reaches a target that is no HTTP service.  May be overridden."""
        return ForwardConnector(self.target, entity, reactor, timeout)

    def target(self) -> Deferred[Target]:
        """
        Where the next sender is joined to.

        @return: fails with L{Reject <hybridconn.listener.Reject>} if that
            cannot be found out.
        """
        if self._metadata is not None:
            return self._metadata.target()
        assert self._fixed is not None
        return succeed(self._fixed)

    def online(self) -> None:
        """Read the metadata anew: it may have changed while we were away."""
        super().online()
        if self._metadata is not None:
            self._metadata.start()

    def offline(self, reason: str) -> None:
        """There is nobody to ask."""
        super().offline(reason)
        if self._metadata is not None:
            self._metadata.stop()

    def stopService(self) -> Deferred[Any]:
        """Ask no more (Twisted)."""
        if self._metadata is not None:
            self._metadata.stop()
        return super().stopService()


_L = TypeVar("_L", bound=TargetListener)


class ListenerService(MultiService):
    """
    Listens on every hybrid connection of a configuration.  Each is a
    L{TargetListener} among its services; what befalls one is nothing to the
    others.

    @param dialer: the way to the relays.
    @param wall: seconds since 1970-01-01 UTC, for tokens.
    """

    listener_class = TargetListener

    def __init__(
        self,
        config: ListenerConfig,
        dialer: IDialer,
        reactor: Any,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        build = shared_listeners(self.listener_class, config, dialer, reactor, wall)
        for one in config.hybrid_connections:
            build(one).setServiceParent(self)


def shared_listeners(
    listener_class: type[_L],
    config: ListenerConfig,
    dialer: IDialer,
    reactor: Any,
    wall: Callable[[], float],
) -> Callable[..., _L]:
    """
    @return: makes a listener of a L{HybridConnectionTarget}; those that it makes
        share their timers.  More arguments by name are the listener's.
    """
    timings = config.timings
    return partial(
        listener_class,
        dialer=dialer,
        reactor=reactor,
        timings=timings,
        keeper=Keeper(reactor, timings.ping_interval, timings.dead_after),
        wall=wall,
        read_sizes=ReadSizes(reactor, Limits().read_bytes),
        drain_timeout=timings.drain_timeout,
        data_path=config.data_path,
    )
