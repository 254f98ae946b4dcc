"""
What managing costs those who use the relay meanwhile, and what many hybrid connections
cost.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.errors import BenchError
from bench.generators import Part
from bench.processes import Children, environment, free_port, wait_for_port
from bench.report import Row
from bench.tunnels import ENTITY, Hybridconn, Plain

MANY, FEW = 10_000, 10
#: Calls a second.
RATE = 100
WITHOUT = "without calls"
_SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
_NAMESPACES = (
    f"/subscriptions/{_SUBSCRIPTION}/resourceGroups/default"
    "/providers/Microsoft.Relay/namespaces"
)


class Managed(Hybridconn):
    """
    Ours, with a store and the management API.

    @cvar entities: hybrid connections beside the one that is used.
    """

    entities = 0

    def __init__(
        self,
        folder: Path,
        children: Children,
        target: int,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(folder, children, target, extra)
        self.management_port = free_port()
        self._token = secrets.token_urlsafe(24)
        self._namespace = ""

    def twistd(self, role: str, program: str, port: int | None = None) -> None:
        if role == "relay":
            self._move_to_store()
        super().twistd(role, program, port)
        if role == "relay":
            wait_for_port(self.management_port, self.children, 60)

    def api(self, part: str, **settings: Any) -> Part:
        """A part that makes calls."""
        return Part(
            self.children,
            self.folder,
            part,
            port=self.management_port,
            ca_file=str(self.conf / "ca.pem"),
            token=self._token,
            namespace=f"{_NAMESPACES}/{self._namespace}",
            entity=ENTITY,
            **settings,
        )

    def _move_to_store(self) -> None:
        path = self.conf / "relay.toml"
        before, header, behind = path.read_text().partition("[[namespace]]")
        namespaces = self.conf / "namespaces.toml"
        namespaces.touch(mode=0o600)
        more = "".join(
            f'[[namespace.hybrid_connection]]\npath = "spare-{number}"\n'
            for number in range(self.entities)
        )
        namespaces.write_text(f"{header}{behind}\n{more}")
        self._namespace = behind.partition('name = "')[2].partition('"')[0]
        key = self.conf / "store.key"
        key.touch(mode=0o600)
        key.write_text(self._hybridconn("store-key"))
        sha256 = hashlib.sha256(self._token.encode()).hexdigest()
        path.write_text(
            f"{before}\n"
            f'[store]\npath = "relay.db"\nkey_file = "store.key"\n'
            f"[management]\nport = {self.management_port}\n"
            f'[[management.token]]\nname = "bench"\nsha256 = "{sha256}"\n'
        )
        self._hybridconn("apply", str(namespaces), "--config", str(path))

    def _hybridconn(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "hybridconn", *arguments],
            cwd=self.conf,
            env=environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BenchError(f"hybridconn {arguments[0]}: {done.stderr.strip()[-300:]}")
        return done.stdout


class _Many(Managed):
    """Ten thousand hybrid connections, and a new tunnel for every connection."""

    entities = MANY - 1
    sender_toml = Plain.sender_toml


class _Few(_Many):
    """The same with ten."""

    name = f"{FEW} entities"
    entities = FEW - 1


@contextlib.contextmanager
def _stand(
    kinds: tuple[type[Managed], ...], extra: Mapping[str, str]
) -> Iterator[list[Managed]]:
    with (
        tempfile.TemporaryDirectory(prefix="hybridconn-bench-") as name,
        Children() as children,
    ):
        folder = Path(name)
        target = Part(children, folder, "target").expect("ready")["port"]
        found = [kind(folder, children, target, extra) for kind in kinds]
        for one in found:
            one.start()
        yield found


def calls(
    rounds: int, seconds: int, extra: Mapping[str, str], say: Callable[[str], None]
) -> list[Row]:
    """
    Bulk and echo, with management calls and without.

    @param seconds: for each measurement.
    """
    names = (Managed.name, WITHOUT)
    p99: dict[str, list[float]] = {name: [] for name in names}
    speed: dict[str, list[float]] = {name: [] for name in names}
    rate: list[float] = []
    slow: list[float] = []
    cpu: list[float] = []
    with _stand((Managed,), extra) as (tunnel,):
        for number in range(rounds):
            alone = tunnel.api("management", rate=RATE, seconds=seconds)
            alone.expect("ready")
            before = tunnel.cpu()["relay"]
            alone.go()
            count = alone.expect("done")["count"]
            cpu.append((tunnel.cpu()["relay"] - before) / count * 1e3)
            alone.end()
            for name in names:
                say(f"  round {number + 1}: {name}")
                api = None
                if name != WITHOUT:
                    api = tunnel.api("management", rate=RATE, seconds=seconds + 1)
                    api.expect("ready")
                bulk = _app(tunnel, "bulk", way="up", bytes=0, seconds=seconds + 1)
                bulk.expect("ready")
                if api is not None:
                    api.go()
                bulk.go()
                time.sleep(0.5)
                echo = _app(
                    tunnel, "echo", bytes=64, count=10**9, seconds=seconds, pause=0.002
                )
                echo.expect("ready")
                echo.go()
                p99[name].append(echo.expect("done")["p99"] * 1e3)
                done = bulk.expect("done")
                speed[name].append(done["bytes"] / done["seconds"] / (1 << 20))
                if api is not None:
                    made = api.expect("done")
                    rate.append(made["count"] / made["seconds"])
                    slow.append(made["p99"] * 1e3)
                    api.end()
                echo.end()
                bulk.end()
                time.sleep(0.5)
    ours = Managed.name
    what = f"with {RATE} calls/s"
    return [
        Row("management", f"echo beside bulk, p99, {what}", "ms", p99, base=WITHOUT),
        Row("management", f"bulk beside echo, {what}", "MiB/s", speed, base=WITHOUT),
        Row("management", "calls beside both", "1/s", {ours: rate}),
        Row("management", "calls beside both, p99", "ms", {ours: slow}),
        Row("management", "relay's CPU for a call, nothing beside", "ms", {ours: cpu}),
    ]


def entities(
    rounds: int, seconds: int, extra: Mapping[str, str], say: Callable[[str], None]
) -> list[Row]:
    """
    Lists and senders' look-ups with many hybrid connections, beside the same with few.

    @param seconds: for each measurement of senders.
    """
    page: dict[str, list[float]] = {}
    walk: dict[str, list[float]] = {}
    rate: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {}
    say(f"  {MANY} hybrid connections are made")
    with _stand((_Many, _Few), extra) as tunnels:
        for number in range(rounds):
            for tunnel in tunnels:
                say(f"  round {number + 1}: {tunnel.name}")
                part = tunnel.api("pages", count=50)
                part.expect("ready")
                part.go()
                done = part.expect("done", 300)
                part.end()
                if done["found"] != tunnel.entities + 1:
                    raise BenchError(f"{done['found']} were listed")
                page.setdefault(tunnel.name, []).append(done["page"] * 1e3)
                walk.setdefault(tunnel.name, []).append(done["walk"] * 1e3)
                part = _app(tunnel, "rate", at_once=16, seconds=seconds)
                part.expect("ready")
                before = tunnel.cpu()["relay"]
                part.go()
                done = part.expect("done")
                spent = tunnel.cpu()["relay"] - before
                part.end()
                rate.setdefault(tunnel.name, []).append(done["count"] / done["seconds"])
                cpu.setdefault(tunnel.name, []).append(spent / done["count"] * 1e3)
    case, base = "entities", _Few.name
    return [
        Row(case, f"{MANY} entities: a page of the list", "ms", page, base=base),
        Row(case, f"{MANY} entities: all pages", "ms", walk, base=base),
        Row(case, f"{MANY} entities: cold tunnels", "1/s", rate, base=base),
        Row(case, f"{MANY} entities: relay's CPU for each", "ms", cpu, base=base),
    ]


def _app(tunnel: Managed, part: str, **settings: Any) -> Part:
    return Part(tunnel.children, tunnel.folder, part, port=tunnel.port, **settings)
