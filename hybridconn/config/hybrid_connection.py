"""
C{[[hybrid_connection]]} of a listener: what it listens on, and to what senders are
joined.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from attrs import field, frozen

from hybridconn.config.addresses import Target, parse_target
from hybridconn.config.hcm import Allowed, WhenDown
from hybridconn.config.kinds import (
    Authorities,
    FileName,
    Kind,
    Name,
    Seconds,
    VariableName,
)
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.ports import MODE_HELP, Mode, NamedPort, Port, check_ports
from hybridconn.config.roles import (
    FILE_HELP,
    STRING_HELP,
    VARIABLE_HELP,
    connection_of,
)
from hybridconn.config.secrets import DiscontinuedMistake, Source, connection_string
from hybridconn.core.allow_list import AllowedTarget
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.http import split_authority
from hybridconn.core.names import fold


def _target(value: str, source: Source) -> Target:
    try:
        target = parse_target(value)
    except ValueError as error:
        raise Mistake(f"{shown(value)} is no target: {error}.") from None
    if target.text.startswith("*."):
        raise Mistake(
            f"{shown(value)} is many targets; for these write targets = [...]."
        )
    return target


#: Seconds between two looks at a target, at least.
_LEAST_INTERVAL: Final = 0.1

_Target = Annotated[Target, Kind("address", str, _target)]


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
    @ivar target: L{None}: what the hybrid connection's metadata says, unless there are
        C{targets}.
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
    @ivar targets: those that senders may want, each saying which.
    @ivar mode: what is said at the beginning of a tunnel: C{raw} or C{bridge}.
    @ivar ports: what senders may ask for then, in place of C{target}.
    @ivar proxy_protocol: begin each connection to a target with such a header.
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
    targets: tuple[AllowedTarget, ...] = ()
    mode: str = "raw"
    ports: tuple[NamedPort, ...] = ()
    proxy_protocol: bool = False
    answer_probes: bool = True

    @property
    def is_told_target(self) -> bool:
        """Whether the configuration, not metadata, says what is reached."""
        return self.target is not None or bool(self.targets or self.ports)

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
    targets: tuple[Allowed, ...] = field(
        default=(),
        metadata={
            "help": "Instead of `target`: senders say which host and port they want, "
            "and are joined to it if it is among these, such as `*.apps.corp:443` or "
            "`10.1.0.0/16:1-1024`; written as in `allow_targets`, which holds too."
        },
    )
    mode: Mode = field(default="raw", metadata={"help": MODE_HELP})
    ports: tuple[Port, ...] = field(
        default=(),
        metadata={
            "help": "With `bridge`: what senders may ask for by name, in place of "
            "`target`, such as `sql=db.corp:1433`, `udp:ns.corp:53` or "
            "`app=unix:/run/app.sock`. Without a name, the port number is it; a "
            "single one answers to every number."
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
    proxy_protocol: bool = field(
        default=False,
        metadata={
            "help": "Begin each connection to the target with a header of the PROXY "
            "protocol, version 2: the sender's address, and the entity, the rule and "
            "the tracking id. The target must expect it. Not for HTTP targets and UDP."
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
        yield from _check_targets(table)
        yield from check_ports(table)
        interval = table.get("target_check_interval")
        if isinstance(interval, int | float) and 0 < interval < _LEAST_INTERVAL:
            yield Mistake(
                f"{interval:g} keeps the machine busy; use {_LEAST_INTERVAL} or more.",
                "target_check_interval",
            )
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


def _check_targets(table: Mapping[str, Any]) -> Iterator[Mistake]:
    targets = table.get("targets")
    if not isinstance(targets, list | tuple):
        return
    if not targets:
        yield Mistake(
            "is empty, which allows nothing; add targets, or leave it out.", "targets"
        )
    for key, why in (
        ("target", "is what every sender is joined to, and with targets each says"),
        ("target_check_interval", "looks at one target, and here are many"),
        ("dial_ahead", "reaches a target before it is known which"),
    ):
        if table.get(key):
            yield Mistake(f"{why}; leave out one of the two.", key)
    if table.get("mode") == "bridge":
        yield Mistake(
            "are for senders of ours, which say what they want without azbridge's "
            'preamble; leave out mode = "bridge", or use ports.',
            "targets",
        )
    for index, text in enumerate(targets):
        if isinstance(text, str) and text.startswith("unix:"):
            yield Mistake(
                f"{shown(text)} is no host and port, which is what senders say.",
                *("targets", index),
            )


def _check_http(table: Mapping[str, Any]) -> Iterator[Mistake]:
    target = table.get("target")
    scheme = target.partition(":")[0].lower() if isinstance(target, str) else ""
    if table.get("proxy_protocol") is True and scheme in ("http", "https"):
        yield Mistake(
            "goes only with a target such as db.corp:5432; an HTTP target is told in "
            "X-Forwarded-For.",
            "proxy_protocol",
        )
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


def build_hybrid_connection(
    table: HybridConnectionTable, source: Source
) -> HybridConnectionTarget:
    """Read the connection string of a table."""
    discontinued = False
    try:
        found = connection_of(table, source)
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
        table.targets,
        table.mode,
        table.ports,
        table.proxy_protocol,
        table.answer_probes,
    )
