"""
The tables of a sender's configuration that send names through hybrid connections:
C{[[redirect]]}, C{[names]} and C{[front_door]}.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from attrs import field, frozen

from hybridconn.config.addresses import HostPort, parse_bind, parse_host_port
from hybridconn.config.checks import tables
from hybridconn.config.kinds import Count, FileName, Kind, Seconds, VariableName
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.ports import MODE_HELP, Mode, PortName, check_redirect
from hybridconn.config.roles import (
    FILE_HELP,
    STRING_HELP,
    VARIABLE_HELP,
    connection_of,
)
from hybridconn.config.secrets import Source, connection_string
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.host_port import REDIRECTS, check_name
from hybridconn.core.targets import TargetError, parse_wanted

DNS_PORT = 53

#: Smaller networks have too few addresses for hosts to keep theirs.
_FEWEST_ADDRESSES = 256


def parse_redirected(text: str) -> HostPort:
    """
    Read the C{host:port} of a service whose name is to be redirected.

    @return: the name in lower case and without a dot at its end; C{*.} in front
        stands for every name below it.
    @raise ValueError: with a sentence on what is wrong.
    """
    found = parse_host_port(text)
    host = found.host.lower().removesuffix(".")
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    else:
        raise ValueError(
            "an address is never looked up, so it cannot be redirected; use the "
            "service's name, or a [[forward]]"
        )
    if host == "localhost" or host.endswith(".localhost"):
        raise ValueError(
            "localhost is this machine for every app; use another name for the service"
        )
    check_name(host.removeprefix("*."))
    return HostPort(host, found.port)


def read_server(text: str) -> HostPort | None:
    """
    Read a name server: an IP address with or without a port, such as C{::1} or
    C{[::1]:5353}.
    """
    text = text.strip()
    for read in (lambda: HostPort(text, DNS_PORT), lambda: parse_host_port(text)):
        try:
            server = read()
            return HostPort(str(ipaddress.ip_address(server.host)), server.port)
        except ValueError:
            continue
    return None


def _redirected(value: str, source: Source) -> HostPort:
    try:
        return parse_redirected(value)
    except ValueError as error:
        raise Mistake(f"{shown(value)} cannot be redirected: {error}.") from None


def _wanted(value: str, source: Source) -> HostPort:
    try:
        return parse_wanted(value)
    except TargetError as error:
        raise Mistake(f"{shown(value)} is no target: {error}.") from None


def _dns_bind(value: str, source: Source) -> HostPort:
    bind = _bind(value, source)
    if not ipaddress.ip_address(bind.host.partition("%")[0]).is_loopback:
        raise Mistake(
            f"{shown(value)} lets other machines ask, with answers that are good on "
            "this one only; use a loopback address, such as 127.0.0.77:53."
        )
    return bind


def _bind(value: str, source: Source) -> HostPort:
    try:
        return parse_bind(value)
    except ValueError as error:
        raise Mistake(f"{shown(value)} is no local address: {error}.") from None


def _upstream(value: str, source: Source) -> HostPort:
    server = read_server(value)
    if server is None:
        raise Mistake(
            f"{shown(value)} is no name server; write its IP address, with a port if "
            "that is not 53."
        )
    return server


def _loopback_network(value: str, source: Source) -> ipaddress.IPv4Network:
    try:
        network = ipaddress.IPv4Network(value)
    except ValueError:
        raise Mistake(
            f"{shown(value)} is no IPv4 network; write it like 127.77.0.0/16."
        ) from None
    if not network.is_loopback:
        raise Mistake(f"{shown(value)} is not within 127.0.0.0/8; only that is local.")
    if network.num_addresses < _FEWEST_ADDRESSES:
        raise Mistake(f"{shown(value)} is too small; use a /24 or a larger one.")
    return network


def _private_network(value: str, source: Source) -> ipaddress.IPv6Network:
    try:
        network = ipaddress.IPv6Network(value)
    except ValueError:
        raise Mistake(
            f"{shown(value)} is no IPv6 network; write it like fd77:6863::/64."
        ) from None
    if not network.subnet_of(ipaddress.IPv6Network("fc00::/7")):
        raise Mistake(
            f"{shown(value)} is not within fc00::/7, whose addresses are private; "
            "write it like fd77:6863::/64."
        )
    if network.num_addresses < _FEWEST_ADDRESSES:
        raise Mistake(f"{shown(value)} is too small; use a /64.")
    return network


def _ttl(value: int, source: Source) -> int:
    if not 0 <= value <= 3600:
        raise Mistake(f"{value} is no usable time; use 0 to 3600 seconds.")
    return value


_Redirected = Annotated[HostPort, Kind("host:port", str, _redirected)]
#: What is wanted of a listener.
Wanted = Annotated[HostPort, Kind("host:port", str, _wanted)]
_DnsBind = Annotated[HostPort, Kind("IP address:port", str, _dns_bind)]
#: Where a local port is opened.
LocalBind = Annotated[HostPort, Kind("IP address:port", str, _bind)]
_Upstream = Annotated[HostPort, Kind("IP address, IP address:port", str, _upstream)]
_Ttl = Annotated[int, Kind("seconds, whole", int, _ttl)]
_LoopbackNetwork = Annotated[
    ipaddress.IPv4Network, Kind("network", str, _loopback_network)
]
_PrivateNetwork = Annotated[
    ipaddress.IPv6Network, Kind("network", str, _private_network)
]


@frozen
class Redirect:
    """
    A service that apps reach by its own name and port.

    @ivar endpoint: its name and port; L{None} if its metadata says them.
    @ivar endpoints: instead, those of many services: the listener is told each time
        which is wanted.
    @ivar port_name: the listener's port that is asked for with azbridge's preamble;
        L{None}: nothing is asked.
    """

    connection: ConnectionString
    endpoint: HostPort | None = None
    endpoints: tuple[HostPort, ...] = ()
    port_name: str | None = None

    @property
    def known(self) -> tuple[HostPort, ...]:
        """What it stands for, as far as the configuration says; or nothing."""
        return self.endpoints or (() if self.endpoint is None else (self.endpoint,))


@frozen
class RedirectTable:
    """C{[[redirect]]}."""

    endpoint: _Redirected | None = field(
        default=None,
        metadata={
            "help": "The name and port by which apps reach the service, such as "
            "`db.corp:1433`, or `*.corp:443` for every name below `corp`. Without it, "
            "the endpoint in the hybrid connection's metadata."
        },
    )
    endpoints: tuple[_Redirected, ...] = field(
        default=(),
        metadata={
            "help": "Instead of `endpoint`: names and ports of many services behind "
            "one hybrid connection, such as `*.apps.corp:443`. The listener is told "
            "which one is wanted each time, and allows it by its `targets`."
        },
    )
    mode: Mode = field(default="raw", metadata={"help": MODE_HELP})
    port_name: PortName | None = field(
        default=None,
        metadata={
            "help": "With `bridge`: the port of the listener's that is asked for. "
            "Without it, the number of the endpoint's port."
        },
    )
    connection_string_file: FileName | None = field(
        default=None, metadata={"help": FILE_HELP}
    )
    connection_string_env: VariableName | None = field(
        default=None, metadata={"help": VARIABLE_HELP}
    )
    connection_string: str | None = field(
        default=None, repr=False, metadata={"help": STRING_HELP}
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """The connection string can be read, and opens the metadata if need be."""
        yield from check_redirect(table)
        try:
            found = connection_string(table, source)
        except Mistake as mistake:
            yield mistake
            return
        if "endpoint" in table and "endpoints" in table:
            yield Mistake(
                "is for one service, and endpoints are for many; leave out one of the "
                "two.",
                "endpoint",
            )
        if table.get("endpoints") == []:
            yield Mistake("is empty; add an endpoint, or leave it out.", "endpoints")
        told = "endpoint" in table or "endpoints" in table
        if not told and not (found.key_name or found.signature):
            yield Mistake(
                "is missing, and the metadata cannot be read without a key; add it, "
                'like endpoint = "db.corp:1433".',
                "endpoint",
            )


def build_redirect(table: RedirectTable, source: Source) -> Redirect:
    """Read the connection string of a table."""
    port_name = None
    if table.mode == "bridge":
        port_name = table.port_name
        if port_name is None and table.endpoint is not None:
            port_name = str(table.endpoint.port)
    return Redirect(
        connection_of(table, source), table.endpoint, table.endpoints, port_name
    )


def check_redirects(table: Mapping[str, Any]) -> Iterator[Mistake]:
    """No two redirects are for the same name and port."""
    first: dict[HostPort, int] = {}
    for index, item in enumerate(tables(table, "redirect")):
        own: set[HostPort] = set()
        for place, text in _endpoints_in(item):
            try:
                endpoint = parse_redirected(text)
            except (ValueError, TypeError):
                continue
            before = first.setdefault(endpoint, index)
            if before != index or endpoint in own:
                yield Mistake(
                    f"{shown(text)} is redirected by number "
                    f"{before + 1} already; a name and port lead to one "
                    "hybrid connection, so remove one of them.",
                    *("redirect", index, *place),
                )
            own.add(endpoint)
    yield from _check_names(table.get("names"))


def _endpoints_in(
    item: Mapping[str, Any],
) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    yield ("endpoint",), item.get("endpoint")
    many = item.get("endpoints")
    for number, text in enumerate(many if isinstance(many, list) else ()):
        yield ("endpoints", number), text


def _check_names(table: Any) -> Iterator[Mistake]:
    """The name server does not ask itself."""
    if not isinstance(table, Mapping) or not isinstance(table.get("upstreams"), list):
        return
    try:
        dns = parse_bind(table["dns"])
    except (ValueError, TypeError, KeyError):
        return
    for index, value in enumerate(table["upstreams"]):
        if isinstance(value, str) and read_server(value) == dns:
            yield Mistake(
                f"{shown(value)} is dns itself, which would ask itself for ever; name "
                "the network's own name servers.",
                *("names", "upstreams", index),
            )


@frozen
class NamesSettings:
    """C{[names]}: how names of redirected services become local addresses."""

    network: _LoopbackNetwork = field(
        default=REDIRECTS,
        metadata={
            "help": "Each host gets an address of it, the same one each time.",
            "shown": "127.77.0.0/16",
        },
    )
    ipv6_network: _PrivateNetwork | None = field(
        default=None,
        metadata={
            "help": "Each host gets an address of it too, such as one of "
            "`fd77:6863::/64`. They must be on the loopback interface, where "
            "`hybridconn redirect install` puts them. Without it, the names have no "
            "IPv6 address."
        },
    )
    dns: _DnsBind | None = field(
        default=None,
        metadata={
            "help": "Where a name server for these names listens, by UDP and TCP, such "
            "as `127.0.0.77:53`. What it is asked for otherwise it passes on. Without "
            "it, there is none."
        },
    )
    ttl: _Ttl = field(
        default=5,
        metadata={"help": "How long others may keep what the name server said."},
    )
    upstreams: tuple[_Upstream, ...] = field(
        default=(),
        metadata={
            "help": "Name servers for all other names, asked in this order. Without "
            "it, those that the system had before."
        },
    )
    upstream_timeout: Seconds = field(
        default=1.5,
        metadata={"help": "After so long the next one is asked as well."},
    )
    answer_timeout: Seconds = field(
        default=4.5,
        metadata={
            "help": "When no name server answered for so long, the answer is SERVFAIL. "
            "Programs wait for five seconds as a rule."
        },
    )
    cache_entries: Count = field(
        default=1000,
        metadata={"help": "Answers of theirs that are kept for their time; 0: none."},
    )


@frozen
class FrontDoor:
    """C{[front_door]}: proxies for apps that can use one, for redirected names only."""

    socks_bind: LocalBind | None = field(
        default=None,
        metadata={
            "help": "Where a SOCKS5 proxy listens, such as `127.0.0.1:1080`. Without "
            "it, there is none."
        },
    )
    http_bind: LocalBind | None = field(
        default=None,
        metadata={
            "help": "Where a proxy for HTTP's CONNECT listens, such as "
            "`127.0.0.1:3128`. Without it, there is none."
        },
    )

    @property
    def binds(self) -> tuple[HostPort, ...]:
        """Where any of them listens."""
        return tuple(one for one in (self.socks_bind, self.http_bind) if one)
