"""C{[[forward]]} of a sender: a local port and where its connections go."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from attrs import field, frozen

from hybridconn.config.addresses import HostPort, parse_host_name
from hybridconn.config.kinds import FileName, Kind, Seconds, VariableName
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.ports import (
    MODE_HELP,
    Mode,
    PortName,
    Protocol,
    check_forward,
)
from hybridconn.config.redirects import LocalBind, Wanted
from hybridconn.config.roles import (
    FILE_HELP,
    STRING_HELP,
    VARIABLE_HELP,
    connection_of,
)
from hybridconn.config.secrets import Source, connection_string
from hybridconn.core.connection_string import ConnectionString


def _host_name(value: str, source: Source) -> str:
    try:
        return value if value == "*" else parse_host_name(value)
    except ValueError as error:
        raise Mistake(f"{shown(value)} is no host name: {error}.") from None


_HostName = Annotated[str, Kind("host name", str, _host_name)]


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


def build_forward(table: ForwardTable, source: Source) -> Forward:
    port_name = None
    if table.mode == "bridge":
        port_name = table.port_name or str(table.bind.port)
    return Forward(
        connection_of(table, source),
        table.bind,
        table.http,
        table.host_names,
        port_name,
        table.protocol == "udp",
        table.udp_idle_time,
        "" if table.target is None else str(table.target),
    )
