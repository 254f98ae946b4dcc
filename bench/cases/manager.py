"""A connection manager with many hybrid connections."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from bench.cases.run import KIB, Run
from bench.errors import BenchError
from bench.processes import LOOPBACK, Child, Children, environment
from bench.report import Row
from bench.tunnels import ENTITY, Hybridconn

MANY = 200
ONE, IMPORTS = "one connection", "imports alone"
#: Seconds that all of them have to come online.
_PATIENCE = 120.0
_LOOK = 0.01


class _Managed(Hybridconn):
    """
    A relay with many entities; managers are started by the case.

    @ivar entities: at the relay.
    """

    def __init__(
        self,
        folder: Path,
        children: Children,
        count: int,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        self.entities = tuple(f"{ENTITY}{number}" for number in range(count))
        more = dict(extra or {})
        more["relay"] = more.get("relay", "") + "".join(
            f'[[namespace.hybrid_connection]]\npath = "{entity}"\n'
            for entity in self.entities
        )
        super().__init__(folder, children, 1, more)

    def twistd(self, role: str, program: str, port: int | None = None) -> None:
        if role == "relay":
            super().twistd(role, program, port)

    def _wait_online(self) -> None:
        """There is no listener yet."""

    @contextlib.contextmanager
    def manager(self, count: int) -> Iterator[tuple[Child, float]]:
        """
        A manager of C{count} of the entities, while it is needed.

        @return: it, and the seconds until all of them were online.
        """
        text = 'ca_file = "ca.pem"\n' + self._extra.get("listener", "")
        text += f"[admin]\nsocket = {json.dumps(str(self.folder / 'hcm.sock'))}\n"
        for entity in self.entities[:count]:
            string = self.connection_string(entity)
            text += (
                f"[[hybrid_connection]]\nconnection_string = {json.dumps(string)}\n"
                f'target = "{LOOPBACK}:1"\n'
            )
        file = self.conf / "manager.toml"
        file.touch(mode=0o600)
        file.write_text(text)
        began = time.monotonic()
        child = self.children.start(
            f"manager-{count}-{began:.0f}",
            [*_twistd(), "hclistener", "--config", str(file)],
            self.folder,
        )
        try:
            self._wait(child, count, began + _PATIENCE)
            yield child, time.monotonic() - began
        finally:
            self.children.end(child)

    def _wait(self, child: Child, count: int, deadline: float) -> None:
        while child.log.read_text(errors="replace").count(": online at ") < count:
            self.children.check()
            if time.monotonic() > deadline:
                raise BenchError(f"not all {count} hybrid connections came online")
            time.sleep(_LOOK)


def _twistd() -> list[str]:
    return [str(Path(sys.executable).with_name("twistd")), "-n", "--pidfile="]


def _imports(folder: Path) -> float:
    """Seconds of a C{twistd} that reads all of the program and does nothing."""
    began = time.monotonic()
    done = subprocess.run(
        [*_twistd(), "hclistener", "--help"],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"twistd hclistener --help: {done.stderr.strip()[-300:]}")
    return time.monotonic() - began


def manager(run: Run) -> list[Row]:
    """200 hybrid connections in one manager, beside one: start, memory, idle."""
    count = run.scaled(MANY, 2)
    ours = _Managed.name
    start: dict[str, list[float]] = {ours: [], ONE: [], IMPORTS: []}
    held: dict[str, list[float]] = {ours: [], ONE: []}
    idle: dict[str, list[float]] = {ours: [], ONE: []}
    with (
        tempfile.TemporaryDirectory(prefix="hybridconn-bench-") as name,
        Children() as children,
    ):
        relay = _Managed(Path(name), children, count, run.extra)
        relay.start()
        _imports(relay.folder)  # the first one may have files to compile
        for number in range(run.rounds):
            run.say(f"  round {number + 1}: {IMPORTS}")
            start[IMPORTS].append(_imports(relay.folder))
            for who, some in ((ours, count), (ONE, 1)):
                run.say(f"  round {number + 1}: {who}")
                with relay.manager(some) as (child, seconds):
                    start[who].append(seconds)
                    # What the start has left to do is over by then.
                    time.sleep(run.scaled(14, 1))
                    before, began = child.cpu(), time.monotonic()
                    # Some pings, which come every 30 seconds.
                    time.sleep(run.scaled(60, 1))
                    share = (child.cpu() - before) / (time.monotonic() - began)
                    idle[who].append(100 * share)
                    held[who].append(child.memory().rss / KIB)
    each = {
        ours: [
            (many - one) * KIB / max(1, count - 1)
            for many, one in zip(held[ours], held[ONE], strict=True)
        ]
    }
    what = f"{count} hybrid connections"
    return [
        Row("manager", f"{what}, start to all online", "s", start, base=IMPORTS),
        Row("manager", f"{what}, resident", "MiB", held, base=ONE),
        Row("manager", "resident, for each one more", "KiB", each),
        Row("manager", f"{what}, idle", "% of a core", idle, base=ONE),
    ]
