"""
The target of a listener: dialled before the rendezvous, so that a sender learns
at once that it is down (reliability-security F8).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.interfaces import IReactorTime, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.config.addresses import Target
from hybridconn.core.commands import Accept
from hybridconn.core.frames import Piece
from hybridconn.core.preamble import looks_like_preamble
from hybridconn.core.targets import (
    TARGET_HEADER,
    TargetError,
    TargetRules,
    wanted_target,
)
from hybridconn.interfaces import ITargetConnector
from hybridconn.listener.datagrams import DatagramEnd, open_datagrams
from hybridconn.listener.reject import Reject
from hybridconn.listener.trouble import target_trouble
from hybridconn.listener.wanted import check_same, choose
from hybridconn.websocket.client import with_timeout
from hybridconn.websocket.joint import Joint, JointNames
from hybridconn.websocket.words import is_surprise


class TargetJoint(Joint):
    """
    A target's connection.  A sender that begins as azbridge does is told of: its bytes
    go to the target, which will not understand them.
    """

    def join(self, tunnel: Any) -> Deferred[None]:
        """See L{ITunnelEnd.join}."""
        # For the first bytes only: then the class's own method is the tunnel's.
        self.pieces_received = self._first_of_sender  # type: ignore[method-assign]
        return super().join(tunnel)

    def _first_of_sender(self, pieces: Sequence[Piece]) -> None:
        del self.pieces_received
        assert self._tunnel is not None
        self._tunnel.attach(self)
        if looks_like_preamble(pieces[0][0]):
            self.log.warn(
                "{entity}: {source} begins as azbridge does; if the target does not"
                ' understand that, say mode = "bridge" here, or "raw" there;'
                " tracking id {tracking_id}",
                entity=self.names.entity,
                source=self.names.source,
                tracking_id=self.names.tracking_id,
            )
        self.pieces_received(pieces)


@implementer(ITargetConnector)
class ForwardConnector:
    """
    Joins every sender to one TCP address, or other client endpoint.

    @param target: says where, for each sender anew; it may return a Deferred
        and fail with L{Reject}.
    @param entity: the hybrid connection's path, for the log.
    @param timeout: seconds for reaching the target, its name and all.
    @param endpoint: makes the endpoint of a target.
    @param udp_idle_time: seconds without a datagram until a way for them is closed.
    @param rules: the targets that senders may want; without them they are all joined
        to C{target}, which a sender that says what it wants must have named.
    @ivar entity: the hybrid connection's path.
    """

    def __init__(
        self,
        target: Callable[[], Target | Deferred[Target]],
        entity: str,
        reactor: Any,
        timeout: float = 10.0,
        endpoint: Callable[[Target], IStreamClientEndpoint] | None = None,
        udp_idle_time: float = 240.0,
        rules: TargetRules | None = None,
    ) -> None:
        self._target = target
        self.entity = entity
        self._reactor = reactor
        self._udp_idle_time = udp_idle_time
        self._clock: IReactorTime = reactor
        self._timeout = timeout
        self._rules = rules
        self._endpoint = endpoint or (lambda at: at.endpoint(reactor, timeout))

    def connect(self, accept: Accept) -> Deferred[Joint]:
        """See L{ITargetConnector.connect}."""
        found = self.find(accept)
        return found.addCallback(lambda target: self.reach(accept, target))

    def reach(
        self, accept: Accept, target: Target, datagrams: bool = False
    ) -> Deferred[Any]:
        """
        Reach one target for one sender.

        @param datagrams: by UDP.
        @return: fires with an L{ITunnelEnd}; fails with L{Reject}.
        """
        names = JointNames(
            entity=self.entity,
            near="target",
            far="sender",
            source=f"{accept.remote_address}:{accept.remote_port}",
            destination=str(target),
            tracking_id=accept.id,
        )
        return (self.dial_datagrams if datagrams else self.dial)(target, names)

    def find(self, accept: Accept) -> Deferred[Any]:
        """
        Where a sender is to be joined to.

        @return: fires with a L{Target}; fails with L{Reject} if there is none for it.
        """
        try:
            wanted = wanted_target(accept)
        except TargetError as error:
            no = f"What is wanted, in {TARGET_HEADER}, is no target: {error}"
            return fail(Reject(400, no))
        if self._rules is not None:
            return maybeDeferred(choose, wanted, self._rules)
        found: Deferred[Any] = maybeDeferred(self._target)
        return found if wanted is None else found.addCallback(check_same, wanted)

    # --- to be extended ---

    def dial(self, target: Target, names: JointNames) -> Deferred[Joint]:
        """
        Reach C{target} for one sender.  To be extended.

        @return: fails with L{Reject}.
        """
        return self.open(self._endpoint(target), target, lambda: TargetJoint(names))

    def dial_datagrams(self, target: Target, names: JointNames) -> Deferred[Any]:
        """
        The same by UDP.  To be extended.

        @return: fires with a L{DatagramEnd}; fails with L{Reject}.
        """
        return self.open_datagrams(self._reactor, target, names)

    # --- for subclasses ---

    def open_datagrams(
        self, reactor: Any, target: Target, names: JointNames
    ) -> Deferred[DatagramEnd]:
        """
        Have a UDP port for one sender.

        @param reactor: by whose names the target is found.
        @return: fails with L{Reject}.
        """
        assert target.host_port is not None
        opening = open_datagrams(reactor, target.host_port, names, self._udp_idle_time)
        opened: Deferred[Any] = with_timeout(opening, self._clock, self._timeout)
        return opened.addErrback(self._explain, target)

    def open(
        self,
        endpoint: IStreamClientEndpoint,
        target: Target,
        build: Callable[[], Joint],
    ) -> Deferred[Joint]:
        """
        Connect.

        @return: fails with L{Reject}.
        """
        factory: Any = Factory.forProtocol(build)
        factory.noisy = False
        dialled: Deferred[Any] = endpoint.connect(factory)
        dialled = with_timeout(dialled, self._clock, self._timeout)
        return dialled.addErrback(self._explain, target)

    def _explain(self, failure: Failure, target: Target) -> Failure:
        """The reason as the sender gets it: the target's address, no more."""
        if is_surprise(failure):
            return failure
        what = target_trouble(failure, str(target), self._timeout)
        return Failure(Reject(502, what))
