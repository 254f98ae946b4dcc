"""
Which hybrid connection each name and port goes through, and by which local address.

A wildcard of a redirect to many targets has no address of its own that would do: the
listener is to be told the very name.  So each name below it gets one when it is first
asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from math import inf
from typing import Final

from attrs import define, frozen

from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import NamesSettings
from hybridconn.core.targets import TargetError, parse_wanted
from hybridconn.names.plan import (
    WILDCARD,
    HostAddresses,
    choose_addresses,
    plan_addresses,
    room_for_names,
)
from hybridconn.sender.endpoint_watch import EndpointWatch
from hybridconn.sender.forward import LocalForward

#: So many names below wildcards have open ports at a time, if the system allows it.
MOST_UNFOLDED: Final = 1000
#: This part of all files that may be open is for their ports; the others are for
#: connections.
_SHARE: Final = 0.5


@define(eq=False)
class Redirected:
    """
    One hybrid connection.

    @ivar known: what it stands for, as the configuration says.
    @ivar many: the listener is told which of them is wanted.
    @ivar watch: instead, what reads its metadata.
    """

    entity: str
    forward: LocalForward
    known: tuple[HostPort, ...] = ()
    many: bool = False
    watch: EndpointWatch | None = None

    @property
    def endpoints(self) -> tuple[HostPort, ...]:
        """What it stands for, as far as that is known."""
        if self.watch is None:
            return self.known
        return () if self.watch.endpoint is None else (self.watch.endpoint,)


@frozen
class Way:
    """
    How connections to a name and port go.

    @ivar wanted: what the listener is told; empty: it knows.
    """

    redirected: Redirected
    wanted: str = ""

    @property
    def forward(self) -> LocalForward:
        """What takes them."""
        return self.redirected.forward


@frozen
class Unfolded:
    """
    A name below a wildcard that is to have ports of its own.

    @ivar gone: one that has no ports any more instead, and its addresses.
    """

    name: str
    gone: tuple[str, HostAddresses] | None = None


class Endpoints:
    """
    @param redirected: tells the hybrid connections that there are now.
    @param tell: called with what is wrong, in words.
    @param files: how many files this process may have open.
    @ivar hosts: the addresses of each host, and of each name that was unfolded.
    """

    def __init__(
        self,
        redirected: Callable[[], Iterable[Redirected]],
        settings: NamesSettings,
        tell: Callable[[str], None],
        files: float = inf,
    ) -> None:
        self.hosts: dict[str, HostAddresses] = {}
        self._redirected = redirected
        self._settings = settings
        self._tell = tell
        self._files = files
        self._most = MOST_UNFOLDED
        self._direct: dict[HostPort, Redirected] = {}
        self._folded: set[str] = set()
        # The names that were asked for, the latest last, and their wildcards.
        self._unfolded: dict[str, str] = {}
        # Also of those that were not asked for lately.
        self._given: dict[str, HostAddresses] = {}
        # The addresses of all of these, and of the hosts that are known.
        self._taken: set[str] = set()

    def learn(self) -> None:
        """
        See anew what stands for what.

        @raise ConfigError: there are too many hosts.
        """
        direct = self._direct
        direct.clear()
        for one in self._redirected():
            for endpoint in one.endpoints:
                first = direct.setdefault(endpoint, one)
                if first is not one:
                    self._tell(
                        f"{one.entity}: stands for {endpoint}, as {first.entity} does;"
                        " a name and port lead to one hybrid connection, and it is"
                        " left out"
                    )
        self._folded = {
            at.host
            for at, one in direct.items()
            if one.many and at.host.startswith(WILDCARD)
        }
        self._most = self._room()
        while len(self._unfolded) > self._most:
            del self._unfolded[next(iter(self._unfolded))]
        hosts = plan_addresses({at.host for at in direct}, self._settings)
        planned = _addresses_in(hosts)
        self._taken |= planned
        for name in self._unfolded:
            if not planned.isdisjoint(self._given[name].all):
                # A host that metadata told meanwhile has its first choice.
                self._give(name)
            hosts[name] = self._given[name]
        self.hosts = hosts

    @property
    def ways(self) -> dict[HostPort, Way]:
        """What is to have a local port."""
        found: dict[HostPort, Way] = {}
        for at, one in self._direct.items():
            if at.host not in self._folded:
                found[at] = self._way(one, at)
        for name in self._unfolded:
            for at, way in self.ways_of(name):
                found.setdefault(at, way)
        return found

    def ways_of(self, name: str) -> Iterator[tuple[HostPort, Way]]:
        """The same for a name that was unfolded."""
        wildcard = self._unfolded[name]
        for at, one in self._direct.items():
            if at.host == wildcard:
                unfolded = HostPort(name, at.port)
                yield unfolded, self._way(one, unfolded)

    @property
    def folded(self) -> frozenset[str]:
        """The wildcards whose names have addresses of their own."""
        return frozenset(self._folded)

    def find(self, host: str, name: str, port: int) -> Way | None:
        """
        @param host: what stands for C{name}: itself, or a wildcard.
        @return: L{None} also for a C{name} that no listener would take.
        """
        host = self._unfolded.get(host, host)
        one = self._direct.get(HostPort(host, port))
        if one is None:
            return None
        at = HostPort(name, port)
        if one.many:
            # It goes into the head of a request, where a line break has a meaning.
            try:
                at = parse_wanted(str(at))
            except TargetError:
                return None
        return self._way(one, at)

    def asked(self, host: str, name: str) -> Unfolded | None:
        """
        Somebody asks for a name.  One below a wildcard is given addresses of its own.
        This is done while somebody waits, so it does not look at all the others.

        @param host: what stands for it now.
        @return: L{None} if it is given none.
        """
        if host in self._unfolded:
            self._unfolded[host] = self._unfolded.pop(host)
        if host not in self._folded:
            return None
        try:
            name = parse_wanted(f"{name}:1").host
        except TargetError:
            return None
        if name not in self._given:
            if len(self._given) >= room_for_names(self._settings) - len(self._direct):
                self._tell(
                    f"{len(self._given)} names below wildcards have been asked for;"
                    " further ones are not reached until a restart"
                )
                return None
            self._give(name)
        gone = None
        if len(self._unfolded) >= self._most:
            # Connections to it go on; it comes back when it is asked for again.
            last = next(iter(self._unfolded))
            del self._unfolded[last]
            gone = last, self.hosts.pop(last)
        self._unfolded[name] = host
        self.hosts[name] = self._given[name]
        return Unfolded(name, gone)

    def _room(self) -> int:
        """How many names may have open ports."""
        ports = Counter(at.host for at in self._direct if at.host in self._folded)
        each = max(ports.values(), default=1)
        if self._settings.ipv6_network is not None:
            each *= 2
        return max(1, int(min(MOST_UNFOLDED, self._files * _SHARE / each)))

    def _give(self, name: str) -> None:
        # No other name ever gets what an app may still have in mind for this one.
        self._given[name] = given = choose_addresses(name, self._settings, self._taken)
        self._taken.update(given.all)

    @staticmethod
    def _way(one: Redirected, at: HostPort) -> Way:
        return Way(one, str(at) if one.many else "")


def _addresses_in(hosts: Mapping[str, HostAddresses]) -> set[str]:
    return {address for one in hosts.values() for address in one.all}
