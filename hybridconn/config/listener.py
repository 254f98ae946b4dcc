"""
The listener's configuration, C{listener.toml}, and the same from a command line.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
from attrs import field, frozen

from hybridconn.config.hcm import (
    AdminSettings,
    Allowed,
    ConnectionsSettings,
    ConnectionsTable,
    build_connections,
)
from hybridconn.config.hybrid_connection import (
    HybridConnectionTable,
    HybridConnectionTarget,
    build_hybrid_connection,
)
from hybridconn.config.kinds import (
    Authorities,
    DataPathName,
    Seconds,
    Share,
    TLSPathName,
)
from hybridconn.config.loader import load_file, load_options
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.roles import (
    CA_FILE_HELP,
    DATA_PATH_HELP,
    INSECURE_HELP,
    TLS_HELP,
    check_timings,
    connections,
    option_values,
)
from hybridconn.config.secrets import (
    Source,
)
from hybridconn.config.update import UPDATE_NOTICE
from hybridconn.config.wayout import WAY_OUT
from hybridconn.core.allow_list import AllowList
from hybridconn.core.names import fold
from hybridconn.operation.updates import UpdateSettings
from hybridconn.wayout.way import WayOut


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
    file: str | os.PathLike[str],
    environ: Mapping[str, str] = os.environ,
    note: Callable[[Path], object] | None = None,
) -> ListenerConfig:
    """
    Read a listener's configuration.

    @param note: called with each file that it names, before that is read.
    @raise ConfigError: with all that is wrong.
    """
    return with_security(load_file(file, ListenerConfig, BUILDERS, environ, note=note))


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


BUILDERS: Mapping[type, tuple[type, Any]] = {
    HybridConnectionTarget: (HybridConnectionTable, build_hybrid_connection),
    ConnectionsSettings: (ConnectionsTable, build_connections),
    **WAY_OUT,
    **UPDATE_NOTICE,
}
