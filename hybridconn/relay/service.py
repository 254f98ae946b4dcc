"""The relay as a Twisted service."""

from __future__ import annotations

import os
import random
import time
import uuid
from collections.abc import Callable
from typing import Any, NoReturn

from twisted.application.internet import TimerService
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import (
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.core.limits import Limits
from hybridconn.core.names import fold
from hybridconn.core.sas import SasAuthorizer
from hybridconn.interfaces import (
    IAudit,
    IAuthorizer,
    IClusterBus,
    IEntityStore,
    ILiveRelay,
    ILoadBalancer,
    IPresence,
)
from hybridconn.relay.connecting import PublicUrl, Surroundings
from hybridconn.relay.desk import Desk, entity_key
from hybridconn.relay.handler import RelayHandler
from hybridconn.relay.overview import Overview
from hybridconn.relay.presence import Alone, Presence
from hybridconn.relay.traffic import Traffic
from hybridconn.startup import PortService
from hybridconn.tls import CertificateStore, TLSPath, tls_factory
from hybridconn.web.admission import Admission
from hybridconn.web.frontdoor import FrontDoor
from hybridconn.websocket.autobahn_frames import DataPath
from hybridconn.websocket.server import TunnelServerFactory
from hybridconn.websocket.upkeep import Upkeep

#: How often the end of the last connections is looked for at a stop, seconds.
_STOP_POLL = 0.05

#: How often changed certificates are looked for, seconds.
_CERTIFICATE_POLL = 10.0


class RelayService(MultiService):
    """
    A whole relay, to be run by itself or inside another Twisted application.

    >>> relay = RelayService(reactor, store, balancer)          # doctest: +SKIP
    >>> relay.listen_on(serverFromString(reactor, "ssl:443:…"))  # doctest: +SKIP

    Set C{handler_class} in a subclass to change what it answers.

    @param clock: the reactor.
    @param store: the namespaces and their hybrid connections.
    @param balancer: chooses among an entity's listeners.
    @param authorizer: checks tokens; SAS tokens by default.
    @param public_url: by which listeners reach it, if not by the host they used.
    @param random_bytes: C{random_bytes(n)} gives n unguessable bytes.
    @param random_number: from 0 up to 1; which connections of a flood to drop.
    @param data_path: who reads and writes the frames of tunnels.
    @param tls: whose code lies between TLS and the network.
    @param bus: the way to other processes of the same relay.
    @param log_requests: write a line for each HTTP request that was answered.
    @param audit: is told of each use of a key, and of each refusal for want of one.
    @ivar front_door: the protocol factory that all ports share.
    @ivar desk: who is connected.
    @ivar live: the same of all processes, to be shown to people.
    @ivar presence: tells other processes of it.
    """

    log = Logger()
    handler_class = RelayHandler

    def __init__(
        self,
        clock: IReactorTime,
        store: IEntityStore,
        balancer: ILoadBalancer,
        limits: Limits | None = None,
        *,
        authorizer: IAuthorizer | None = None,
        public_url: PublicUrl | None = None,
        wall: Callable[[], float] = time.time,
        random_bytes: Callable[[int], bytes] = os.urandom,
        new_guid: Callable[[], uuid.UUID] = uuid.uuid4,
        random_number: Callable[[], float] = random.random,
        data_path: DataPath = "slim",
        tls: TLSPath = "lean",
        bus: IClusterBus | None = None,
        log_requests: bool = False,
        audit: IAudit | None = None,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._store = store
        self.limits = limits = limits or Limits()
        self._websockets = TunnelServerFactory(clock, limits, data_path)
        self._tls = tls
        self.desk = Desk(balancer, limits, random_bytes)
        self.upkeep = Upkeep(
            clock,
            Upkeep.turn_for(
                limits.ping_interval,
                limits.pong_timeout,
                limits.half_close_timeout,
                limits.write_stall_timeout,
                limits.control_queue_timeout,
            ),
        )
        self.upkeep.setServiceParent(self)
        self.presence: IPresence = (
            Alone() if bus is None else Presence(bus, self.desk, limits)
        )
        traffic = Traffic(self.desk, clock, wall)
        traffic.setServiceParent(self)
        self.live: ILiveRelay = Overview(self.desk, self.presence, clock, wall, traffic)
        admission = Admission(limits, clock, random_number)
        self.handler = self.handler_class(
            Surroundings(
                desk=self.desk,
                limits=limits,
                clock=clock,
                upkeep=self.upkeep,
                websockets=self._websockets,
                public_url=public_url or PublicUrl(),
                presence=self.presence,
                log_requests=log_requests,
                audit=audit,
            ),
            store,
            authorizer or SasAuthorizer(limits.clock_skew),
            admission,
            wall,
        )
        self.front_door = FrontDoor(
            self.handler, limits, clock, admission, wall, new_guid
        )
        self._certificates: list[CertificateStore] = []
        store.watch(self._changed)

    def listen_on(
        self,
        endpoint: IStreamServerEndpoint,
        certificates: CertificateStore | None = None,
        failed: Callable[[Failure], NoReturn] | None = None,
    ) -> PortService:
        """
        Serve on C{endpoint} too, while the relay runs.

        @param certificates: for TLS, if the endpoint itself has none; changed
            files are taken over while running.
        @param failed: called if the port cannot be opened; raises.
        """
        factory: IProtocolFactory = self.front_door
        if certificates is not None:
            factory = tls_factory(certificates, factory, self._clock, self._tls)
            self._certificates.append(certificates)
            watch = TimerService(_CERTIFICATE_POLL, certificates.reload)
            watch.clock = self._clock
            watch.setServiceParent(self)
        port = PortService(endpoint, factory, *([failed] if failed else []))
        port.setServiceParent(self)
        return port

    def reload_certificates(self) -> None:
        """Take changed files over now."""
        for certificates in self._certificates:
            certificates.reload()

    def startService(self) -> None:
        """Let listeners and senders in (Twisted)."""
        self.desk.reopen()
        super().startService()

    def stopService(self) -> Deferred[Any]:
        """
        Listen no more, and close what is open with 1001 (Twisted).

        @return: fires when all connections are gone, at the latest after
            C{control_close_timeout}.
        """
        self.desk.close_all()
        ended = [self._drained(self._clock.seconds())]
        ended.append(maybeDeferred(super().stopService))
        return gatherResults(ended)

    def _drained(self, since: float) -> Deferred[Any]:
        late = self._clock.seconds() - since >= self.limits.control_close_timeout
        # A channel leaves the desk before its Close is on the wire.
        gone = self.desk.idle and not self._websockets.countConnections
        if gone or late:
            done: Deferred[Any] = Deferred()
            done.callback(None)
            return done
        return deferLater(self._clock, _STOP_POLL, self._drained, since)

    def _changed(self, namespace: str, path: str) -> None:
        """What is connected to an entity that is deleted or disabled is closed."""
        # A store names each entity that goes, so there is no need to look at
        # all the others, of which there may be ten thousand.
        if path and not self._has(namespace, path):
            self.desk.close_entity(entity_key(namespace, path))

    def _has(self, namespace: str, path: str) -> bool:
        segments = path.split("/")
        for known in self._store.namespaces():
            if fold(known.name) == fold(namespace):
                match = known.find(segments)
                return (
                    match is not None
                    and not match.suffix_segments
                    and match.entity.enabled
                )
        return False
