"""A local port whose connections go through a hybrid connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.core.tracking import TrackingId
from hybridconn.sender.connector import TunnelConnector
from hybridconn.websocket.client import TunnelClientProtocol
from hybridconn.websocket.closing import GOING_AWAY
from hybridconn.websocket.joint import Joint, JointNames


class AppJoint(Joint):
    """
    One connection of an app, which asks for its tunnel as soon as it is there.

    A refused tunnel breaks the app's connection, so that its driver fails fast;
    the log says why.
    """

    factory: LocalForward
    _dial: Deferred[Any] | None = None

    def __init__(self, names: JointNames, tracking: TrackingId) -> None:
        super().__init__(names)
        self._tracking = tracking

    def connectionMade(self) -> None:
        """The app is there (Twisted)."""
        super().connectionMade()
        self.factory.joints.add(self)
        dial = self.factory.connector.connect(self._tracking)
        self._dial = dial
        dial.addCallbacks(self._opened, self._refused)

    def left_early(self, reason: Failure) -> None:
        """The app went away before there was a tunnel."""
        self.factory.joints.discard(self)
        dial, self._dial = self._dial, None
        if dial is not None:
            dial.cancel()

    def _opened(self, tunnel: TunnelClientProtocol) -> None:
        self._dial = None
        if self._near_lost:
            tunnel.abort()
            self.factory.connector.forget(tunnel)
            return

        def over(_: None) -> None:
            self.factory.joints.discard(self)
            self.factory.connector.forget(tunnel)

        self.join(tunnel).addCallback(over)

    def _refused(self, failure: Failure) -> None:
        self._dial = None
        if self._near_lost:
            return  # the app left, and the dial was given up for that
        if failure.check(ConnectError):
            self.log.warn(
                "{entity}: no tunnel for {source}: {reason}",
                entity=self.names.entity,
                source=self.names.source,
                reason=str(failure.value),
            )
        else:
            self.log.failure("{entity}: no tunnel", failure, entity=self.names.entity)
        self.abandon()


class LocalForward(Factory):
    """
    The protocol factory of one local port.

    @ivar connector: opens the tunnels.
    @ivar joints: the app's connections that are here now.
    """

    noisy = False
    log = Logger()
    protocol: type[AppJoint] = AppJoint  # type: ignore[assignment]  # has arguments

    def __init__(self, connector: TunnelConnector) -> None:
        self.connector = connector
        self.joints: set[AppJoint] = set()

    def buildProtocol(self, addr: Any) -> Any:
        """Take a connection of the app (Twisted)."""
        connector = self.connector
        tracking = connector.new_tracking()
        names = JointNames(
            entity=connector.entity,
            near="app",
            far="listener",
            source=f"{getattr(addr, 'host', addr)}:{getattr(addr, 'port', '')}",
            destination=connector.authority,
            tracking_id=str(tracking),
        )
        joint = self.protocol(names, tracking)
        joint.factory = self
        return joint

    def close_all(self) -> None:
        """The sender stops: end what is open."""
        for joint in tuple(self.joints):
            joint.end(GOING_AWAY, b"the sender stops")
