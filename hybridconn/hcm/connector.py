"""
Reaches targets for senders: only those that are allowed, and with a note of every
step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.config.addresses import HostPort, Target
from hybridconn.config.ports import UdpTarget
from hybridconn.core.allow_list import AllowList
from hybridconn.core.commands import Accept
from hybridconn.core.targets import TargetRules
from hybridconn.hcm.timeline import Timeline, TunnelBook
from hybridconn.interfaces import ITargetProber
from hybridconn.listener.datagrams import resolve
from hybridconn.listener.forward import TargetJoint
from hybridconn.listener.guard import GuardedReactor, Lookup
from hybridconn.listener.guarded import (
    EndpointMaker,
    GuardedConnector,
    check_allowed,
)
from hybridconn.listener.reject import Reject
from hybridconn.listener.trouble import target_trouble
from hybridconn.websocket.client import with_timeout
from hybridconn.websocket.joint import Joint, JointNames
from hybridconn.websocket.words import is_surprise


@frozen
class Reached:
    """
    A target took a connection.

    @ivar seconds: how long that took, its name and all.
    @ivar address: by which; empty if it is no host and port, or an address itself.
    """

    seconds: float
    address: str


class WatchedJoint(TargetJoint):
    """
    @param line: where its first byte and its end are noted.
    """

    def __init__(self, names: JointNames, line: Timeline, book: TunnelBook) -> None:
        super().__init__(names)
        self.line = line
        self._book = book
        # Until the first byte only: then the class's own method is found again.
        self.dataReceived = self._first_received  # type: ignore[method-assign]

    def _first_received(self, data: bytes) -> None:
        self.line.first_byte = self._book.now(self.line)
        del self.dataReceived
        self.dataReceived(data)

    def ended(self, seconds: float) -> None:
        """Note how it ended."""
        super().ended(seconds)
        self._book.left(self.line, self.ended_by, self.why, self.close_code)


@implementer(ITargetProber)
class WatchedConnector(GuardedConnector):
    """
    @param target: as for L{ForwardConnector}.
    @param allowed: what may be reached.
    @param book: where it is written down.
    @param endpoint: makes endpoints.
    @param rules: what senders may want, within C{allowed}.
    """

    def __init__(
        self,
        target: Callable[[], Target | Deferred[Target]],
        entity: str,
        reactor: Any,
        timeout: float,
        allowed: AllowList,
        book: TunnelBook,
        endpoint: EndpointMaker | None = None,
        rules: TargetRules | None = None,
    ) -> None:
        super().__init__(target, entity, reactor, timeout, allowed, endpoint, rules)
        self._book = book
        self._lines: dict[str, Timeline] = {}

    def connect(self, accept: Accept) -> Deferred[Joint]:
        """See L{ITargetConnector.connect <hybridconn.interfaces>}."""
        self._lines[accept.id] = line_of(self._book, accept)
        return super().connect(accept)

    def reach(
        self, accept: Accept, target: Target, datagrams: bool = False
    ) -> Deferred[Any]:
        """Reach one target for one sender, whom L{connect} may not know."""
        self._lines.setdefault(accept.id, line_of(self._book, accept))
        return super().reach(accept, target, datagrams)

    def take_line(self, accept: Accept) -> Timeline:
        """The notes of a sender for whom there will be no tunnel."""
        return self._lines.pop(accept.id, None) or line_of(self._book, accept)

    def dial(self, target: Target, names: JointNames) -> Deferred[Joint]:
        """Reach C{target} if it is allowed, for one sender."""
        line = self._lines.get(names.tracking_id)
        if line is None:  # given up meanwhile
            line = self._book.begin(names.tracking_id, names.source)
        notes = line
        notes.target = str(target)

        def looked_up(found: Lookup) -> None:
            notes.looked_up = self._book.now(notes)
            notes.address = ", ".join(found.addresses[:4])

        def reached(joint: Joint) -> Joint:
            notes.dialled = self._book.now(notes)
            self._lines.pop(names.tracking_id, None)
            return joint

        lookup = Lookup(looked_up)
        try:
            endpoint = self.endpoint(target, lookup)
        except Reject as no:
            return fail(no)
        opening = self.open(
            endpoint, target, lambda: WatchedJoint(names, notes, self._book)
        )
        return opening.addCallbacks(reached, self.name_refused, errbackArgs=(lookup,))

    def probe(self, timeout: float | None = None) -> Deferred[Reached]:
        """
        See whether the target takes a connection, and end it.

        @param timeout: seconds; by default as for senders.
        @return: fails with L{Reject}, whose words say why not.
        """
        found: Deferred[Any] = maybeDeferred(self._target)
        return found.addCallback(self.probe_target, timeout)

    def probe_target(
        self, target: Target, timeout: float | None = None
    ) -> Deferred[Reached]:
        """The same for any target."""
        began = self._clock.seconds()
        found: list[str] = []

        def taken(protocol: Any) -> Reached:
            protocol.transport.loseConnection()
            return Reached(self._clock.seconds() - began, ", ".join(found[:4]))

        factory: Any = Factory.forProtocol(TwistedProtocol)
        factory.noisy = False
        return self.look(target, factory, found.extend, timeout).addCallback(taken)

    def look(
        self,
        target: Target,
        factory: IProtocolFactory,
        looked_up: Callable[[Sequence[str]], object] | None = None,
        timeout: float | None = None,
    ) -> Deferred[Any]:
        """See L{ITargetProber.look}."""
        patience = timeout or self._timeout
        where: Target = target
        if target.http is not None:
            where = Target(str(target), HostPort(target.http.host, target.http.port))

        def done(found: Lookup) -> None:
            if looked_up is not None:
                looked_up(found.addresses)

        lookup = Lookup(done)

        def explain_miss(failure: Failure) -> Failure:
            if is_surprise(failure):
                return failure
            return Failure(Reject(502, target_trouble(failure, str(target), patience)))

        try:
            dialled: Deferred[Any]
            if isinstance(target, UdpTarget):
                dialled = self._look_up(target, lookup)
            else:
                dialled = self.endpoint(where, lookup).connect(factory)
        except Reject as no:
            return fail(no)
        dialled = with_timeout(dialled, self._clock, patience)
        return dialled.addErrback(explain_miss).addErrback(self.name_refused, lookup)

    def _look_up(self, target: UdpTarget, lookup: Lookup) -> Deferred[None]:
        """
        Find its name, which is all that can be seen of it.

        @raise Reject: it is not allowed.
        """
        check_allowed(self._allowed, target)
        assert target.host_port is not None
        reactor = GuardedReactor(self._reactor, self._gate, lookup)
        found = resolve(reactor, target.host_port.host, target.host_port.port)
        return found.addCallback(lambda _: None)


def line_of(book: TunnelBook, accept: Accept) -> Timeline:
    """Begin the notes of one sender."""
    return book.begin(accept.id, f"{accept.remote_address}:{accept.remote_port}")
