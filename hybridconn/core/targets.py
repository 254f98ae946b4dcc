"""
Which target a sender wants, where one hybrid connection leads to many.

The sender says C{HybridConn-Target: host:port} among the headers of its handshake,
which the listener gets as connect headers (relay-protocol section 5.1); on a tunnel
for many connections it says so with each of them (L{hybridconn.core.reuse}).  The
listener decides.

    >>> rules = TargetRules(map(AllowedTarget.parse, ["*.apps.corp:443"]))
    >>> rules.may_admit("one.apps.corp", 443)
    True
    >>> rules.admits("one.apps.corp", 443, "10.1.2.3")
    True
    >>> rules.admits("one.apps.corp", 443, "169.254.169.254")
    False
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import Final

from attrs import evolve

from hybridconn.core.allow_list import AllowedTarget, AllowList
from hybridconn.core.commands import Accept
from hybridconn.core.host_port import HostPort, check_name, parse_host_port

#: The header, or the connect header, with what the sender wants.
TARGET_HEADER: Final = "HybridConn-Target"


class TargetError(ValueError):
    """What a sender wants is no host and port; says why in a sentence."""


def parse_wanted(text: str) -> HostPort:
    """
    Read what a sender wants.

    @return: a name in lower case and without a dot at its end, or an address in its
        usual form; and a port.
    @raise TargetError: it is none.
    """
    try:
        found = parse_host_port(text)
        host = found.host.lower().removesuffix(".")
        try:
            address = ip_address(host)
        except ValueError:
            check_name(host)
            return HostPort(host, found.port)
        if getattr(address, "scope_id", None):
            raise ValueError("an address with a zone means nothing elsewhere")
        return HostPort(str(address), found.port)
    except ValueError as error:
        raise TargetError(str(error)) from None


def wanted_target(accept: Accept) -> HostPort | None:
    """
    What the sender of an C{accept} wants; L{None} if it does not say.

    @raise TargetError: it says something that is no host and port.
    """
    text = accept.header(TARGET_HEADER)
    return None if text is None else parse_wanted(text.strip())


def with_target(accept: Accept, target: str) -> Accept:
    """The same for one more connection, to another target."""
    headers = {
        name: value
        for name, value in accept.connect_headers.items()
        if name.lower() != TARGET_HEADER.lower()
    }
    return evolve(accept, connect_headers={**headers, TARGET_HEADER: target})


class TargetRules:
    """
    The targets that senders of one hybrid connection may want.

    They choose the name, and whoever rules its zone chooses the address.  So a name
    never leads to loopback, to link-local addresses and the like, unless
    that very address is listed; C{localhost}, listed by name, leads to loopback.

    @param entries: what is listed.
    @param bounds: what may be reached at all, whatever is listed here.
    """

    def __init__(
        self, entries: Iterable[AllowedTarget], bounds: AllowList | None = None
    ) -> None:
        self.listed = AllowList(entries, wary=True)
        self._bounds = bounds or AllowList()

    @property
    def setting(self) -> str:
        """Where entries are written down."""
        return f"targets and {AllowList.setting}" if self._bounds else "targets"

    def may_admit(self, host: str, port: int) -> bool:
        """Whether there can be an address for which L{admits} says yes."""
        return all(one.may_admit(host, port) for one in (self.listed, self._bounds))

    def admits(self, host: str, port: int, address: str) -> bool:
        """As L{AllowList.admits}."""
        return all(
            one.admits(host, port, address) for one in (self.listed, self._bounds)
        )
