"""What apps of this machine find: the name, and the port of the sender."""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Callable, Mapping
from ipaddress import IPv4Network
from pathlib import Path
from typing import Final

from hybridconn.config.addresses import HostPort
from hybridconn.core.text import printable
from hybridconn.diagnosis.check import Check, Result
from hybridconn.names.plan import WILDCARD
from hybridconn.redirect.listening import listening_sockets

NAME, PORT = "name", "local port"

#: Begins a place that is not known before its name is found.
_SOMEWHERE: Final = "one of "
#: Where a port is every address' of this machine.
ANY: Final = ("0.0.0.0", "::")  # nothing is bound here
#: A word in the command line of a program that is, or has, a sender.
_SENDERS: Final = frozenset({b"hcsender", b"hybridconn"})


def resolve(name: str) -> set[str]:
    """As the apps of this machine do."""
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return set()
    return {str(where[4][0]) for where in found}


def place_below(
    network: IPv4Network,
    asked: HostPort,
    find: Callable[[str], set[str]] = resolve,
) -> HostPort:
    """
    Where the sender listens for a name below a wildcard of many services: each has an
    address from when it is first asked for.

    @param network: of the sender's addresses.
    @param asked: that name, or the wildcard.
    """
    found = sorted(find(_tried(asked)))
    own = (address for address in found if ipaddress.ip_address(address) in network)
    return HostPort(next(own, f"{_SOMEWHERE}{network}"), asked.port)


def check_name(
    subject: str,
    endpoint: HostPort,
    place: HostPort,
    clock: Callable[[], float],
    find: Callable[[str], set[str]] = resolve,
) -> Check:
    """
    Whether apps find the sender's address by the name of a service.

    @param place: where the sender listens for it.
    @param clock: seconds, of any zero.
    """
    asked = _tried(endpoint)
    began = clock()
    found = find(asked)
    seconds = clock() - began
    if place.host in found:
        seen = f"{asked} is found as {place.host}"
        return Check(subject, NAME, Result.PASS, seen, "", seconds)
    seen = f"{asked} is {' and '.join(sorted(found)) or 'not found'}, not {place.host}"
    mend = "have it found: hybridconn redirect install --config sender.toml --way hosts"
    if endpoint.host.startswith(WILDCARD) or place.host.startswith(_SOMEWHERE):
        mend = "a name below a wildcard needs --way resolv or resolved"
    return Check(subject, NAME, Result.FAIL, seen, mend, seconds)


def check_port(
    subject: str, place: HostPort, proc: Path = Path("/proc"), udp: bool = False
) -> Check:
    """Whether a sender listens at a place; without a connection to it."""
    if place.host.startswith(_SOMEWHERE):
        why = "where the sender listens is known when the name is found"
        return Check(subject, PORT, Result.SKIP, why)
    sockets = listening_sockets(proc, udp)
    if not (proc / "net/tcp").exists():
        return Check(
            subject, PORT, Result.SKIP, "this system does not tell who listens"
        )
    at = next((one for one in _covering(place) if one in sockets), None)
    if at is None:
        mend = "start twistd hcsender; if it runs, its log says why it does not listen"
        return Check(subject, PORT, Result.FAIL, f"nobody listens at {place}", mend)
    owner = _owner(sockets, at, proc)
    if owner is None:
        seen = f"somebody listens at {at}; only root sees who"
        return Check(subject, PORT, Result.PASS, seen)
    pid, name, sends = owner
    if sends:
        seen = f"the sender listens at {at}, process {pid}"
        return Check(subject, PORT, Result.PASS, seen)
    seen = f"{name}, process {pid}, listens at {at}, and is no sender"
    mend = "stop it, or use another address for one of them; then start the sender"
    return Check(subject, PORT, Result.FAIL, seen, mend)


def _tried(endpoint: HostPort) -> str:
    """The name that is looked up for it."""
    return endpoint.host.replace("*", "hybridconn-test", 1)


def _covering(place: HostPort) -> list[HostPort]:
    """Where somebody may listen who gets the connections to C{place}."""
    return [place, *(HostPort(any_, place.port) for any_ in ANY)]


def _owner(
    sockets: Mapping[HostPort, int], at: HostPort, proc: Path
) -> tuple[int, str, bool] | None:
    """
    The process that listens, its name, and whether it is a sender; L{None}: not told.
    Its command line may hold anything, so it is not shown.
    """
    wanted = f"socket:[{sockets[at]}]"
    for folder in proc.glob("[0-9]*"):
        try:
            for opened in (folder / "fd").iterdir():
                if os.readlink(opened) == wanted:
                    line = (folder / "cmdline").read_bytes()
                    name = printable((folder / "comm").read_text("utf-8", "replace"))
                    words = {one.rpartition(b"/")[2] for one in line.split(b"\0")}
                    return int(folder.name), name, bool(words & _SENDERS)
        except OSError:
            continue
    return None
