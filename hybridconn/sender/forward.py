"""A local port whose connections go through a hybrid connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.config.sender import SpareTunnels
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.tracking import TrackingId
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.errors import HybridConnectionError
from hybridconn.sender.pool import CarrierLost, TunnelPool
from hybridconn.sender.preamble import PreambleTunnels
from hybridconn.websocket.closing import GOING_AWAY
from hybridconn.websocket.joint import Joint, JointNames
from hybridconn.websocket.reuse import Stream

#: Seconds that connections have for their end once they are told to end.
_PATIENCE = 5.0


def source_text(addr: Any) -> str:
    """Where an app is, for the log."""
    return f"{addr.host}:{addr.port}" if hasattr(addr, "port") else str(addr)


class AppJoint(Joint):
    """
    One connection of an app, which asks for its tunnel as soon as it is there.

    A tunnel that is ready is used at once.  The app's first byte decides: after
    it a tunnel that turns out to be dead breaks the connection, before it the
    next tunnel is tried, since nothing can have arrived twice.

    A refused tunnel breaks the app's connection, so that its driver fails fast;
    the log says why.
    """

    factory: LocalForward
    _dial: Deferred[Any] | None = None
    _stream: Stream | None = None
    _refused = False
    #: What is wanted of the listener; empty: what it is there for.
    wanted = ""

    def __init__(self, names: JointNames, tracking: TrackingId) -> None:
        super().__init__(names)
        self._tracking = tracking

    def connectionMade(self) -> None:
        """The app is there (Twisted)."""
        super().connectionMade()
        self.factory.joints.add(self)
        self._ask()

    def dataReceived(self, data: bytes) -> None:
        """The app says something (Twisted)."""
        super().dataReceived(data)
        if self._stream is not None:
            self._use(self._stream)

    def left_early(self, reason: Failure) -> None:
        """The app went away before there was a tunnel."""
        self.factory.gone(self)
        dial, self._dial = self._dial, None
        stream, self._stream = self._stream, None
        if dial is not None:
            dial.cancel()
        if stream is not None:
            stream.drop()

    def refused(self, failure: Failure) -> None:
        """There is no tunnel, and the log says why.  To be extended."""
        self.abandon()

    def tunnel_lost(self, reason: Failure) -> None:
        """The tunnel is gone, or there was none after all."""
        if reason.check(HybridConnectionError):
            self._refused = True
            self._say_why(reason)
        super().tunnel_lost(reason)

    def ended(self, seconds: float) -> None:
        """Both connections are gone."""
        if not self._refused:
            super().ended(seconds)

    def _ask(self) -> None:
        carrier = self.factory.pool.take()
        if carrier is None:
            self._dial = dial = self.factory.pool.connect(self._tracking, self.wanted)
            dial.addCallbacks(self._opened, self._failed)
            return
        self._stream, opening = carrier.open(
            str(self._tracking), self.factory.pool.open_timeout, self.wanted
        )
        opening.addCallbacks(
            self._target_there,
            self._target_refused,
            callbackArgs=(self._stream,),
            errbackArgs=(self._stream,),
        )

    def _target_there(self, _: None, stream: Stream) -> None:
        if self._stream is stream:
            self._use(stream)

    def _target_refused(self, failure: Failure, stream: Stream) -> None:
        if self._stream is not stream:
            return  # it is in use, and says by itself that it is lost
        self._stream = None
        if failure.check(CarrierLost):
            self._ask()
        else:
            self._failed(failure)

    def _use(self, stream: Stream) -> None:
        self._stream = None
        self.join(stream).addCallback(lambda _: self.factory.gone(self))

    def _opened(self, tunnel: Any) -> None:
        self._dial = None
        if self._near_lost:
            tunnel.abort()
            self.factory.connector.forget(tunnel)
            return

        def over(_: None) -> None:
            self.factory.gone(self)
            self.factory.connector.forget(tunnel)

        self.join(tunnel).addCallback(over)

    def _failed(self, failure: Failure) -> None:
        self._dial = None
        if self._near_lost:
            return  # the app left, and the dial was given up for that
        self._say_why(failure)
        self.refused(failure)

    def _say_why(self, failure: Failure) -> None:
        if failure.check(ConnectError):
            self.log.warn(
                "{entity}: no tunnel for {source}: {reason}",
                entity=self.names.entity,
                source=self.names.source,
                reason=str(failure.value),
            )
        else:
            self.log.failure("{entity}: no tunnel", failure, entity=self.names.entity)


class LocalForward(Factory):
    """
    The protocol factory of one local port.

    @ivar connector: opens the tunnels.
    @ivar pool: keeps them for the next connection.
    @ivar joints: the app's connections that are here now.
    @param port_name: of the listener's, if it wants azbridge's preamble.
    @param wanted: the C{host:port} that is wanted of the listener.
    @param many: each connection wants its own, by L{make_joint} or L{toward}.
    """

    noisy = False
    log = Logger()
    protocol: type[AppJoint] = AppJoint  # type: ignore[assignment]  # has arguments

    def __init__(
        self,
        connector: TunnelConnector,
        spare_tunnels: SpareTunnels | None = None,
        wanted: str = "",
        many: bool = False,
        port_name: str | None = None,
    ) -> None:
        self.connector = connector
        self._wanted = wanted
        settings, clock = spare_tunnels or SpareTunnels(), connector.clock
        self.pool = (
            TunnelPool(connector, settings, clock, targeted=many or bool(wanted))
            if port_name is None
            else PreambleTunnels(connector, port_name)
        )
        self.joints: set[AppJoint] = set()
        self._waiting: list[Deferred[None]] = []

    def buildProtocol(self, addr: Any) -> Any:
        """Take a connection of the app (Twisted)."""
        return self.make_joint(addr, self.protocol)

    def toward(self, wanted: str) -> IProtocolFactory:
        """The factory of a port whose connections all want one target, or none."""
        return _Toward(self, wanted) if wanted else self

    def make_joint(
        self,
        addr: Any,
        kind: Callable[[JointNames, TrackingId], AppJoint],
        wanted: str = "",
    ) -> AppJoint:
        """
        Make the protocol of one connection of the app.

        @param addr: where the app is.
        @param wanted: what it wants of the listener, if that is not the same for all.
        """
        wanted = wanted or self._wanted
        connector = self.connector
        tracking = connector.new_tracking()
        names = JointNames(
            entity=connector.entity,
            near="app",
            far="listener",
            source=source_text(addr),
            destination=wanted or connector.authority,
            tracking_id=str(tracking),
        )
        joint = kind(names, tracking)
        joint.factory = self
        joint.wanted = wanted
        return joint

    def renew(self, connection: ConnectionString) -> None:
        """
        Use another key for new tunnels; the connections that are here stay.

        @param connection: to the same hybrid connection.
        """
        self.connector.renew(connection)
        self.pool.begin_anew()

    def gone(self, joint: AppJoint) -> None:
        """A connection is over (called by it)."""
        self.joints.discard(joint)
        if not self.joints:
            waiting, self._waiting = self._waiting, []
            for deferred in waiting:
                deferred.callback(None)

    def close_all(self) -> None:
        """The sender stops: end what is open."""
        self.pool.stop()
        for joint in tuple(self.joints):
            joint.end(GOING_AWAY, b"the sender stops")

    def drain(self, seconds: float) -> Deferred[None]:
        """
        Open no more tunnels, and let what is open go on for a while.

        @param seconds: after which it is ended.
        @return: fires when nothing is open any more; five seconds after the end
            at the latest.
        """
        self.pool.stop()
        done: Deferred[None] = Deferred()
        if not self.joints:
            done.callback(None)
            return done
        self._waiting.append(done)
        clock = self.connector.clock
        ending = clock.callLater(seconds, self.close_all)
        leaving = clock.callLater(seconds + _PATIENCE, self._leave, done)

        def over(_: None) -> None:
            for timer in (ending, leaving):
                if timer.active():
                    timer.cancel()

        return done.addCallback(over)

    def _leave(self, done: Deferred[None]) -> None:
        self._waiting.remove(done)
        done.callback(None)


class _Toward(Factory):
    """A port of a forward to many targets: all that comes by it wants this one."""

    noisy = False

    def __init__(self, forward: LocalForward, wanted: str) -> None:
        self._forward = forward
        self._wanted = wanted

    def buildProtocol(self, addr: Any) -> Any:
        """Take a connection of the app (Twisted)."""
        forward = self._forward
        return forward.make_joint(addr, forward.protocol, self._wanted)
