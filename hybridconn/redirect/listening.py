"""Which local ports somebody listens at, as Linux tells it, without dialling."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from hybridconn.config.addresses import HostPort
from hybridconn.core.text import printable

_LISTENS = "0A"
#: Of a UDP socket that takes datagrams from anybody.
_UNCONNECTED = "07"
_TCP = ("tcp", "tcp6")
#: All addresses; the second one mostly stands for IPv4 as well.
_ALL = ("0.0.0.0", "::")


def listening(proc: Path = Path("/proc")) -> set[HostPort]:
    """All of them; empty where the system does not tell."""
    return set(listening_sockets(proc))


def listening_sockets(
    proc: Path = Path("/proc"), udp: bool = False
) -> dict[HostPort, int]:
    """The same, each with the number by which the system knows its socket."""
    return {place: int(number) for place, number in _read(proc, udp)}


def occupant(wanted: HostPort, proc: Path = Path("/proc")) -> str:
    """
    Who listens where somebody else wants to, in words: the place, which may be all
    addresses, and the program, as far as the system tells.  Empty for nobody.
    """
    for place, socket_number in _read(proc):
        if place.port == wanted.port and place.host in (wanted.host, *_ALL):
            who = _holder(f"socket:[{socket_number}]", proc)
            told = f"{who or 'another program'} listens at {place}"
            if place.host in _ALL:
                return f"{told}, which is everywhere: give it addresses of its own"
            return told
    return ""


def _holder(socket_name: str, proc: Path) -> str:
    for link in proc.glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == socket_name:
                name = (link.parents[1] / "comm").read_text("utf-8", "replace")
                return f"{printable(name.strip())}, process {link.parents[1].name},"
        except OSError:
            continue  # it ended, or is somebody else's
    return ""


def _read(proc: Path, udp: bool = False) -> Iterator[tuple[HostPort, str]]:
    """Each place, and the number of its socket."""
    names, state = (("udp", "udp6"), _UNCONNECTED) if udp else (_TCP, _LISTENS)
    for name in names:
        try:
            text = (proc / "net" / name).read_text("ascii")
        except OSError:
            continue
        for line in text.splitlines()[1:]:
            words = line.split()
            if len(words) > 9 and words[3] == state:
                address, _, port = words[1].partition(":")
                yield HostPort(_address(address), int(port, 16)), words[9]


def _address(text: str) -> str:
    # Words of four bytes, each in the machine's own order.
    raw = b"".join(
        socket.htonl(int.from_bytes(bytes.fromhex(text[at : at + 8]), "big")).to_bytes(
            4, "big"
        )
        for at in range(0, len(text), 8)
    )
    return str(ipaddress.ip_address(raw))
