"""Which target a probe looks at, where senders say which port they want, or do not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.config.addresses import Target
from hybridconn.config.ports import NamedPort
from hybridconn.core.commands import Accept
from hybridconn.core.probe import ProbeError, WantedPort, wanted_port
from hybridconn.interfaces import ITargetProber
from hybridconn.listener.named_ports import NamedPorts, UnknownPort
from hybridconn.listener.reject import Reject

_NO_PORTS: Final = (
    'This listener has no named ports: the sender is to have mode = "raw"'
)
_PORTS: Final = 'This listener has named ports: the sender is to have mode = "bridge"'


@implementer(ITargetProber)
class PortProber:
    """
    Looks at what the sender would be joined to, and finds the two in different modes.
    A sender that does not say what it does has C{prober}'s choice.

    @param prober: reaches the targets.
    @param ports: those with names; L{None}: there are none here.
    """

    def __init__(self, prober: ITargetProber, ports: NamedPorts | None) -> None:
        self._prober = prober
        self._ports = ports

    def find(self, accept: Accept) -> Deferred[Any]:
        """See L{ITargetProber.find}."""
        try:
            wanted = wanted_port(accept)
        except ProbeError as error:
            return fail(Reject(400, str(error)))
        if wanted is not None and (wanted.name is None) is not (self._ports is None):
            return fail(Reject(400, _NO_PORTS if self._ports is None else _PORTS))
        if self._ports is None or wanted is None or wanted.name is None:
            found: Deferred[Any] = self._prober.find(accept)
            return found
        return self._ports.find(wanted.name).addCallbacks(
            _target, _unknown, callbackArgs=(wanted,)
        )

    def look(
        self,
        target: Any,
        factory: Any,
        looked_up: Callable[[Sequence[str]], object] | None = None,
        timeout: float | None = None,
    ) -> Deferred[Any]:
        """See L{ITargetProber.look}."""
        looking: Deferred[Any] = self._prober.look(target, factory, looked_up, timeout)
        return looking


def _target(port: NamedPort, wanted: WantedPort) -> Target:
    if port.datagrams is not wanted.datagrams:
        kind = "UDP" if port.datagrams else "TCP"
        raise Reject(400, f"port {wanted.name} of the listener is for {kind}")
    return port.place


def _unknown(failure: Failure) -> Failure:
    if failure.check(UnknownPort):
        return Failure(Reject(404, str(failure.value)))
    return failure
