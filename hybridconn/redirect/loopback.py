"""IPv6 addresses on the loopback interface: unlike IPv4 it has one only by itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

_PATIENCE = 10.0


def add_addresses(addresses: Iterable[str]) -> list[str]:
    """
    Put addresses on the loopback interface, until the machine is started anew.

    @return: what is wrong with those that could not be, with the mend.
    """
    return [
        f"{address} is not on the loopback interface ({why}), so nothing is reached by"
        f" IPv6; as root: ip -6 address add {address}/128 dev lo"
        for address in addresses
        if (why := _ip("replace", address))
    ]


def remove_addresses(addresses: Iterable[str]) -> None:
    """Take them away again, those that are there."""
    for address in addresses:
        _ip("delete", address)


def _ip(verb: str, address: str) -> str:
    """What is wrong; empty if nothing is."""
    argv = ["ip", "-6", "address", verb, f"{address}/128", "dev", "lo"]
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
    except FileNotFoundError:
        return "there is no program ip"
    except (OSError, subprocess.TimeoutExpired):
        return "ip cannot be run"
    if done.returncode == 0:
        return ""
    return done.stderr.strip().splitlines()[0] if done.stderr.strip() else "ip failed"
