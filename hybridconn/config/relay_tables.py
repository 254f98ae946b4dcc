"""
The tables of C{relay.toml}: what may stand in each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any

from attrs import field, frozen

from hybridconn.balancers.registry import (
    UnknownLoadBalancer,
    find_load_balancer,
    load_balancer_names,
)
from hybridconn.config.addresses import parse_host_name, parse_host_port
from hybridconn.config.checks import check_files, same_names
from hybridconn.config.kinds import (
    DataPathName,
    FileName,
    Interface,
    Key,
    Kind,
    Name,
    Port,
    PublicUrl,
    TLSPathName,
)
from hybridconn.config.mistakes import Mistake, did_you_mean, shown
from hybridconn.config.roles import DATA_PATH_HELP, TLS_HELP
from hybridconn.config.secrets import Source
from hybridconn.core.entities import AuthorizationRule, Claim, HybridConnection
from hybridconn.core.names import fold, parse_entity_path, parse_namespace_name

# --- kinds of values ---------------------------------------------------------


def _checked(parse: Callable[[str], object], what: str) -> Callable[[str, Source], str]:
    """Read text that C{parse} takes; C{what} is what it says it is."""

    def read(value: str, source: Source) -> str:
        try:
            return str(parse(value))
        except ValueError as error:
            raise Mistake(f"{shown(value)} is no {what}: {error}.") from None

    return read


def _right(value: str, source: Source) -> Claim:
    for claim in Claim:
        if fold(value) == fold(claim.value):
            return claim
    raise Mistake(f'{shown(value)} is no right; use "Listen", "Send" or "Manage".')


def _load_balancer(value: str, source: Source) -> str:
    try:
        find_load_balancer(value)
    except UnknownLoadBalancer as error:
        if value in error.known:
            raise Mistake(f"{error}; uninstall all but one.") from None
        nearest = did_you_mean(value, load_balancer_names())
        raise Mistake(f"no load balancer is called {shown(value)}{nearest}") from None
    return value


_NamespaceName = Annotated[
    str, Kind("name", str, _checked(parse_namespace_name, "namespace's name"))
]
_EntityPath = Annotated[str, Kind("path", str, _checked(parse_entity_path, "path"))]
_HostName = Annotated[
    str, Kind("host name", str, _checked(parse_host_name, "host name"))
]
_Endpoint = Annotated[str, Kind("host:port", str, _checked(parse_host_port, "address"))]
_Right = Annotated[Claim, Kind("right", str, _right)]


def _workers(value: int, source: Source) -> int:
    if not 1 <= value <= 64:
        raise Mistake(f"{value} is no usable number; use 1 to 64.")
    return value


_Workers = Annotated[int, Kind("number", int, _workers)]
_LoadBalancer = Annotated[str, Kind("name", str, _load_balancer)]


def _help(text: str, **more: Any) -> dict[str, Any]:
    return {"help": text, **more}


# --- tables -------------------------------------------------------------------


@frozen
class CertificateTable:
    """C{[[listen.certificates]]}."""

    server_names: tuple[_HostName, ...] = field(
        metadata=_help("The names of the relay for which this certificate is used.")
    )
    certificate: FileName = field(
        metadata=_help("PEM file: the certificate, then those between it and the CA.")
    )
    key: FileName = field(
        metadata=_help("PEM file with its private key; only its owner may read it.")
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """Read both files."""
        return check_files(table.get("certificate"), table.get("key"), source)


@frozen
class ListenTable:
    """C{[listen]}."""

    port: Port = field(default=443, metadata=_help("TCP port; 0 takes any free one."))
    interface: Interface = field(
        default="",
        metadata=_help(
            'IP address to listen on. `""`: every IPv4 address; `"::"`: every address.'
        ),
    )
    certificate: FileName = field(
        default="relay.pem",
        metadata=_help(
            "PEM file: the relay's certificate, then those between it and the CA. "
            "A changed file is taken over while running."
        ),
    )
    key: FileName = field(
        default="relay.key",
        metadata=_help(
            "PEM file with its private key, without a password; only its owner may "
            "read it."
        ),
    )
    insecure: bool = field(
        default=False,
        metadata=_help(
            "Plain `ws://`, without TLS: tokens and data can be read on the way. "
            "For tests, or behind something that ends TLS on the same machine."
        ),
    )
    public_url: PublicUrl = field(
        default="",
        metadata=_help(
            "How listeners reach this relay for a rendezvous, such as "
            '`wss://relay.example.net:443`. `""`: by the host and port that the '
            "listener itself used."
        ),
    )
    certificates: tuple[CertificateTable, ...] = field(
        default=(),
        metadata=_help("Further certificates, for other names.", table=True),
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """Read both files, unless there is no TLS."""
        if table.get("insecure") is True:
            return iter(())
        certificate = table.get("certificate", "relay.pem")
        return check_files(certificate, table.get("key", "relay.key"), source)


@frozen
class RuleTable:
    """C{[[namespace.rule]]} and C{[[namespace.hybrid_connection.rule]]}."""

    name: Name = field(
        metadata=_help("The rule's name, `SharedAccessKeyName` in connection strings.")
    )
    rights: tuple[_Right, ...] = field(
        metadata=_help("`Listen`, `Send`, `Manage` (which implies both others).")
    )
    primary_key: Key = field(metadata=_help("`SharedAccessKey` in connection strings."))
    secondary_key: Key | None = field(
        default=None,
        metadata=_help(
            "Opens as much as the primary one, for changing keys without a gap."
        ),
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """A rule without rights opens nothing."""
        if table.get("rights") == []:
            yield Mistake('is empty; use "Listen", "Send" or "Manage".', "rights")


@frozen
class HybridConnectionTable:
    """C{[[namespace.hybrid_connection]]}."""

    path: _EntityPath = field(
        metadata=_help(
            "`EntityPath` in connection strings: letters, digits, `.`, `-`, `_` and "
            "`/` between them."
        )
    )
    requires_client_authorization: bool = field(
        default=True, metadata=_help("Whether senders need a token.")
    )
    user_metadata: str = field(
        default="",
        metadata=_help("Free text that is kept with it; not together with `endpoint`."),
    )
    endpoint: _Endpoint | None = field(
        default=None,
        metadata=_help(
            "The `host:port` it stands for, written into its metadata for listeners "
            "that have no target of their own."
        ),
    )
    rule: tuple[AuthorizationRule, ...] = field(
        default=(), metadata=_help("Rules for this one only.", table=True)
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """Metadata come from one place; no two rules have the same name."""
        if "user_metadata" in table and "endpoint" in table:
            yield Mistake(
                "is one too many beside user_metadata; keep one of them.", "endpoint"
            )
        yield from same_names(table, "rule", "name", "rule of this hybrid connection")


@frozen
class NamespaceTable:
    """C{[[namespace]]}."""

    name: _NamespaceName = field(
        metadata=_help("What logs call it: 6 to 50 letters, digits and hyphens.")
    )
    host_names: tuple[_HostName, ...] = field(
        default=(),
        metadata=_help(
            "Names and IP addresses by which its clients reach the relay. A relay "
            "with one namespace serves it by any name."
        ),
    )
    rule: tuple[AuthorizationRule, ...] = field(
        default=(), metadata=_help("Rules for all of it.", table=True)
    )
    hybrid_connection: tuple[HybridConnection, ...] = field(
        default=(), metadata=_help("Its hybrid connections.", table=True)
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """No two rules have the same name, no two hybrid connections one path."""
        yield from same_names(table, "rule", "name", "rule of this namespace")
        yield from same_names(
            table, "hybrid_connection", "path", "hybrid connection of this namespace"
        )


@frozen
class RelaySettings:
    """C{[relay]}."""

    load_balancer: _LoadBalancer = field(
        default="random",
        metadata=_help(
            "Which listener gets a sender: `random`, `round-robin`, "
            "`least-connections`, or the name of another installed load balancer."
        ),
    )
    workers: _Workers = field(
        default=1,
        metadata=_help(
            "Processes that share the work, for more than one core. Each has a port "
            "of its own beside the public one: see `worker_port`."
        ),
    )
    worker_port: Port = field(
        default=0,
        metadata=_help(
            "With several workers: the first one's own port, to which listeners are "
            "sent; the others have those behind it. 0: the port behind `port`."
        ),
    )
    log_requests: bool = field(
        default=False,
        metadata=_help(
            "Log a line for each HTTP request that a listener answered, without its "
            "path and query. What goes wrong is logged anyway."
        ),
    )
    data_path: DataPathName = field(default="slim", metadata=_help(DATA_PATH_HELP))
    tls: TLSPathName = field(default="lean", metadata=_help(TLS_HELP))
