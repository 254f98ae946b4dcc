"""Which local TCP ports somebody listens at, as Linux tells it, without dialling."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from pathlib import Path

from hybridconn.config.addresses import HostPort

_LISTENS = "0A"


def listening(proc: Path = Path("/proc")) -> set[HostPort]:
    """All of them; empty where the system does not tell."""
    return set(listening_sockets(proc))


def listening_sockets(proc: Path = Path("/proc")) -> dict[HostPort, int]:
    """The same, each with the number by which the system knows its socket."""
    found: dict[HostPort, int] = {}
    for name in ("tcp", "tcp6"):
        try:
            text = (proc / "net" / name).read_text("ascii")
        except OSError:
            continue
        found.update(_read(text))
    return found


def _read(text: str) -> Iterator[tuple[HostPort, int]]:
    for line in text.splitlines()[1:]:
        words = line.split()
        if len(words) > 3 and words[3] == _LISTENS:
            address, _, port = words[1].partition(":")
            number = int(words[9]) if len(words) > 9 else 0
            yield HostPort(_address(address), int(port, 16)), number


def _address(text: str) -> str:
    # Words of four bytes, each in the machine's own order.
    raw = b"".join(
        socket.htonl(int.from_bytes(bytes.fromhex(text[at : at + 8]), "big")).to_bytes(
            4, "big"
        )
        for at in range(0, len(text), 8)
    )
    return str(ipaddress.ip_address(raw))
