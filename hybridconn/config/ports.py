"""Ports with a name: what a listener in C{mode = "bridge"} offers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from attrs import frozen

from hybridconn.config.addresses import Target, parse_target
from hybridconn.config.kinds import Kind, choice
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.secrets import Source
from hybridconn.core.preamble import check_port_name

_UDP = "udp:"


Mode = Annotated[Literal["raw", "bridge"], Kind("name", str, choice("raw", "bridge"))]

Protocol = Annotated[Literal["tcp", "udp"], Kind("name", str, choice("tcp", "udp"))]


def _port_name(value: str, source: Source) -> str:
    try:
        check_port_name(value)
    except ValueError as error:
        raise Mistake(f"{shown(value)} is no name: {error}.") from None
    return value


PortName = Annotated[str, Kind("name", str, _port_name)]

MODE_HELP = (
    "What is said at the beginning of a tunnel: `raw`, nothing, as Azure's connection "
    "manager has it; `bridge`, azbridge's preamble. The other end must have the same."
)


class UdpTarget(Target):
    """One that speaks UDP."""

    def __str__(self) -> str:
        return f"{_UDP}{self.text}"


@frozen
class NamedPort:
    """
    @ivar name: by which senders ask for it.
    @ivar target: where they are joined to.
    @ivar datagrams: by UDP.
    """

    name: str
    target: Target
    datagrams: bool = False

    @property
    def place(self) -> Target:
        """Its target, which says whether it speaks UDP."""
        if not self.datagrams:
            return self.target
        return UdpTarget(self.target.text, self.target.host_port)

    def __str__(self) -> str:
        kind = _UDP if self.datagrams else ""
        return f"{self.name}={kind}{self.target}"


def parse_port(text: str) -> NamedPort:
    """
    Read C{name=host:port}, C{name=udp:host:port}, or the same without a name, which is
    then the port's number; in place of C{host:port} another target may stand.

    @raise ValueError: with a sentence on what is wrong.
    """
    name, equals, where = text.rpartition("=")
    datagrams = where.startswith(_UDP)
    target = parse_target(where.removeprefix(_UDP))
    if target.http is not None:
        raise ValueError("a named port is no HTTP service; use host:port")
    if datagrams and target.host_port is None:
        raise ValueError("behind udp: a host and a port are needed")
    if not equals:
        if target.host_port is None:
            raise ValueError("it has no port number, so it needs a name=")
        name = str(target.host_port.port)
    check_port_name(name)
    return NamedPort(name, target, datagrams)


def _port(value: str, source: Source) -> NamedPort:
    try:
        return parse_port(value)
    except ValueError as error:
        raise Mistake(f"{shown(value)} is no named port: {error}.") from None


Port = Annotated[NamedPort, Kind("name=host:port, name=udp:host:port", str, _port)]


def check_ports(table: Mapping[str, Any]) -> Iterator[Mistake]:
    """C{ports} goes with the mode that names them, and each name is there once."""
    ports = table.get("ports")
    bridge = table.get("mode") == "bridge"
    if ports and not bridge:
        yield Mistake('goes only with mode = "bridge"; add it.', "ports")
    if ports and "target" in table:
        yield Mistake("goes without target; add that to the ports.", "ports")
    target = table.get("target")
    if bridge and isinstance(target, str) and target.lower().startswith("http"):
        yield Mistake('goes only with mode = "raw"; use host:port.', "target")
    first: dict[str, int] = {}
    for index, item in enumerate(ports if isinstance(ports, list) else []):
        try:
            name = parse_port(item).name
        except (ValueError, AttributeError):
            continue
        if first.setdefault(name, index) != index:
            yield Mistake(
                f"{shown(name)} is the name of number {first[name] + 1}, too; give it "
                "another.",
                *("ports", index),
            )


def check_forward(table: Mapping[str, Any]) -> Iterator[Mistake]:
    """What goes with which mode of a C{[[forward]]}."""
    bridge = table.get("mode") == "bridge"
    udp = table.get("protocol") == "udp"
    for key in ("port_name", "protocol"):
        if key in table and not bridge:
            yield Mistake('goes only with mode = "bridge"; add it.', key)
    if "udp_idle_time" in table and not udp:
        yield Mistake('goes only with protocol = "udp"; add it.', "udp_idle_time")
    if table.get("http") is True and bridge:
        yield Mistake('goes only with mode = "raw"; leave one of them out.', "http")
    bind = table.get("bind")
    if bridge and "port_name" not in table and str(bind).endswith(":0"):
        yield Mistake("is missing; with port 0 there is no other name.", "port_name")


def check_redirect(table: Mapping[str, Any]) -> Iterator[Mistake]:
    """What goes with which mode of a C{[[redirect]]}."""
    bridge = table.get("mode") == "bridge"
    if "port_name" in table and not bridge:
        yield Mistake('goes only with mode = "bridge"; add it.', "port_name")
    if bridge and "endpoints" in table:
        yield Mistake(
            'goes only with mode = "raw"; azbridge\'s preamble has no host in it, so '
            "use a redirect with endpoint for each.",
            "endpoints",
        )
    elif bridge and not ("endpoint" in table or "port_name" in table):
        yield Mistake(
            "is missing; without endpoint there is no other name.", "port_name"
        )
