"""All hybrid connections of one listener, independent of one another."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, fail, succeed

from hybridconn.config.addresses import Target
from hybridconn.config.hybrid_connection import HybridConnectionTarget
from hybridconn.config.listener import ListenerConfig, ListenerTimings
from hybridconn.core.allow_list import AllowList
from hybridconn.core.commands import Accept
from hybridconn.core.limits import Limits
from hybridconn.core.targets import TARGET_HEADER, TargetRules
from hybridconn.dialer import ReactorDialer
from hybridconn.interfaces import IDialer
from hybridconn.listener.forward import ForwardConnector
from hybridconn.listener.guard import GuardedReactor
from hybridconn.listener.guarded import GuardedConnector
from hybridconn.listener.http_target import HttpSettings, service_target
from hybridconn.listener.listener import HybridConnectionListener
from hybridconn.listener.metadata import MetadataTarget
from hybridconn.listener.reject import Reject
from hybridconn.listener.websocket_target import WebSocketConnector
from hybridconn.web.description_reader import DescriptionReader
from hybridconn.websocket.keeper import Keeper
from hybridconn.websocket.reading import ReadSizes


class TargetListener(HybridConnectionListener):
    """
    Serves one target, or those that senders may want.

    @param one: the hybrid connection, and the target unless its metadata say it.
    @param allowed: the targets that may be reached at all.
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
        allowed: AllowList | None = None,
        target_dialer: IDialer | None = None,
        **more: Any,
    ) -> None:
        timings = timings or ListenerTimings()
        self._allowed = allowed = allowed or AllowList()
        entity = one.connection.require_entity_path()
        self._fixed = one.target
        self._metadata: MetadataTarget | None = None
        self._rules = TargetRules(one.targets, allowed) if one.targets else None
        if not one.is_told_target:
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
                GuardedReactor(reactor, allowed) if allowed else reactor,
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
            heeds_targets=responder is None,
            **more,
        )

    def make_connector(
        self, entity: str, reactor: Any, timeout: float
    ) -> ForwardConnector:
        """What reaches a target that is no HTTP service.  May be overridden."""
        return GuardedConnector(
            self.target, entity, reactor, timeout, self._allowed, rules=self._rules
        )

    def accept_requested(self, accept: Accept) -> Deferred[None] | None:
        """
        Who wants a target of its own does not speak HTTP with the service.

        @raise Reject: it does want one, and there is such a service.
        """
        http = self._fixed is not None and self._fixed.http is not None
        if http and accept.header(TARGET_HEADER) is not None:
            raise Reject(
                403,
                "This listener serves an HTTP service, and no other target: the sender"
                " is to have no target for it, but http = true",
            )
        return super().accept_requested(accept)

    def target(self) -> Deferred[Target]:
        """
        Where the next sender is joined to, unless there are many targets.

        @return: fails with L{Reject <hybridconn.listener.Reject>} if that
            cannot be found out.
        """
        if self._metadata is not None:
            return self._metadata.target()
        if self._fixed is None:
            return fail(Reject(400, "It serves many targets: say which"))
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
        allowed=config.allowed,
        data_path=config.data_path,
    )
