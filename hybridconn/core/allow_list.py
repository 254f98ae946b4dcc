"""
Which targets a listener may reach, whatever the metadata of its hybrid connections
says.

    >>> entries = map(AllowedTarget.parse, ["*.corp:1433", "10.0.0.0/8:80-90"])
    >>> allowed = AllowList(entries)
    >>> allowed.admits("db.corp", 1433, "192.0.2.7")
    True
    >>> allowed.admits("db.corp", 22, "10.1.1.1")
    False
    >>> allowed.admits("db.corp", 1433, "169.254.169.254")
    False
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from attrs import frozen

from hybridconn.core.names import fold

_Address = IPv4Address | IPv6Address

_ENTRY = re.compile(
    r"(?:\[(?P<v6>[^\[\]]+)\]|(?P<host>[^:\[\]\s]+)):(?P<ports>\*|\d{1,5}(?:-\d{1,5})?)",
    re.ASCII,
)
_NAME = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?\.?", re.ASCII)
_UNIX = "unix:"
#: RFC 1122 section 3.2.1.3: nobody's, and this machine to some systems.
_THIS_NETWORK = IPv4Network("0.0.0.0/8")
_BROADCAST = IPv4Address("255.255.255.255")
#: Where clouds tell a machine its own secrets: Azure, Amazon, Alibaba, Oracle.  The
#: others are link-local.
_METADATA: Final = frozenset(
    map(
        ip_address,
        ("168.63.129.16", "fd00:ec2::254", "100.100.100.200", "192.0.0.192"),
    )
)
#: RFC 6052 section 2.1.
_NAT64 = IPv6Network("64:ff9b::/96")
#: RFC 4291 section 2.5.5.1; among them are C{::} and C{::1}.
_COMPATIBLE = IPv6Network("::/96")


@frozen
class AllowedTarget:
    """
    One entry.

    @ivar text: as it was written.
    @ivar name: in lower case, C{*.} in front of it for all names below it, C{*} for
        all; empty if it is about addresses or a UNIX socket.
    @ivar network: addresses.
    @ivar low: the first port.
    @ivar high: the last one.
    """

    text: str
    name: str = ""
    network: IPv4Network | IPv6Network | None = None
    low: int = 0
    high: int = 0

    @classmethod
    def parse(cls, text: str) -> AllowedTarget:
        """
        Read C{host:port}, where host is a name, C{*.name}, C{*}, an address or a
        network such as C{10.0.0.0/8} or C{[fd00::/8]}, and port is one, a range or
        C{*}; or C{unix:/path}.

        @raise ValueError: with a sentence on what is wrong.
        """
        if text.startswith(_UNIX):
            return cls(text)
        match = _ENTRY.fullmatch(text)
        if match is None:
            raise ValueError(
                "write it as host:port, with a name, *.name, an address or a network "
                "such as 10.0.0.0/8 for the host, and a port, a range or * for the port"
            )
        low, high = _ports(match["ports"])
        host = match["v6"] or match["host"]
        if host == "*":
            return cls(text, "*", None, low, high)
        try:
            return cls(text, "", ip_network(host), low, high)
        except ValueError:
            pass
        if match["v6"] or "/" in host or re.fullmatch(r"[0-9.]+", host):
            try:
                ip_network(host, strict=False)
            except ValueError:
                raise ValueError("its host is no address and no network") from None
            raise ValueError(
                "its network has bits behind the prefix; write "
                f"{ip_network(host, strict=False)}"
            )
        name = fold(host)
        if not _NAME.fullmatch(name):
            raise ValueError("its host is no name; a * stands in front only, as *.corp")
        return cls(text, name.rstrip("."), None, low, high)

    def has_port(self, port: int) -> bool:
        """Whether it is about C{port}."""
        return self.low <= port <= self.high

    def __str__(self) -> str:
        return self.text


def _ports(text: str) -> tuple[int, int]:
    if text == "*":
        return 1, 65535
    first, _, last = text.partition("-")
    low, high = int(first), int(last or first)
    if not 1 <= low <= high <= 65535:
        raise ValueError("its ports are not from 1 to 65535 in order")
    return low, high


class AllowList:
    """
    An address is good if an entry has it or its network; or if an entry has the very
    name that led to it; or a wildcard, then unless the address is this machine's own,
    link-local or the like, where whoever rules a zone has no business.

    @param entries: none: everything is allowed.
    @param wary: somebody else chooses the names.  Then no name and no C{*} allows
        such an address; but C{localhost}, by name, allows loopback.
    @ivar setting: where entries are written down.
    """

    setting: Final = "allow_targets"

    def __init__(
        self, entries: Iterable[AllowedTarget] = (), wary: bool = False
    ) -> None:
        self.entries = tuple(entries)
        self._wary = wary

    def __bool__(self) -> bool:
        return bool(self.entries)

    def may_admit(self, host: str, port: int) -> bool:
        """Whether there can be an address for which L{admits} says yes."""
        if not self.entries:
            return True
        if _address(host) is not None:
            return self.admits(host, port, host)
        return any(
            one.network is not None or one.name in _names(host)
            for one in self._for_port(port)
        )

    def admits(self, host: str, port: int, address: str) -> bool:
        """
        @param host: the name, or address, by which the target is called.
        @param address: that it was resolved to.
        """
        if not self.entries:
            return True
        found = _address(address)
        if found is None:
            return False
        if self._has_address(found, port):
            return True
        names = {"*"} if _address(host) is not None else _names(host)
        known = {one.name for one in self._for_port(port)} & names
        if self._wary:
            good = "localhost" in known and found.is_loopback
        else:
            good = bool(known & {_plain(host), "*"})
        return good or (bool(known) and not _is_special(found))

    def admits_text(self, text: str) -> bool:
        """Whether a target that is no host and port is allowed, by its very words."""
        return not self.entries or any(
            one.text == text for one in self.entries if one.text.startswith(_UNIX)
        )

    def _for_port(self, port: int) -> Iterable[AllowedTarget]:
        return (one for one in self.entries if one.has_port(port))

    def _has_address(self, address: _Address, port: int) -> bool:
        return any(
            (one.name == "*" and not self._wary)
            or (one.network is not None and address in one.network)
            for one in self._for_port(port)
        )


def _plain(host: str) -> str:
    return fold(host).rstrip(".")


def _names(host: str) -> set[str]:
    """The names that entries for C{host} may have."""
    labels = _plain(host).split(".")
    above = {f"*.{'.'.join(labels[start:])}" for start in range(1, len(labels))}
    return {".".join(labels), "*"} | above


def _address(text: str) -> _Address | None:
    try:
        found = ip_address(text)
    except ValueError:
        return None
    if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
        return found.ipv4_mapped
    return found


def _is_special(address: _Address) -> bool:
    if isinstance(address, IPv6Address):
        inner = _translated(address)
        if inner is not None and _is_special(inner):
            return True
    elif address in _THIS_NETWORK or address == _BROADCAST:
        return True
    return (
        address in _METADATA
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
    )


def _translated(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a network may make of it: NAT64, 6to4, RFC 4291's."""
    if address in _NAT64 or address in _COMPATIBLE:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour
