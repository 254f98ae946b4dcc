"""
Three hosts in network namespaces: the app's, the relay's and the data centre's.

    app 10.90.1.1 --- 10.90.1.2 relay 10.90.2.1 --- 10.90.2.2 data centre

Only the relay's has both networks, and it forwards nothing: whoever reaches the data
centre from the app's host came through the relay.  Each host has an C{/etc}, C{/run}
and C{/var/lib} of its own, so that a test may do with them what it likes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.integration.case import need
from tests.integration.programs import output_of
from tests.integration.waiting import wait_for

_SETUP = """
set -e
mkdir "$0/etc"
mount -t tmpfs none "$0/etc"
cp -a /etc/. "$0/etc/"
mount --bind "$0/etc" /etc
for folder in run var/lib; do
    mkdir -p "$0/$folder"
    mount -t tmpfs none "/$folder"
done
mkdir -p /run/sshd
ip link set lo up
touch "$0/ready"
exec sleep infinity
"""


class Host:
    """
    A host of its own.

    @ivar inside: begins the command line of whatever is to run there.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._folder = Path(tempfile.mkdtemp(prefix=f"hybridconn-{name}-"))
        self._holder = subprocess.Popen(
            [
                # It ends with us, however we end.
                *("setpriv", "--pdeathsig", "KILL"),
                *("unshare", "--net", "--mount", "--propagation", "private"),
                *("sh", "-c", _SETUP, str(self._folder)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

        def ready() -> bool:
            assert self._holder.poll() is None, f"host {name} cannot be set up"
            return (self._folder / "ready").exists()

        wait_for(f"host {name}", ready)
        self.pid = self._holder.pid
        self.inside = ["nsenter", "-t", str(self.pid), "-n", "-m", "--"]

    def run(
        self,
        *argv: str,
        env: Mapping[str, str] | None = None,
        given: bytes | None = None,
        seconds: float = 60.0,
    ) -> tuple[int, str]:
        """Run a program there to its end: its exit status and all that it printed."""
        return output_of([*self.inside, *argv], seconds, env, given=given)

    def must(self, *argv: str, given: bytes | None = None) -> str:
        """The same for one that must succeed."""
        status, said = self.run(*argv, given=given)
        assert status == 0, f"{argv}: {status} {said}"
        return said

    def path(self, name: str) -> Path:
        """One of its files, as we see it."""
        return Path(f"/proc/{self.pid}/root{name}")

    def close(self) -> None:
        """End the holder; the namespaces end when nothing runs in them."""
        self._holder.terminate()
        self._holder.wait()
        shutil.rmtree(self._folder, ignore_errors=True)


class Hosts:
    """The three hosts and their links."""

    def __init__(self) -> None:
        need(os.getuid() == 0, "network namespaces are for root")
        for program in ("ip", "unshare", "nsenter", "setpriv"):
            need(shutil.which(program), f"no program {program} here (Debian: iproute2)")
        status, said = output_of(["unshare", "--net", "--mount", "true"])
        need(status == 0, f"no namespaces here: {said.strip()}")
        self.app, self.relay, self.centre = (
            Host(name) for name in ("app", "relay", "centre")
        )
        _link(self.app, "10.90.1.1/24", self.relay, "10.90.1.2/24", "hc0", "hc0")
        _link(self.relay, "10.90.2.1/24", self.centre, "10.90.2.2/24", "hc1", "hc0")
        self.relay.must("sysctl", "-qw", "net.ipv4.ip_forward=0")

    def close(self) -> None:
        """End all three."""
        for host in (self.app, self.relay, self.centre):
            host.close()


def _link(
    one: Host, at: str, other: Host, there: str, name: str, other_name: str
) -> None:
    one.must(
        *("ip", "link", "add", name, "type", "veth"),
        *("peer", "name", other_name, "netns", str(other.pid)),
    )
    for host, link, address in ((one, name, at), (other, other_name, there)):
        host.must("ip", "address", "add", address, "dev", link)
        host.must("ip", "link", "set", link, "up")
