"""Reaches only the targets that are allowed, whatever their names lead to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure

from hybridconn.config.addresses import Target
from hybridconn.core.allow_list import AllowList
from hybridconn.core.targets import TargetRules
from hybridconn.listener.forward import ForwardConnector, TargetJoint
from hybridconn.listener.guard import GuardedReactor, Lookup
from hybridconn.listener.reject import Reject
from hybridconn.websocket.joint import Joint, JointNames


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


class GuardedConnector(ForwardConnector):
    """
    @param target: as for L{ForwardConnector}.
    @param allowed: what may be reached.
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
        endpoint: EndpointMaker | None = None,
        rules: TargetRules | None = None,
    ) -> None:
        super().__init__(target, entity, reactor, timeout, rules=rules)
        self._allowed = allowed
        self._gate = rules or allowed
        self._make_endpoint = endpoint or _own_endpoint

    def dial(self, target: Target, names: JointNames) -> Deferred[Joint]:
        """Reach C{target} if it is allowed, for one sender."""
        lookup = Lookup()
        try:
            endpoint = self.endpoint(target, lookup)
        except Reject as no:
            return fail(no)
        opening = self.open(endpoint, target, lambda: TargetJoint(names))
        return opening.addErrback(self.name_refused, lookup)

    def dial_datagrams(self, target: Target, names: JointNames) -> Deferred[Any]:
        """Have a UDP port to C{target} if it is allowed, for one sender."""
        try:
            check_allowed(self._allowed, target)
        except Reject as no:
            return fail(no)
        lookup = Lookup()
        reactor = GuardedReactor(self._reactor, self._gate, lookup)
        opening = self.open_datagrams(reactor, target, names)
        return opening.addErrback(self.name_refused, lookup)

    # --- for subclasses ---

    def endpoint(self, target: Target, lookup: Lookup) -> IStreamClientEndpoint:
        """
        The way to C{target}; what is dialled by it is what was checked.

        @raise Reject: it is not allowed.
        """
        check_allowed(self._allowed, target)
        reactor = GuardedReactor(self._reactor, self._gate, lookup)
        return self._make_endpoint(target, reactor, self._timeout)

    def name_refused(self, failure: Failure, lookup: Lookup) -> Failure:
        """The reason as the sender gets it, if its name led to nothing allowed."""
        no = failure.value
        if lookup.circular and not lookup.addresses and isinstance(no, Reject):
            words = f"The target's name is redirected there, to {lookup.circular[0]}"
            return Failure(Reject(502, f"{words}: it would come back"))
        if lookup.refused and not lookup.addresses and isinstance(no, Reject):
            what = ", ".join(lookup.refused[:4])
            words = f"The target's address {what} is not in {self._gate.setting}"
            return Failure(Reject(403, words))
        return failure


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
        raise Reject(403, f"The target {target} is not in {allowed.setting}")
