"""
Which local address stands for which host.

An address follows from the host's name alone, so that it is the same after a
restart, in the hosts file and in the name server.  Two names that want the same
address are told apart by a second choice; all who plan for the same names come to
the same result.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Container, Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from itertools import count

from attrs import frozen

from hybridconn.config.mistakes import ConfigError
from hybridconn.config.redirects import NamesSettings

WILDCARD = "*."


@frozen
class HostAddresses:
    """
    @ivar ipv6: L{None} if the configuration gives none.
    """

    ipv4: str
    ipv6: str | None = None

    @property
    def all(self) -> tuple[str, ...]:
        """The addresses that there are."""
        return (self.ipv4,) if self.ipv6 is None else (self.ipv4, self.ipv6)


def plan_addresses(
    hosts: Iterable[str], settings: NamesSettings
) -> dict[str, HostAddresses]:
    """
    Give each host its addresses.

    @param hosts: names in lower case.
    @raise ConfigError: if there are more hosts than addresses.
    """
    names = sorted(set(hosts))
    ipv4 = _spread(names, settings.network)
    ipv6: Mapping[str, str] = {}
    if settings.ipv6_network is not None:
        ipv6 = _spread(names, settings.ipv6_network)
    return {name: HostAddresses(ipv4[name], ipv6.get(name)) for name in names}


def _spread(names: list[str], network: IPv4Network | IPv6Network) -> dict[str, str]:
    room = _room(network)
    if len(names) > room // 2:
        raise ConfigError(
            "names",
            [
                f"{len(names)} names are too many for the addresses of {network}; use "
                "a larger network in [names]."
            ],
        )
    taken: dict[int, str] = {}
    waiting = [(name, 0) for name in names]
    # Whoever is alone at its first choice keeps it, whatever others there are.
    while waiting:
        losers: list[tuple[str, int]] = []
        for name, attempt in waiting:
            index = 1 + _number(name, attempt) % room
            if taken.setdefault(index, name) != name:
                losers.append((name, attempt + 1))
        waiting = losers
    return {name: str(network[index]) for index, name in taken.items()}


def choose_addresses(
    name: str, settings: NamesSettings, taken: Container[str]
) -> HostAddresses:
    """
    Give one more host its addresses, and leave those that others have.

    @param taken: which are had; at most half of them.
    """
    ipv4 = _choose(name, settings.network, taken)
    if settings.ipv6_network is None:
        return HostAddresses(ipv4)
    return HostAddresses(ipv4, _choose(name, settings.ipv6_network, taken))


def room_for_names(settings: NamesSettings) -> int:
    """How many hosts have room."""
    return _room(settings.network) // 2


def _choose(
    name: str, network: IPv4Network | IPv6Network, taken: Container[str]
) -> str:
    room = _room(network)
    choices = (str(network[1 + _number(name, n) % room]) for n in count())
    return next(address for address in choices if address not in taken)


def _room(network: IPv4Network | IPv6Network) -> int:
    # The first and the last address of a network mean something else to some.
    return network.num_addresses - 2


def _number(name: str, attempt: int) -> int:
    text = f"{attempt} {name}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=16).digest(), "big")


def _pointers(host: str, addresses: HostAddresses) -> dict[str, str]:
    return {ip_address(one).reverse_pointer: host for one in addresses.all}


class NameTable:
    """
    The names that are answered here.

    @param asked: called with a host and a name that it stands for, before that is
        answered: it may replace the table.
    """

    def __init__(
        self,
        hosts: Mapping[str, HostAddresses] | None = None,
        asked: Callable[[str, str], None] = lambda host, name: None,
    ) -> None:
        self._asked = asked
        self.replace(hosts or {})

    def replace(self, hosts: Mapping[str, HostAddresses]) -> None:
        """Answer these from now on, and no others."""
        self._hosts = dict(hosts)
        self._reverse: dict[str, str] = {}
        for host, addresses in hosts.items():
            self._reverse.update(_pointers(host, addresses))

    def put(self, host: str, addresses: HostAddresses) -> None:
        """Answer one more."""
        self._hosts[host] = addresses
        self._reverse.update(_pointers(host, addresses))

    def drop(self, host: str) -> None:
        """Answer one less, if it is there."""
        addresses = self._hosts.pop(host, None)
        if addresses is not None:
            for pointer in _pointers(host, addresses):
                self._reverse.pop(pointer, None)

    def __len__(self) -> int:
        return len(self._hosts)

    def match(self, name: str) -> str | None:
        """
        The host that stands for a name: itself, or the nearest C{*.} above it.

        @param name: in any case, with or without a dot at its end.
        """
        name = name.lower().removesuffix(".")
        if name in self._hosts:
            return None if name.startswith(WILDCARD) else name
        while "." in name:
            name = name.partition(".")[2]
            if WILDCARD + name in self._hosts:
                return WILDCARD + name
        return None

    def find(self, name: str, dial: bool = True) -> HostAddresses | None:
        """
        The addresses for a name; L{None} if it is none of ours.

        @param dial: whoever asks is about to connect there.
        """
        host = self.match(name)
        if host is not None and dial:
            self._asked(host, name)
            host = self.match(name)
        return None if host is None else self._hosts[host]

    def pointed(self, name: str) -> str | None:
        """
        The host, or wildcard, that has an address.

        @param name: such as C{9.0.77.127.in-addr.arpa}, in any case.
        @return: L{None} if it is the address of none of ours.
        """
        return self._reverse.get(name.lower().removesuffix("."))
