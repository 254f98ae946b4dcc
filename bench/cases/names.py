"""Look-ups of names, and tunnels by them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.cases.run import Run, part_of
from bench.errors import BenchError
from bench.generators import Part
from bench.processes import LOOPBACK, Child, Children, free_port
from bench.report import Row
from bench.tunnels import Hybridconn

FORWARD, DNSMASQ, BARE = "plain forward", "dnsmasq", "bare server"
NAME = "bench.corp"
#: What is asked for: a figure's words, and the name, another one each time with C{{}}.
KINDS = (
    ("redirected name", NAME),
    ("name passed on, kept", "kept.bench.test"),
    ("name passed on", "{}.bench.test"),
)
_AT_ONCE = 16


class _Named(Hybridconn):
    """
    A sender with a forward, a redirected name for the same hybrid connection, and a
    name server.

    @ivar dns: the name server's port.
    @ivar app: the port that belongs to the name.
    @param upstream: the port where it passes on what it does not know.
    """

    def __init__(
        self, run: Run, folder: Path, children: Children, target: int, upstream: int
    ) -> None:
        super().__init__(folder, children, target, run.extra)
        self.dns = free_port()
        self.app = free_port()
        self.sender_toml = (
            f'[names]\ndns = "{LOOPBACK}:{self.dns}"\n'
            f'upstreams = ["{LOOPBACK}:{upstream}"]\n'
            '[[redirect]]\nconnection_string_file = "send.connection-string"\n'
            f'endpoint = "{NAME}:{self.app}"\n'
        )


def _dnsmasq(children: Children, folder: Path, upstream: int) -> tuple[Child, int]:
    """One that answers for the same name and passes on the rest; its port."""
    port = free_port()
    options = [
        *("--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts"),
        *("--bind-interfaces", f"--listen-address={LOOPBACK}", f"--port={port}"),
        *(f"--server={LOOPBACK}#{upstream}", f"--address=/{NAME}/192.0.2.2"),
        *("--cache-size=1000", "--pid-file=", "--user="),
    ]
    child = children.start("dnsmasq", ["dnsmasq", *options], folder)
    return child, port


@contextlib.contextmanager
def _stand(run: Run) -> Iterator[tuple[_Named, dict[str, tuple[Child, int]]]]:
    """Ours, and each contender's process and port."""
    with (
        tempfile.TemporaryDirectory(prefix="hybridconn-bench-") as name,
        Children() as children,
    ):
        folder = Path(name)
        target = Part(children, folder, "target").expect("ready")["port"]
        bare = Part(children, folder, "name-server")
        upstream = bare.expect("ready")["port"]
        ours = _Named(run, folder, children, target, upstream)
        ours.start()
        servers: dict[str, tuple[Child, int]] = {
            ours.name: (ours.roles["sender"], ours.dns)
        }
        if shutil.which("dnsmasq") is None:
            run.left_out.append(
                "dnsmasq is not installed; on Debian and Ubuntu: "
                "apt install dnsmasq-base"
            )
        elif run.others:
            servers[DNSMASQ] = _dnsmasq(children, folder, upstream)
        servers[BARE] = (bare, upstream)
        yield ours, servers


def names(run: Run) -> list[Row]:
    """Look-ups beside dnsmasq, and new connections by name beside a plain forward."""
    with _stand(run) as (ours, servers):
        return [*_lookups(run, ours, servers), *_tunnels(run, ours)]


def _lookups(
    run: Run, ours: _Named, servers: dict[str, tuple[Child, int]]
) -> Iterator[Row]:
    for what, name in KINDS:
        rate: dict[str, list[float]] = {who: [] for who in servers}
        cost: dict[str, list[float]] = {who: [] for who in servers}
        for number in range(run.rounds):
            for who, (child, port) in servers.items():
                run.say(f"  round {number + 1}: {what}: {who}")
                # Never the same names twice, or they would be kept.
                asked = name.replace("{}", f"{{}}-{time.monotonic_ns()}")
                part = Part(
                    ours.children,
                    ours.folder,
                    "queries",
                    port=port,
                    name=asked,
                    at_once=_AT_ONCE,
                    seconds=run.scaled(4, 1),
                )
                part.expect("ready")
                before = child.cpu()
                part.go()
                done = part.expect("done")
                if done["lost"] > done["count"] / 100:
                    raise BenchError(f"{who} left {done['lost']} queries unanswered")
                rate[who].append(done["count"] / done["seconds"])
                cost[who].append((child.cpu() - before) / done["count"] * 1e6)
                part.end()
        base = DNSMASQ if DNSMASQ in servers else BARE
        yield Row("names", f"look-ups, {what}", "1/s", rate, base=base)
        yield Row("names", f"look-ups, {what}: CPU", "us", cost, base=base)


def _tunnels(run: Run, ours: _Named) -> Iterator[Row]:
    p50: dict[str, list[float]] = {ours.name: [], FORWARD: []}
    p99: dict[str, list[float]] = {ours.name: [], FORWARD: []}
    much = {"count": run.scaled(1000, 10), "seconds": run.scaled(15, 2)}
    by_name = {"dns": ours.dns, "name": NAME, "port": ours.app}
    for number in range(run.rounds):
        for who, part in (
            (ours.name, part_of(ours, "connect-by-name", **by_name, **much)),
            (FORWARD, part_of(ours, "connect", **much)),
        ):
            run.say(f"  round {number + 1}: new connection: {who}")
            part.expect("ready")
            part.go()
            done = part.expect("done")
            p50[who].append(done["p50"] * 1e3)
            p99[who].append(done["p99"] * 1e3)
            part.end()
    what = "look-up and new connection + 1 byte echoed"
    yield Row("names", f"{what}, p50", "ms", p50, base=FORWARD)
    yield Row("names", f"{what}, p99", "ms", p99, base=FORWARD)
