"""
Proxies for apps that can use one and cannot, or need not, resolve the names of
services: SOCKS5 (RFC 1928) and CONNECT of HTTP (RFC 9110 section 9.3.6).

They lead to what is redirected and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure

from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import FrontDoor
from hybridconn.core.text import printable
from hybridconn.core.tracking import TrackingId
from hybridconn.sender.forward import AppJoint, source_text
from hybridconn.sender.handshakes import (
    ConnectHandshake,
    Handshake,
    SocksHandshake,
    TurnedAway,
)
from hybridconn.sender.redirected import Way
from hybridconn.startup import PortService, local_endpoint
from hybridconn.web.takeover import replace_protocol
from hybridconn.websocket.joint import JointNames

#: Which way a name and port go; L{None} if they are not redirected.
Find = Callable[[str, int], Way | None]

#: Seconds that an app has for saying where it wants to go.
_PATIENCE = 15.0
#: Apps that have not said it, at a time.
_MOST_WAITING = 256


class DoorJoint(AppJoint):
    """
    An app's connection that is told whether there is a tunnel, in the proxy's words,
    before the tunnel's bytes come.
    """

    def __init__(
        self, names: JointNames, tracking: TrackingId, handshake: Handshake
    ) -> None:
        super().__init__(names, tracking)
        self._handshake = handshake

    def join(self, tunnel: Any) -> Deferred[None]:
        """There is a tunnel (see L{Joint.join})."""
        if not self._near_lost:
            transport: Any = self.transport
            transport.write(self._handshake.welcome())
        return super().join(tunnel)

    def refused(self, failure: Failure) -> None:
        """There is none (see L{AppJoint.refused})."""
        transport: Any = self.transport
        transport.write(self._handshake.no_tunnel(failure))
        transport.loseConnection()


class Door(Protocol, TimeoutMixin):
    """A connection that has not yet said where it wants to go."""

    factory: DoorFactory

    def __init__(self, handshake: Handshake) -> None:
        self._handshake = handshake

    def connectionMade(self) -> None:
        """An app is there (Twisted)."""
        self.factory.waiting.add(self)
        self.setTimeout(_PATIENCE)

    def dataReceived(self, data: bytes) -> None:
        """A part of what it says (Twisted)."""
        transport: Any = self.transport
        try:
            reply, wanted, rest = self._handshake.receive(data)
        except TurnedAway as error:
            self._turn_away(error.reply, error.why)
            return
        if reply:
            transport.write(reply)
        if wanted is None:
            return
        way = self.factory.find(wanted.host, wanted.port)
        if way is None:
            why = f"{printable(str(wanted))} is not redirected"
            self._turn_away(self._handshake.not_allowed(), why)
            return
        self._leave()
        joint = way.forward.make_joint(
            transport.getPeer(),
            lambda names, tracking: DoorJoint(names, tracking, self._handshake),
            way.wanted,
        )
        replace_protocol(transport, joint)
        if rest:
            joint.dataReceived(rest)

    def callLater(self, period: float, func: Any) -> Any:
        """The time-out's clock (Twisted)."""
        return self.factory.reactor.callLater(period, func)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It left (Twisted)."""
        self._leave()

    def _turn_away(self, reply: bytes, why: str) -> None:
        transport: Any = self.transport
        self.factory.log.warn(
            "front door: {source} is turned away: {why}",
            source=source_text(transport.getPeer()),
            why=why,
        )
        self._leave()
        transport.write(reply)
        transport.loseConnection()

    def _leave(self) -> None:
        self.setTimeout(None)
        self.factory.waiting.discard(self)


class DoorFactory(Factory):
    """
    @param kind: makes what reads where an app wants to go.
    @ivar waiting: the apps that have not said it.
    """

    noisy = False
    log = Logger()

    def __init__(self, kind: Callable[[], Handshake], find: Find, reactor: Any) -> None:
        self._kind = kind
        self.find = find
        self.reactor = reactor
        self.waiting: set[Door] = set()

    def buildProtocol(self, addr: Any) -> Any:
        """Take a connection, unless there are too many (Twisted)."""
        if len(self.waiting) >= _MOST_WAITING:
            return None
        made = Door(self._kind())
        made.factory = self
        return made


def front_door_ports(
    settings: FrontDoor,
    find: Find,
    reactor: Any,
    failed: Callable[[str], Callable[[Failure], NoReturn]],
    ports: Any = None,
) -> Iterator[Service]:
    """
    The ports of the front door, of which there may be none.

    @param ports: opens them in place of the reactor.
    """
    kinds: tuple[tuple[HostPort | None, Callable[[], Handshake]], ...] = (
        (settings.socks_bind, SocksHandshake),
        (settings.http_bind, ConnectHandshake),
    )
    for bind, kind in kinds:
        if bind is not None:
            factory = DoorFactory(kind, find, reactor)
            endpoint = local_endpoint(ports or reactor, bind)
            yield PortService(endpoint, factory, failed(str(bind)))
