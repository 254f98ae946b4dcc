"""IPv6 addresses on the loopback interface: unlike IPv4 it has one only by itself."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable

_PATIENCE = 10.0


class Loopback:
    """The loopback interface of this machine."""

    def add(self, addresses: Iterable[str]) -> list[str]:
        """
        Put addresses on it, until the machine is started anew.

        @return: what is wrong with those that could not be, with the mend.
        """
        return [
            f"{address} is not on the loopback interface ({why}), so nothing is reached"
            f" by IPv6; as root: ip -6 address add {address}/128 dev lo"
            for address in addresses
            if (why := self.run("replace", address))
        ]

    def remove(self, addresses: Iterable[str]) -> None:
        """Take them away again, those that are there."""
        for address in addresses:
            self.run("delete", address)

    def run(self, verb: str, address: str) -> str:
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
        said = done.stderr.strip().splitlines()
        return "" if done.returncode == 0 else (said or ["ip failed"])[0]


class ElsewhereLoopback(Loopback):
    """That of a machine for which an image is prepared: it is not at hand."""

    def run(self, verb: str, address: str) -> str:
        """See L{Loopback.run}."""
        return "an image has none; run this where it runs"
