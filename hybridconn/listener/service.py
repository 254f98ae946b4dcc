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
from hybridconn.interfaces import IDialer, ITargetProber, ITunnelEnd
from hybridconn.listener.forward import ForwardConnector
from hybridconn.listener.guard import GuardedReactor
from hybridconn.listener.guarded import GuardedConnector
from hybridconn.listener.http_target import HttpSettings, service_target
from hybridconn.listener.listener import HybridConnectionListener
from hybridconn.listener.metadata import MetadataTarget
from hybridconn.listener.named_ports import (
    NamedPortConnector,
    NamedPortEnd,
    NamedPorts,
)
from hybridconn.listener.port_probe import PortProber
from hybridconn.listener.proxy_protocol import proxy_header
from hybridconn.listener.reject import Reject
from hybridconn.listener.websocket_target import WebSocketConnector
from hybridconn.web.description_reader import DescriptionReader
from hybridconn.websocket.joint import Joint
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
        self._proxy_protocol = one.proxy_protocol
        self._namespace_host = one.connection.host
        # With named ports, the one that can stand for all: it is looked at.
        streams = [port.target for port in one.ports if not port.datagrams]
        self._fixed = one.target or (streams[0] if streams else None)
        self._metadata: MetadataTarget | None = None
        self._rules = TargetRules(one.targets, allowed) if one.targets else None
        if not one.is_told_target:
            self._metadata = MetadataTarget(
                DescriptionReader(one.connection, dialer, reactor, wall),
                entity,
                reactor,
                timings.metadata_refresh,
            )
        forward = self.make_connector(entity, reactor, one.target_timeout)
        connector: Any = forward
        ports: NamedPorts | None = None
        if one.mode == "bridge":
            ports = NamedPorts(one.ports, self.target)
            connector = NamedPortConnector(ports, forward)
        self._refusal = _refusal_of_wishes(one)
        responder = None
        if one.target is not None and one.target.http is not None:
            way: IDialer = target_dialer or ReactorDialer(
                GuardedReactor(reactor, allowed),
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
            reuse=one.reuse and responder is None and one.mode == "raw",
            responder=responder,
            dial_ahead=one.dial_ahead,
            prober=PortProber(forward, ports)
            if one.answer_probes and ITargetProber.providedBy(forward)
            else None,
            heeds_targets=self._refusal is None,
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
        Who wants a target of its own speaks neither HTTP with a service nor azbridge's
        preamble, so that it would be joined to something else than it wants.

        @raise Reject: it does want one, and this is such a hybrid connection.
        """
        if self._refusal is not None and accept.header(TARGET_HEADER) is not None:
            raise Reject(403, self._refusal)
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
            what = "It serves many targets: say which"
            return fail(Reject(400, what if self._rules else "There is no TCP port"))
        return succeed(self._fixed)

    def sender_joined(self, accept: Accept, end: ITunnelEnd) -> None:
        """Tell the target of the sender, if it wants to know."""
        if isinstance(end, NamedPortEnd):
            # What it is joined to turns out when it has said what it wants.
            end.reached = partial(self.sender_joined, accept)
            end.refused = partial(self.sender_refused, accept)
        elif self._proxy_protocol and isinstance(end, Joint):
            transport: Any = end.transport
            host = self._namespace_host
            transport.write(proxy_header(accept, host, self.entity, transport))

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


def _refusal_of_wishes(one: HybridConnectionTarget) -> str | None:
    """What a sender is told that wants a target of its own; L{None} if it may."""
    if one.mode == "bridge":
        return (
            "This listener has azbridge's named ports: the sender is to have no target "
            'for it, but mode = "bridge"'
        )
    if one.target is not None and one.target.http is not None:
        return (
            "This listener serves an HTTP service, and no other target: the sender is"
            " to have no target for it, but http = true"
        )
    return None


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
