"""
Name look-ups that give only addresses that may be dialled, so that what is dialled
is what was checked: a name cannot lead elsewhere between the two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_address
from typing import Any, Protocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
)
from twisted.logger import Logger
from zope.interface import directlyProvides, implementer, providedBy

from hybridconn.core.host_port import REDIRECTS


class Gate(Protocol):
    """Knows what may be dialled."""

    @property
    def setting(self) -> str:
        """Where that is written down."""

    def admits(self, host: str, port: int, address: str) -> bool:
        """As L{AllowList.admits <hybridconn.core.allow_list.AllowList.admits>}."""


class Lookup:
    """
    What one look-up found.

    @ivar addresses: those that may be dialled.
    @ivar refused: those that may not.
    @ivar circular: those of a sender, which would ask us again.
    @ivar done: called once, when it is over.
    """

    def __init__(self, done: Callable[[Lookup], None] | None = None) -> None:
        self.addresses: list[str] = []
        self.refused: list[str] = []
        self.circular: list[str] = []
        self.done = done or (lambda _: None)


@implementer(IResolutionReceiver)
class _Sieve:
    """Passes on what is allowed."""

    log = Logger()

    def __init__(
        self,
        receiver: IResolutionReceiver,
        allowed: Gate,
        host: str,
        port: int,
        lookup: Lookup,
    ) -> None:
        self._receiver = receiver
        self._allowed = allowed
        self._host = host
        self._port = port
        self._lookup = lookup

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """It began (Twisted)."""
        self._receiver.resolutionBegan(resolutionInProgress)

    def addressResolved(self, address: IAddress) -> None:
        """One address (Twisted)."""
        if isinstance(address, IPv4Address | IPv6Address):
            if address.host != self._host and _is_redirect(address.host):
                self._lookup.circular.append(address.host)
                self.log.warn(
                    "target {host}:{port} is redirected on this machine, to {address}:"
                    " it is not dialled, as its sender might ask for it here",
                    host=self._host,
                    port=self._port,
                    address=address.host,
                )
                return
            if not self._allowed.admits(self._host, self._port, address.host):
                self._lookup.refused.append(address.host)
                self.log.warn(
                    "target {host}:{port} has the address {address}, which is not in"
                    " {setting}: it is not dialled",
                    host=self._host,
                    port=self._port,
                    address=address.host,
                    setting=self._allowed.setting,
                )
                return
            self._lookup.addresses.append(address.host)
        self._receiver.addressResolved(address)

    def resolutionComplete(self) -> None:
        """That was all (Twisted)."""
        self._lookup.done(self._lookup)
        self._receiver.resolutionComplete()


def _is_redirect(address: str) -> bool:
    return ip_address(address.partition("%")[0]) in REDIRECTS


@implementer(IHostnameResolver)
class _GuardedResolver:
    def __init__(
        self, resolver: IHostnameResolver, allowed: Gate, lookup: Lookup | None
    ) -> None:
        self._resolver = resolver
        self._allowed = allowed
        self._lookup = lookup

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        """Look up, and sift (Twisted)."""
        sieve = _Sieve(
            resolutionReceiver,
            self._allowed,
            hostName,
            portNumber,
            self._lookup or Lookup(),
        )
        return self._resolver.resolveHostName(
            sieve, hostName, portNumber, addressTypes, transportSemantics
        )


class GuardedReactor:
    """
    A reactor by whose names only allowed addresses are found.

    @param lookup: told of the look-up that is made with it.
    """

    def __init__(
        self, reactor: Any, allowed: Gate, lookup: Lookup | None = None
    ) -> None:
        self._reactor = reactor
        if IReactorPluggableNameResolver.providedBy(reactor):
            self.nameResolver = _GuardedResolver(reactor.nameResolver, allowed, lookup)
        directlyProvides(self, *providedBy(reactor))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)
