"""
Reaches targets for senders: only those that are allowed, and with a note of every
step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from attrs import frozen
from twisted.internet.defer import Deferred, fail, maybeDeferred
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.internet.protocol import Factory
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.config.addresses import HostPort, Target
from hybridconn.core.allow_list import AllowList
from hybridconn.core.commands import Accept
from hybridconn.hcm.guard import GuardedReactor, Lookup
from hybridconn.hcm.timeline import Timeline, TunnelBook
from hybridconn.interfaces import ITargetProber
from hybridconn.listener.forward import ForwardConnector
from hybridconn.listener.reject import Reject
from hybridconn.listener.trouble import target_trouble
from hybridconn.websocket.client import with_timeout
from hybridconn.websocket.joint import Joint, JointNames
from hybridconn.websocket.words import is_surprise


class EndpointMaker(Protocol):
    """Makes the endpoint of a target."""

    def __call__(
        self, target: Target, reactor: Any, timeout: float
    ) -> IStreamClientEndpoint:
        """C{reactor} is the one by whose names it is found."""


def _own_endpoint(
    target: Target, reactor: Any, timeout: float
) -> IStreamClientEndpoint:
    return target.endpoint(reactor, timeout)


@frozen
class Reached:
    """
    A target took a connection.

    @ivar seconds: how long that took, its name and all.
    @ivar address: by which; empty if it is no host and port, or an address itself.
    """

    seconds: float
    address: str


class WatchedJoint(Joint):
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
class WatchedConnector(ForwardConnector):
    """
    @param target: as for L{ForwardConnector}.
    @param allowed: what may be reached.
    @param book: where it is written down.
    @param endpoint: makes endpoints.
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
    ) -> None:
        super().__init__(target, entity, reactor, timeout)
        self._reactor = reactor
        self._allowed = allowed
        self._book = book
        self._make_endpoint = endpoint or _own_endpoint
        self._lines: dict[str, Timeline] = {}

    def connect(self, accept: Accept) -> Deferred[Joint]:
        """See L{ITargetConnector.connect <hybridconn.interfaces>}."""
        self._lines[accept.id] = line_of(self._book, accept)
        return super().connect(accept)

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
        return opening.addCallbacks(reached, self._name_refused, errbackArgs=(lookup,))

    def endpoint(self, target: Target, lookup: Lookup) -> IStreamClientEndpoint:
        """
        The way to C{target}.

        @raise Reject: it is not allowed.
        """
        check_allowed(self._allowed, target)
        reactor = GuardedReactor(self._reactor, self._allowed, lookup)
        return self._make_endpoint(target, reactor, self._timeout)

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

    def find(self, accept: Accept) -> Deferred[Target]:
        """See L{ITargetProber.find}."""
        found: Deferred[Any] = maybeDeferred(self._target)
        return found

    def look(
        self,
        target: Target,
        factory: IProtocolFactory,
        looked_up: Callable[[Sequence[str]], object] | None = None,
        timeout: float | None = None,
    ) -> Deferred[Any]:
        """See L{ITargetProber.look}."""
        patience = timeout or self._timeout
        where = target
        if target.http is not None:
            where = Target(str(target), HostPort(target.http.host, target.http.port))

        def done(found: Lookup) -> None:
            if looked_up is not None:
                looked_up(found.addresses)

        lookup = Lookup(done)
        try:
            endpoint = self.endpoint(where, lookup)
        except Reject as no:
            return fail(no)

        def explain_miss(failure: Failure) -> Failure:
            if is_surprise(failure):
                return failure
            return Failure(Reject(502, target_trouble(failure, str(target), patience)))

        dialled: Deferred[Any] = endpoint.connect(factory)
        dialled = with_timeout(dialled, self._clock, patience)
        return dialled.addErrback(explain_miss).addErrback(self._name_refused, lookup)

    def _name_refused(self, failure: Failure, lookup: Lookup) -> Failure:
        no = failure.value
        if lookup.refused and not lookup.addresses and isinstance(no, Reject):
            what = ", ".join(lookup.refused[:4])
            return Failure(
                Reject(403, f"The target's address {what} is not in allow_targets")
            )
        return failure


def line_of(book: TunnelBook, accept: Accept) -> Timeline:
    """Begin the notes of one sender."""
    return book.begin(accept.id, f"{accept.remote_address}:{accept.remote_port}")


def check_allowed(allowed: AllowList, target: Target) -> None:
    """
    @raise Reject: C{target} cannot be allowed, whatever its name leads to.
    """
    if target.http is not None:
        good = allowed.may_admit(target.http.host, target.http.port)
    elif target.host_port is not None:
        good = allowed.may_admit(target.host_port.host, target.host_port.port)
    else:
        good = allowed.admits_text(target.text)
    if not good:
        raise Reject(403, f"The target {target} is not in allow_targets")
