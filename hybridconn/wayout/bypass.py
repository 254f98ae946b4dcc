"""Which hosts are reached without the proxy."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final

from attrs import frozen

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_NAME: Final = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.ASCII)


@frozen
class Rule:
    """
    One exception.

    @ivar name: a host and all below it; empty for every name.
    @ivar network: these addresses, instead of a name.
    @ivar port: only there; L{None} for all ports.
    """

    name: str = ""
    network: _Network | None = None
    port: int | None = None

    def covers(self, host: str, port: int) -> bool:
        """Whether C{host}, in lower case and without brackets, is meant."""
        if self.port is not None and self.port != port:
            return False
        if self.network is not None:
            address = address_of(host)
            return address is not None and address in self.network
        return not self.name or host == self.name or host.endswith(f".{self.name}")


@frozen
class Bypass:
    """
    @ivar loopback: this machine's own addresses are exceptions too.
    """

    rules: tuple[Rule, ...] = ()
    loopback: bool = False

    def covers(self, host: str, port: int) -> bool:
        """
        Whether there is no proxy between us and C{host}.  No name is resolved for
        it: rules for addresses are for hosts that are dialled by address.
        """
        host = host.strip("[]").lower().rstrip(".")
        if self.loopback:
            address = address_of(host)
            local = address.is_loopback if address else host == "localhost"
            if local or host.endswith(".localhost"):
                return True
        return any(rule.covers(host, port) for rule in self.rules)


def parse_rule(text: str) -> Rule:
    """
    Read C{*}, C{corp.example}, C{.corp.example}, C{*.corp.example}, C{10.0.0.0/8},
    C{192.0.2.1} or C{2001:db8::/32}, each but a network with or without C{:port}.

    @raise ValueError: with a sentence on what is wrong.
    """
    text = text.strip().lower()
    try:
        return Rule(network=ipaddress.ip_network(text.strip("[]"), strict=False))
    except ValueError:
        pass
    host, port = text, None
    match = re.fullmatch(r"(.*):([0-9]{1,5})", text, re.ASCII)
    if match:
        host, port = match[1], int(match[2])
        if not 1 <= port <= 65535:
            raise ValueError(f"its port is {port}; use 1 to 65535")
    address = address_of(host.strip("[]"))
    if address is not None:
        return Rule(network=ipaddress.ip_network(address), port=port)
    if host == "*":
        return Rule(port=port)
    name = host.removeprefix("*").removeprefix(".").rstrip(".")
    if _NAME.fullmatch(name) is None:
        raise ValueError(
            "write a host, a domain such as .corp.example, a network such as"
            " 10.0.0.0/8, or *"
        )
    return Rule(name, port=port)


def parse_rules(texts: Iterable[str]) -> tuple[Rule, ...]:
    """
    Those of C{texts} that can be read: what stands in an environment variable is
    written for many programs, and some know more.
    """
    found = []
    for text in texts:
        try:
            found.append(parse_rule(text))
        except ValueError:
            continue
    return tuple(found)


def address_of(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """C{host} as an address, if it is one; IPv4 inside IPv6 is IPv4."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return mapped or address
