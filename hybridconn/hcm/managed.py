"""One hybrid connection as a manager listens on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from hybridconn.config.hybrid_connection import HybridConnectionTarget
from hybridconn.core.allow_list import AllowList
from hybridconn.core.commands import Accept
from hybridconn.core.probe import offers_probe
from hybridconn.hcm.connector import (
    Reached,
    WatchedConnector,
    WatchedJoint,
)
from hybridconn.hcm.health import TargetCheck, TargetHealth
from hybridconn.hcm.requests import RequestBook, RequestLine
from hybridconn.hcm.timeline import Timeline, TunnelBook
from hybridconn.interfaces import IDialer, ITunnelEnd
from hybridconn.listener.datagrams import DatagramEnd
from hybridconn.listener.forward import ForwardConnector
from hybridconn.listener.guarded import EndpointMaker, check_allowed
from hybridconn.listener.named_ports import NamedPortEnd
from hybridconn.listener.reject import Reject
from hybridconn.listener.request import ListenerRequest
from hybridconn.listener.service import TargetListener
from hybridconn.web.description import Description
from hybridconn.websocket.bridge import WebSocketEnd

#: After so many seconds a target that was not there is looked at again.
LOOK_AGAIN: Final = 30.0


class ManagedListener(TargetListener):
    """
    Notes what becomes of each sender, looks after its target, and reaches only
    targets that are allowed.

    @ivar health: of its target.
    @ivar withdrawn: it has left the relay, as its target is down.
    @ivar drained: it has left the relay until another takes its place.
    @ivar retired: it has left for good, and only tunnels may go on.
    @param book: where tunnels are noted; it outlives the listener.
    @param requests: where HTTP requests are.
    @param allowed: the targets that may be reached.
    @param changed: called when there may be something new to show.
    @param target_endpoint: makes the endpoints of targets.
    """

    log = Logger()
    withdrawn = False
    drained = False
    retired = False

    def __init__(
        self,
        one: HybridConnectionTarget,
        *,
        dialer: IDialer,
        reactor: Any,
        book: TunnelBook,
        requests: RequestBook,
        allowed: AllowList,
        changed: Callable[[], None] = lambda: None,
        target_endpoint: EndpointMaker | None = None,
        **more: Any,
    ) -> None:
        self._one = one
        self._book = book
        self._request_book = requests
        self._changed = changed
        self._target_endpoint = target_endpoint
        self._foreign: dict[ITunnelEnd, Timeline] = {}
        self.health = TargetHealth(book.wall)
        super().__init__(one, dialer, reactor, allowed=allowed, **more)
        self._check = TargetCheck(
            self._probe_now,
            self.health,
            self._looked,
            reactor,
            one.check_interval or LOOK_AGAIN,
        )

    # --- of the target ---

    @property
    def known_target(self) -> str:
        """Where senders are joined to, as far as that is known; may be empty."""
        if self._one.ports:
            return ", ".join(map(str, self._one.ports))
        if self._fixed is not None:
            return str(self._fixed)
        if self._metadata is None:
            return ", ".join(map(str, self._one.targets))
        return str(self._metadata.known or "")

    @property
    def many_targets(self) -> bool:
        """Whether senders say which target they want."""
        return self._rules is not None

    @property
    def no_target(self) -> str:
        """Why it is not known what the target is; empty if it is, or nobody asked."""
        if self._metadata is None or self._metadata.known is not None:
            return ""
        return self._metadata.error

    @property
    def forbidden(self) -> str:
        """Why what its metadata says may not be reached; empty if it may."""
        known = None if self._metadata is None else self._metadata.known
        try:
            if known is not None:
                check_allowed(self._allowed, known)
        except Reject as no:
            return no.description
        return ""

    @property
    def description(self) -> Description | None:
        """What the relay said last of the hybrid connection."""
        return None if self._metadata is None else self._metadata.description

    @property
    def checks_target(self) -> bool:
        """Whether the target is looked at from time to time."""
        return self._one.check_interval is not None

    def make_connector(
        self, entity: str, reactor: Any, timeout: float
    ) -> ForwardConnector:
        """The one that takes notes."""
        self._watched = WatchedConnector(
            lambda: self.target(),
            entity,
            reactor,
            timeout,
            self._allowed,
            self._book,
            self._target_endpoint,
            self._rules,
        )
        return self._watched

    def probe(self, timeout: float | None = None) -> Deferred[Reached]:
        """
        See whether the target takes a connection.

        @return: fails with L{Reject}.
        """

        def taken(reached: Reached) -> Reached:
            self.health.reached(reached.seconds, reached.address)
            return reached

        def failed(failure: Any) -> Any:
            if failure.check(Reject):
                self.health.missed(failure.value.description)
            return failure

        def noted(result: Any) -> Any:
            self._heed_health()
            self._changed()
            return result

        probed: Deferred[Any] = self._watched.probe(timeout)
        return probed.addCallbacks(taken, failed).addBoth(noted)

    def _probe_now(self) -> Deferred[Reached]:
        if (self.withdrawn or self.drained) and self._metadata is not None:
            # Nobody else asks, while it is not online, where the target is now.
            read: Deferred[Any] = self._metadata.read()
            return read.addCallback(
                lambda _: self._watched.probe(self._one.check_timeout)
            )
        return self._watched.probe(self._one.check_timeout)

    def _looked(self) -> None:
        if not self.running:
            return
        if self.drained or not self._one.withdraw:
            self._heed_health()
            self._changed()
            return
        if self.health.reachable and self.withdrawn:
            self.withdrawn = False
            self.log.info("{entity}: its target is there again", entity=self.entity)
            self.channel.start()
        elif self.health.reachable is False and not self.withdrawn:
            self.withdrawn = True
            self.log.warn(
                "{entity}: leaves the relay: {error}",
                entity=self.entity,
                error=self.health.error,
            )
            self.leave()
        self._changed()

    def _heed_health(self) -> None:
        """Look again after a failure, so that it is not told for ever."""
        if self.checks_target:
            return
        if self.health.error and self.running:
            self._check.start(now=False)
        else:
            self._check.stop()

    # --- its life ---

    def begin(self) -> None:
        """Go to the relay; first to the target, if without it that is of no use."""
        if self.drained:
            pass
        elif not self._one.withdraw:
            super().begin()
        else:
            self.withdrawn = True
            self.health.error = "its target was not looked at yet"
        if self.checks_target:
            self._check.start()

    def leave(self) -> Deferred[None]:
        """Take no more senders, and ask for the target no more."""
        if self._metadata is not None and not self.withdrawn:
            self._metadata.stop()
        return super().leave()

    def drain(self) -> Deferred[None]:
        """
        Take no more senders; tunnels that run go on, and the target is looked at.

        @return: fires when the control channel is closed.
        """
        self.drained = True
        self.withdrawn = False
        return self.leave()

    def retire(self) -> Deferred[None]:
        """
        Be over, for another takes its place; tunnels that run go on.

        @return: fires when the control channel is closed.
        """
        self.retired = True
        self._check.stop()
        if self._metadata is not None:
            self._metadata.stop()
        return self.leave()

    def stopService(self) -> Deferred[Any]:
        """Look at the target no more (Twisted)."""
        self._check.stop()
        return super().stopService()

    def online(self) -> None:
        """Registered at the relay."""
        super().online()
        self._book.registrations += 1
        self._changed()

    def offline(self, reason: str) -> None:
        """Not, or no longer, registered."""
        super().offline(reason)
        self._book.failed(reason, self.channel.tracking_id)
        self._changed()

    # --- its senders ---

    def accept_requested(self, accept: Accept) -> Deferred[None] | None:
        """
        While the target is known to be down, say so at once.

        @raise Reject: it is.
        """
        down = self.checks_target and self.health.reachable is False
        if down and not (self._one.answer_probes and offers_probe(accept)):
            raise Reject(502, self.health.error)
        return super().accept_requested(accept)

    def respond(self, request: ListenerRequest) -> None:
        """Note what becomes of it, and answer."""
        self._request_book.watch(request, self._request_over)
        super().respond(request)

    def _request_over(self, line: RequestLine) -> None:
        if line.target_failed:
            self.health.missed(line.why)
        elif line.outcome == "answered" and not self.health.reachable:
            self.health.answered()
        else:
            return
        self._heed_health()
        self._changed()

    def sender_refused(self, accept: Accept, no: Reject) -> None:
        """Note why."""
        line = self._watched.take_line(accept)
        # What one of many targets does says nothing of the others.
        if line.target and not self.many_targets:
            self.health.missed(no.description)
            self._heed_health()
        self._book.refused_one(line, no.status, no.description)
        self._changed()

    def sender_lost(self, accept: Accept, reason: str) -> None:
        """Note it."""
        self._book.lost(self._watched.take_line(accept), reason)

    def sender_joined(self, accept: Accept, end: ITunnelEnd) -> None:
        """Begin to count."""
        super().sender_joined(accept, end)
        if isinstance(end, NamedPortEnd):
            return
        if isinstance(end, WatchedJoint):
            line = end.line
            if line.tracking_id != accept.id:  # it was dialled ahead
                self._book.begin_anew(line, accept.id)
            line.joint = end
            if not self.many_targets:
                self.health.reached(line.dialled or 0.0, line.address)
                self._heed_health()
        else:
            line = self._foreign[end] = self._watched.take_line(accept)
            line.target = self.known_target
            if isinstance(end, DatagramEnd):
                line.target = end.destination
                end.done.addCallback(lambda _: self.sender_left(accept, end))
        self._book.joined(line)
        self._changed()

    def sender_left(self, accept: Accept, end: ITunnelEnd) -> None:
        """It is over."""
        line = self._foreign.pop(end, None)
        if line is not None and isinstance(end, DatagramEnd):
            line.bytes_from_sender, line.bytes_from_target = end.bytes_in, end.bytes_out
            self._book.left(line, end.ended_by, end.why)
        elif line is not None:
            ending = end.ending if isinstance(end, WebSocketEnd) else None
            if ending is None:
                self._book.left(line, "us", "")
            else:
                line.bytes_from_sender = ending.sender_bytes
                line.bytes_from_target = ending.listener_bytes
                by = "target" if ending.ended_by == "listener" else ending.ended_by
                self._book.left(line, by, ending.why)
        self._changed()
