"""
The listener's configuration, C{listener.toml}, and the same from a command line.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import attrs
from attrs import field, frozen

from hybridconn.config.addresses import Target, parse_target
from hybridconn.config.hcm import (
    AdminSettings,
    Allowed,
    ConnectionsSettings,
    ConnectionsTable,
    WhenDown,
    build_connections,
)
from hybridconn.config.kinds import (
    Authorities,
    DataPathName,
    FileName,
    Kind,
    Name,
    Seconds,
    Share,
    TLSPathName,
    VariableName,
)
from hybridconn.config.loader import load_file, load_options
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.roles import (
    CA_FILE_HELP,
    DATA_PATH_HELP,
    FILE_HELP,
    INSECURE_HELP,
    STRING_HELP,
    TLS_HELP,
    VARIABLE_HELP,
    check_timings,
    connections,
    option_values,
)
from hybridconn.config.secrets import (
    DiscontinuedMistake,
    Source,
    connection_string,
)
from hybridconn.config.update import UPDATE_NOTICE
from hybridconn.config.wayout import WAY_OUT
from hybridconn.core.allow_list import AllowList
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.http import split_authority
from hybridconn.core.names import fold
from hybridconn.operation.updates import UpdateSettings
from hybridconn.wayout.way import WayOut


def _target(value: str, source: Source) -> Target:
    try:
        return parse_target(value)
    except ValueError as error:
        raise Mistake(f"{shown(value)} is no target: {error}.") from None


_Target = Annotated[Target, Kind("address", str, _target)]


@frozen
class ListenerTimings:
    """C{[timings]} of a listener."""

    ping_interval: Seconds = field(
        default=30.0,
        metadata={"help": "A connection that was silent for this long is pinged."},
    )
    dead_after: Seconds = field(
        default=60.0,
        metadata={
            "help": "A control channel that was silent for this long, pings "
            "unanswered, is given up and dialled anew."
        },
    )
    renew_at: Share = field(
        default=0.8,
        metadata={
            "help": "At this share of a token's life the next one is sent on the "
            "open control channel."
        },
    )
    token_lifetime: Seconds = field(
        default=3600.0, metadata={"help": "The life of the tokens that are made."}
    )
    connect_timeout: Seconds = field(
        default=20.0,
        metadata={"help": "For opening the control channel, TLS and all."},
    )
    accept_dial_timeout: Seconds = field(
        default=20.0,
        metadata={"help": "For dialling the rendezvous of one sender."},
    )
    response_timeout: Seconds = field(
        default=60.0,
        metadata={
            "help": "For an HTTP target's response to begin, once it has the request; "
            "then 504."
        },
    )
    metadata_refresh: Seconds = field(
        default=300.0,
        metadata={
            "help": "Between two readings of a hybrid connection's metadata, when its "
            "target stands there."
        },
    )

    drain_timeout: Seconds = field(
        default=5.0,
        metadata={
            "help": "At a stop the control channels are closed; so long may tunnels "
            "go on before they are closed with 1001."
        },
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """A peer is pinged before it is given up."""
        return check_timings(table)


@frozen
class HttpTargetSettings:
    """
    How an HTTP target is told of requests, and believed.

    @ivar host: for the C{Host} field; L{None} leaves the sender's.
    @ivar keep_path: leave the hybrid connection's path in front of the request's.
    @ivar ca_files: further authorities for C{https}.
    @ivar insecure: believe any certificate.
    """

    host: str | None = None
    keep_path: bool = False
    ca_files: tuple[str, ...] = ()
    insecure: bool = False


@frozen
class HybridConnectionTarget:
    """
    One hybrid connection and what its senders are joined to.

    @ivar connection: with an entity path, and a key or a token; C{secure} is as
        the whole configuration says.
    @ivar target: L{None}: what the hybrid connection's metadata says.
    @ivar target_timeout: seconds for reaching the target.
    @ivar reuse: whether senders may carry one connection after the other.
    @ivar dial_ahead: whether the target is reached before there is a connection.
    @ivar http: what else there is to say of an HTTP target.
    @ivar name: what commands call it; empty: as its entity path.
    @ivar check_interval: seconds between two looks at the target; L{None}: none.
    @ivar check_timeout: seconds for one.
    @ivar withdraw: leave the relay while the target is down.
    @ivar file: that its connection string was read from, if from one of its own.
    @ivar discontinued: it is of a kind that is no more: never listened on.
    @ivar answer_probes: tell senders that ask what is found on the way to the target.
    """

    connection: ConnectionString
    target: Target | None = None
    target_timeout: float = 10.0
    reuse: bool = True
    dial_ahead: bool = False
    http: HttpTargetSettings = field(factory=HttpTargetSettings)
    name: str = ""
    check_interval: float | None = None
    check_timeout: float = 5.0
    withdraw: bool = False
    file: str = ""
    discontinued: bool = False
    answer_probes: bool = True

    @property
    def key(self) -> tuple[str, int, str]:
        """The hybrid connection that it is; there is one listener for it here."""
        found = self.connection
        return found.host, found.port, fold(found.entity_path or "")


@frozen
class HybridConnectionTable:
    """C{[[hybrid_connection]]} of a listener."""

    name: Name | None = field(
        default=None,
        metadata={
            "help": "What commands and the log of the manager call it. Without it, its "
            "entity path, with the relay's host behind an `@` if that is taken."
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
    connection_string_sealed: str | None = field(
        default=None,
        repr=False,
        metadata={
            "help": "The same, encrypted by `hybridconn hcm add`; only in files of the "
            "folder of `[connections]`."
        },
    )
    target: _Target | None = field(
        default=None,
        metadata={
            "help": "Where senders are joined to: `host:port`, `[v6]:port` or a "
            "Twisted client endpoint such as `unix:/run/app.sock`; or where their "
            "HTTP requests and WebSockets go: `http://host:port` or `https://host`, "
            "with or without a path. Without it, the endpoint in the hybrid "
            "connection's metadata."
        },
    )
    target_timeout: Seconds = field(
        default=10.0,
        metadata={"help": "For reaching the target; then the sender is refused."},
    )
    target_check_interval: Seconds | None = field(
        default=None,
        metadata={
            "help": "Look whether the target takes a TCP connection, each so many "
            "seconds. Without it only senders find out."
        },
    )
    target_check_timeout: Seconds = field(
        default=5.0, metadata={"help": "For one such look."}
    )
    target_down: WhenDown = field(
        default="reject",
        metadata={
            "help": "With `target_check_interval`, while the target is down: `reject` "
            "tells each sender so at once; `withdraw` leaves the relay, so that "
            "other listeners get the senders."
        },
    )
    reuse: bool = field(
        default=True,
        metadata={
            "help": "Let our own senders keep tunnels ready and use them for one "
            "connection after the other."
        },
    )
    dial_ahead: bool = field(
        default=False,
        metadata={
            "help": "Reach the target for such a tunnel before there is a connection: "
            "quicker, but the target sees connections that say nothing."
        },
    )

    answer_probes: bool = field(
        default=True,
        metadata={
            "help": "Tell senders that ask, with `hybridconn ping` or `doctor`, what "
            "is found on the way to the target: its name's addresses, the time of each "
            "step, its certificate. Otherwise they learn no more than whether it can "
            "be reached."
        },
    )

    host: str | None = field(
        default=None,
        metadata={
            "help": 'For an HTTP target: what it gets as `Host`, `""` for its own '
            "`host:port`. Without it, what the sender wrote."
        },
    )
    keep_path: bool = field(
        default=False,
        metadata={
            "help": "For an HTTP target: leave the hybrid connection's path in front "
            "of the request's. Otherwise the target sees what is behind it."
        },
    )
    target_ca_file: Authorities | None = field(
        default=None,
        metadata={
            "help": "For an `https` target: PEM file with further authorities to trust."
        },
    )
    target_insecure: bool = field(
        default=False,
        metadata={"help": "For an `https` target: believe any certificate."},
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """The connection string can be read and lets a listener in."""
        yield from _check_http(table)
        for key in ("target_check_timeout", "target_down"):
            if key in table and "target_check_interval" not in table:
                yield Mistake("goes only with target_check_interval; add it.", key)
        try:
            found = connection_string(table, source)
        except DiscontinuedMistake:
            pass  # it is shown as such
        except Mistake as mistake:
            yield mistake
        else:
            if found.key is None and found.signature is None:
                yield Mistake(
                    "SharedAccessKeyName and SharedAccessKey are missing; a listener "
                    "needs a rule with the right Listen.",
                    *(key for key in table if key.startswith("connection_string")),
                )


def _check_http(table: Mapping[str, Any]) -> Iterator[Mistake]:
    target = table.get("target")
    scheme = target.partition(":")[0].lower() if isinstance(target, str) else ""
    for keys, schemes, example in (
        (("host", "keep_path"), ("http", "https"), "http://127.0.0.1:8080"),
        (("target_ca_file", "target_insecure"), ("https",), "https://app.corp"),
    ):
        for key in keys:
            if key in table and scheme not in schemes:
                yield Mistake(
                    f"goes only with a target such as {example}; leave it out.", key
                )
    host = table.get("host")
    if isinstance(host, str) and host:
        try:
            split_authority(host)
        except ValueError as error:
            yield Mistake(f"{shown(host)} is no host: {error}.", "host")


@frozen
class ConnectionsFile:
    """A file in the folder of C{[connections]}."""

    hybrid_connections: tuple[HybridConnectionTarget, ...] = field(
        default=(), metadata={"help": "", "table": True, "key": "hybrid_connection"}
    )


@frozen
class ListenerConfig:
    """The whole file."""

    ca_file: Authorities | None = field(default=None, metadata={"help": CA_FILE_HELP})
    insecure: bool = field(default=False, metadata={"help": INSECURE_HELP})
    data_path: DataPathName = field(default="slim", metadata={"help": DATA_PATH_HELP})
    tls: TLSPathName = field(default="lean", metadata={"help": TLS_HELP})
    timings: ListenerTimings = field(
        factory=ListenerTimings, metadata={"help": "", "table": True}
    )
    way_out: WayOut = field(factory=WayOut, metadata={"help": "", "table": True})
    update_notice: UpdateSettings = field(
        factory=UpdateSettings, metadata={"help": "", "table": True}
    )
    allow_targets: tuple[Allowed, ...] = field(
        default=(),
        metadata={
            "help": "The only targets that may be reached, whatever a hybrid "
            "connection's metadata says: `host:port` with a name, `*.name`, `*`, an "
            "address or a network such as `10.0.0.0/8`, and a port, a range `1-1024` "
            "or `*`; or `unix:/path`. Without entries, all."
        },
    )
    admin: AdminSettings = field(
        factory=AdminSettings, metadata={"help": "", "table": True}
    )
    connections: ConnectionsSettings = field(
        factory=ConnectionsSettings, metadata={"help": "", "table": True}
    )
    hybrid_connections: tuple[HybridConnectionTarget, ...] = field(
        default=(), metadata={"help": "", "table": True, "key": "hybrid_connection"}
    )

    @property
    def allowed(self) -> AllowList:
        """The targets that may be reached."""
        return AllowList(self.allow_targets)

    @property
    def ca_files(self) -> tuple[str, ...]:
        """The further authorities, as L{hybridconn.dialer} takes them."""
        return () if self.ca_file is None else (str(self.ca_file),)

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """There is a hybrid connection, and none is there twice."""
        own = table.get("connections")
        more = isinstance(own, Mapping) and own.get("folder")
        if not table.get("hybrid_connection") and not more:
            yield Mistake(
                "is missing; add a [[hybrid_connection]], or [connections] with a "
                "folder for them.",
                "hybrid_connection",
            )
        first: dict[object, int] = {}
        for index, key, found in connections(table, "hybrid_connection", source):
            entity = (found.host, found.port, fold(found.entity_path or ""))
            before = first.setdefault(entity, index)
            if before != index:
                yield Mistake(
                    f"leads to the same hybrid connection, {shown(found.entity_path)}, "
                    f"as number {before + 1}; leave out one of them.",
                    *("hybrid_connection", index, key),
                )


def load_listener(
    file: str | os.PathLike[str], environ: Mapping[str, str] = os.environ
) -> ListenerConfig:
    """
    Read a listener's configuration.

    @raise ConfigError: with all that is wrong.
    """
    return with_security(load_file(file, ListenerConfig, BUILDERS, environ))


def listener_from_options(
    connection_string_file: str | None = None,
    target: str | None = None,
    ca_file: str | None = None,
    insecure: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> ListenerConfig:
    """
    Make the configuration of a listener for one hybrid connection.

    @param connection_string_file: without it the connection string comes from
        the environment variable C{HYBRIDCONN_CONNECTION_STRING}.
    @param target: without it the hybrid connection's metadata say it.
    @raise ConfigError: with all that is wrong.
    """
    raw = option_values(
        "hybrid_connection",
        connection_string_file,
        {"target": target},
        {"ca_file": ca_file, "insecure": insecure},
        environ,
    )
    return with_security(load_options(raw, ListenerConfig, BUILDERS, environ))


def with_security(config: ListenerConfig) -> ListenerConfig:
    """The same, with C{insecure} in each connection string too."""
    secure = not config.insecure
    return attrs.evolve(
        config,
        hybrid_connections=tuple(
            attrs.evolve(one, connection=attrs.evolve(one.connection, secure=secure))
            for one in config.hybrid_connections
        ),
    )


def _build(table: HybridConnectionTable, source: Source) -> HybridConnectionTarget:
    given = attrs.asdict(
        table, recurse=False, filter=lambda _, value: value is not None
    )
    discontinued = False
    try:
        found = connection_string(given, source)
    except DiscontinuedMistake as mistake:
        found = ConnectionString(
            mistake.error.host, entity_path=mistake.error.name or "unknown"
        )
        discontinued = True
    authorities = table.target_ca_file
    return HybridConnectionTarget(
        found,
        table.target,
        table.target_timeout,
        table.reuse,
        table.dial_ahead,
        HttpTargetSettings(
            table.host,
            table.keep_path,
            () if authorities is None else (str(authorities),),
            table.target_insecure,
        ),
        table.name or "",
        table.target_check_interval,
        table.target_check_timeout,
        table.target_down == "withdraw",
        str(source.path(table.connection_string_file))
        if table.connection_string_file
        else "",
        discontinued,
        table.answer_probes,
    )


BUILDERS: Mapping[type, tuple[type, Any]] = {
    HybridConnectionTarget: (HybridConnectionTable, _build),
    ConnectionsSettings: (ConnectionsTable, build_connections),
    **WAY_OUT,
    **UPDATE_NOTICE,
}
