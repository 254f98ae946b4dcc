"""
The sender's configuration, C{sender.toml}, and the same from a command line.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import attrs
from attrs import field, frozen

from hybridconn.config.addresses import HostPort, parse_bind, parse_host_name
from hybridconn.config.app import AppSettings, AppTable, build_app
from hybridconn.config.kinds import (
    Authorities,
    Count,
    DataPathName,
    FileName,
    Kind,
    Seconds,
    TLSPathName,
    VariableName,
)
from hybridconn.config.loader import load_file, load_options
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.ports import (
    MODE_HELP,
    Mode,
    PortName,
    Protocol,
    check_forward,
)
from hybridconn.config.redirects import (
    FrontDoor,
    LocalBind,
    NamesSettings,
    Redirect,
    RedirectTable,
    Wanted,
    build_redirect,
    check_redirects,
)
from hybridconn.config.roles import (
    CA_FILE_HELP,
    DATA_PATH_HELP,
    FILE_HELP,
    INSECURE_HELP,
    STRING_HELP,
    TLS_HELP,
    VARIABLE_HELP,
    check_timings,
    option_values,
)
from hybridconn.config.secrets import Source, connection_string
from hybridconn.config.update import UPDATE_NOTICE
from hybridconn.config.wayout import WAY_OUT
from hybridconn.core.connection_string import ConnectionString
from hybridconn.operation.updates import UpdateSettings
from hybridconn.wayout.way import WayOut


def _host_name(value: str, source: Source) -> str:
    try:
        return value if value == "*" else parse_host_name(value)
    except ValueError as error:
        raise Mistake(f"{shown(value)} is no host name: {error}.") from None


_HostName = Annotated[str, Kind("host name", str, _host_name)]


@frozen
class SenderTimings:
    """C{[timings]} of a sender."""

    ping_interval: Seconds = field(
        default=30.0,
        metadata={"help": "A tunnel that was silent for this long is pinged."},
    )
    dead_after: Seconds = field(
        default=60.0,
        metadata={
            "help": "A tunnel that was silent for this long, pings unanswered, is "
            "given up."
        },
    )
    token_lifetime: Seconds = field(
        default=3600.0, metadata={"help": "The life of the tokens that are made."}
    )
    connect_timeout: Seconds = field(
        default=70.0,
        metadata={
            "help": "For opening a tunnel, the relay's wait for a listener and all."
        },
    )

    drain_timeout: Seconds = field(
        default=5.0,
        metadata={
            "help": "At a stop the ports are closed; so long may connections go on "
            "before they are closed with 1001."
        },
    )
    response_timeout: Seconds = field(
        default=90.0,
        metadata={
            "help": "For an HTTP response to begin; then 504. The relay's own, which "
            "says more, is to be shorter."
        },
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """A peer is pinged before it is given up."""
        return check_timings(table)


@frozen
class SpareTunnels:
    """C{[spare_tunnels]} of a sender: how many tunnels each forward keeps ready."""

    least: Count = field(
        default=2,
        metadata={
            "help": "Kept ready from the first connection on, if the listener is one "
            "of ours; 0: only those that a connection left."
        },
    )
    most: Count = field(
        default=64,
        metadata={
            "help": "A tunnel whose connection ended in order stays for the next one, "
            "up to so many; 0: every connection has a tunnel of its own."
        },
    )
    idle_time: Seconds = field(
        default=60.0,
        metadata={"help": "A tunnel beyond `least` that was idle so long is closed."},
    )
    max_age: Seconds = field(
        default=600.0,
        metadata={
            "help": "An older tunnel is not used again: so long may a withdrawn key "
            "still open connections."
        },
    )
    max_uses: Count = field(
        default=100,
        metadata={
            "help": "Connections that a tunnel carries before another is opened, for "
            "which the relay chooses a listener anew; 0: any number."
        },
    )
    open_timeout: Seconds = field(
        default=3.0,
        metadata={
            "help": "A listener that does not react to a new connection for so long "
            "is taken for dead."
        },
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """C{least} is not above C{most}."""
        least, most = table.get("least", 2), table.get("most", 64)
        if "least" in table and least > most > 0:
            yield Mistake(f"{least} is more than most, {most}; use less.", "least")


@frozen
class Forward:
    """
    A local port whose connections go through a hybrid connection.

    @ivar connection: with an entity path; C{secure} is as the whole
        configuration says.
    @ivar bind: an IP address and a port; 0 for any free one.
    @ivar http: what comes there is HTTP.
    @ivar host_names: by which it may be asked then; C{*} is any.
    @ivar port_name: the listener's port that is asked for with azbridge's preamble;
        L{None}: nothing is asked.
    @ivar udp: what comes there is datagrams.
    @ivar udp_idle_time: seconds without one until its tunnel is closed.
    @ivar target: the C{host:port} that is wanted of the listener; empty: its own.
    """

    connection: ConnectionString
    bind: HostPort
    http: bool = False
    host_names: tuple[str, ...] = ()
    port_name: str | None = None
    udp: bool = False
    udp_idle_time: float = 240.0
    target: str = ""

    @property
    def own_names(self) -> tuple[str, ...] | None:
        """
        The names that count beside C{localhost} and IP addresses; L{None} if all do.
        Who opens a port to others knows by which names, and may not be the one who
        writes this.
        """
        local = ipaddress.ip_address(self.bind.host.partition("%")[0]).is_loopback
        if "*" in self.host_names or not (local or self.host_names):
            return None
        return self.host_names


@frozen
class ForwardTable:
    """C{[[forward]]}."""

    bind: LocalBind = field(
        metadata={
            "help": "Where to listen for the app, such as `127.0.0.1:15432`. Another "
            "address than a loopback one lets other machines in."
        }
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

    target: Wanted | None = field(
        default=None,
        metadata={
            "help": "The `host:port` that the listener is to join its connections to, "
            "if its hybrid connection has `targets`. Without it, the listener knows."
        },
    )
    http: bool = field(
        default=False,
        metadata={
            "help": "Speak plain HTTP there: requests go through the relay as HTTP "
            "requests, each with a token, and WebSockets as tunnels."
        },
    )
    host_names: tuple[_HostName, ...] = field(
        default=(),
        metadata={
            "help": "With `http`: names by which the port may be asked, beside "
            "`localhost` and IP addresses, so that no web page reads through it by "
            'a name of its own. `["*"]`: any. Without it, any name is good where '
            "`bind` is no loopback address."
        },
    )
    mode: Mode = field(default="raw", metadata={"help": MODE_HELP})
    port_name: PortName | None = field(
        default=None,
        metadata={
            "help": "With `bridge`: the port of the listener's that is asked for. "
            "Without it, the number of the local port."
        },
    )
    protocol: Protocol = field(
        default="tcp",
        metadata={"help": "With `bridge`: `udp` for datagrams in place of `tcp`."},
    )
    udp_idle_time: Seconds = field(
        default=240.0,
        metadata={
            "help": "With `udp`: a local address that sends nothing and gets nothing "
            "for so long loses its tunnel, until it sends again."
        },
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """The connection string can be read."""
        yield from check_forward(table)
        if table.get("http") and "target" in table:
            yield Mistake(
                "is for connections, and http is for requests; leave out one of the "
                "two.",
                "target",
            )
        if table.get("mode") == "bridge" and "target" in table:
            yield Mistake(
                'goes only with mode = "raw"; with "bridge", port_name says what is '
                "wanted.",
                "target",
            )
        try:
            connection_string(table, source)
        except Mistake as mistake:
            yield mistake


@frozen
class SenderConfig:
    """The whole file."""

    ca_file: Authorities | None = field(default=None, metadata={"help": CA_FILE_HELP})
    insecure: bool = field(default=False, metadata={"help": INSECURE_HELP})
    data_path: DataPathName = field(default="slim", metadata={"help": DATA_PATH_HELP})
    tls: TLSPathName = field(default="lean", metadata={"help": TLS_HELP})
    timings: SenderTimings = field(
        factory=SenderTimings, metadata={"help": "", "table": True}
    )
    way_out: WayOut = field(factory=WayOut, metadata={"help": "", "table": True})
    update_notice: UpdateSettings = field(
        factory=UpdateSettings, metadata={"help": "", "table": True}
    )
    spare_tunnels: SpareTunnels = field(
        factory=SpareTunnels, metadata={"help": "", "table": True}
    )
    forwards: tuple[Forward, ...] = field(
        default=(), metadata={"help": "", "table": True, "key": "forward"}
    )
    redirects: tuple[Redirect, ...] = field(
        default=(), metadata={"help": "", "table": True, "key": "redirect"}
    )
    app: AppSettings = field(factory=AppSettings, metadata={"help": "", "table": True})
    names: NamesSettings = field(
        factory=NamesSettings, metadata={"help": "", "table": True}
    )
    front_door: FrontDoor = field(
        factory=FrontDoor, metadata={"help": "", "table": True}
    )

    @property
    def ca_files(self) -> tuple[str, ...]:
        """The further authorities, as L{hybridconn.dialer} takes them."""
        return () if self.ca_file is None else (str(self.ca_file),)

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """There is something to do, and no two want the same port."""
        value = table.get("forward")
        if not value and not table.get("redirect") and not table.get("app"):
            yield Mistake(
                "is missing; add a [[forward]], a [[redirect]] or an [app].", "forward"
            )
        yield from check_redirects(table)
        first: dict[tuple[HostPort, bool], int] = {}
        for index, item in enumerate(value if isinstance(value, list) else []):
            try:
                bind = parse_bind(item["bind"])
                port = (bind, item.get("protocol") == "udp")
            except (ValueError, TypeError, KeyError):
                continue
            if bind.port and first.setdefault(port, index) != index:
                yield Mistake(
                    f"{shown(item['bind'])} is taken by number {first[port] + 1}; use "
                    "another port.",
                    *("forward", index, "bind"),
                )


def load_sender(
    file: str | os.PathLike[str], environ: Mapping[str, str] = os.environ
) -> SenderConfig:
    """
    Read a sender's configuration.

    @raise ConfigError: with all that is wrong.
    """
    return _finish(load_file(file, SenderConfig, BUILDERS, environ))


def sender_from_options(
    connection_string_file: str | None = None,
    bind: str | None = None,
    ca_file: str | None = None,
    insecure: bool = False,
    environ: Mapping[str, str] = os.environ,
) -> SenderConfig:
    """
    Make the configuration of a sender with one local port.

    @param connection_string_file: without it the connection string comes from
        the environment variable C{HYBRIDCONN_CONNECTION_STRING}.
    @raise ConfigError: with all that is wrong.
    """
    raw = option_values(
        "forward",
        connection_string_file,
        {"bind": bind},
        {"ca_file": ca_file, "insecure": insecure},
        environ,
    )
    return _finish(load_options(raw, SenderConfig, BUILDERS, environ))


def _finish(config: SenderConfig) -> SenderConfig:
    secure = not config.insecure
    return attrs.evolve(
        config,
        forwards=tuple(
            attrs.evolve(one, connection=attrs.evolve(one.connection, secure=secure))
            for one in config.forwards
        ),
        redirects=tuple(
            attrs.evolve(one, connection=attrs.evolve(one.connection, secure=secure))
            for one in config.redirects
        ),
    )


def _build(table: ForwardTable, source: Source) -> Forward:
    given = attrs.asdict(
        table, recurse=False, filter=lambda _, value: value is not None
    )
    port_name = None
    if table.mode == "bridge":
        port_name = table.port_name or str(table.bind.port)
    return Forward(
        connection_string(given, source),
        table.bind,
        table.http,
        table.host_names,
        port_name,
        table.protocol == "udp",
        table.udp_idle_time,
        "" if table.target is None else str(table.target),
    )


BUILDERS: Mapping[type, tuple[type, Any]] = {
    Forward: (ForwardTable, _build),
    Redirect: (RedirectTable, build_redirect),
    AppSettings: (AppTable, build_app),
    **WAY_OUT,
    **UPDATE_NOTICE,
}
