"""
The cases.  Each starts what it needs, takes turns between the contenders, round by
round, and gives rows.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from attrs import field, frozen

from bench import management
from bench.errors import BenchError
from bench.generators import Part
from bench.http import measure as measure_http
from bench.processes import LOOPBACK, Children, free_port
from bench.report import Row
from bench.tunnels import (
    ENTITY,
    OTHERS,
    Haproxy,
    Hybridconn,
    OpenSSH,
    Plain,
    Pproxy,
    Tunnel,
    make_pem,
)

GIB = 1 << 30
KIB = 1 << 10
#: Seconds after which an idle connection has given back what a burst took.
REST = 14.0


@frozen
class Run:
    """
    One run of the bench.

    @ivar rounds: how often each contender has its turn.
    @ivar scale: multiplies bytes, counts and seconds.
    @ivar others: whether the others are measured too.
    @ivar extra: TOML to add to the file of a role.
    @ivar say: tells people how it goes.
    """

    rounds: int
    scale: float
    others: bool
    extra: dict[str, str]
    say: Callable[[str], None]
    left_out: list[str] = field(factory=list)

    def scaled(self, number: float, least: int = 1) -> int:
        """C{number}, smaller or larger as was asked for."""
        return max(least, int(number * self.scale))

    @contextlib.contextmanager
    def stand(self, *kinds: type[Tunnel]) -> Iterator[list[Tunnel]]:
        """Tunnels of these kinds, to one target; what is not installed is told."""
        with (
            tempfile.TemporaryDirectory(prefix="hybridconn-bench-") as name,
            Children() as children,
        ):
            folder = Path(name)
            target = Part(children, folder, "target").expect("ready")["port"]
            tunnels: list[Tunnel] = []
            for kind in kinds:
                why = kind.missing()
                if why is not None:
                    if why not in self.left_out:
                        self.left_out.append(why)
                    continue
                if issubclass(kind, Hybridconn):
                    tunnels.append(kind(folder, children, target, self.extra))
                elif self.others:
                    tunnels.append(kind(folder, children, target))
            for tunnel in tunnels:
                tunnel.start()
                _check(tunnel)
            yield tunnels


def _check(tunnel: Tunnel) -> None:
    """Random bytes come back unchanged; some need a moment before they do."""
    for left in (2, 1, 0):
        part = _part(tunnel, "check", bytes=300_000)
        try:
            part.expect("done")
        except BenchError:
            if not left:
                raise
            time.sleep(1.0)
        else:
            return
        finally:
            part.end()


def _each(run: Run, tunnels: Sequence[Tunnel]) -> Iterator[Tunnel]:
    for number in range(run.rounds):
        for tunnel in tunnels:
            run.say(f"  round {number + 1}: {tunnel.name}")
            yield tunnel


def _part(tunnel: Tunnel, part: str, **settings: object) -> Part:
    return Part(
        tunnel.children, tunnel.folder, part, **{"port": tunnel.port, **settings}
    )


# --- bytes ---------------------------------------------------------------------


def tunnel_bulk(run: Run) -> list[Row]:
    """A whole tunnel, bulk each way: what all three roles cost, how fast it is."""
    total = run.scaled(GIB / 2, 1 << 22)
    cpu: dict[str, list[float]] = {}
    speed: dict[str, dict[str, list[float]]] = {"up": {}, "down": {}}
    shares: dict[str, dict[str, list[float]]] = {}
    with run.stand(Hybridconn, *OTHERS) as tunnels:
        for tunnel in _each(run, tunnels):
            for way in ("up", "down"):
                bulk = _part(tunnel, "bulk", way=way, bytes=total)
                bulk.expect("ready")
                before = tunnel.cpu()
                bulk.go()
                done = bulk.expect("done", 300)
                bulk.end()
                now = tunnel.cpu()
                each = {r: (now[r] - before[r]) * GIB / total for r in now}
                cpu.setdefault(tunnel.name, []).append(sum(each.values()))
                for role, value in each.items():
                    share = shares.setdefault(role, {})
                    share.setdefault(tunnel.name, []).append(value)
                mib = done["bytes"] / done["seconds"] / (1 << 20)
                speed[way].setdefault(tunnel.name, []).append(mib)
    rows = [
        Row(
            "tunnel-bulk",
            "three roles, bulk",
            "CPU-s/GiB",
            cpu,
            base=Haproxy.name,
            goal="<= 1.6 x haproxy",
        )
    ]
    rows += [
        Row("tunnel-bulk", f"{role}'s share", "CPU-s/GiB", shares[role])
        for role in shares
    ]
    rows += [
        Row(
            "tunnel-bulk",
            f"whole tunnel, {way}",
            "MiB/s",
            speed[way],
            base=OpenSSH.name,
            goal=">= 1.3 x ssh",
        )
        for way in ("up", "down")
    ]
    return rows


class _RelayAlone(Hybridconn):
    """Only our relay; source and sink are played by hand."""

    def twistd(self, role: str, program: str, port: int | None = None) -> None:
        if role == "relay":
            super().twistd(role, program, port)

    def _wait_online(self) -> None:
        """There is no listener."""

    def measure(self, size: int, count: int) -> dict[str, float]:
        """Messages of C{size} bytes from a source to a sink."""
        return _pour(self, [self.pair(ENTITY, size, count)])

    def pair(self, entity: str, size: int, count: int) -> tuple[Part, Part]:
        """A source and a sink at C{entity}."""
        common = {
            "relay": self.relay_port,
            "ca_file": str(self.conf / "ca.pem"),
            "entity": entity,
        }
        sink = _part(self, "listener", token=self.token("Listen", entity), **common)
        sink.expect("online")
        token = self.token("Send", entity)
        source = _part(self, "source", token=token, bytes=size, count=count, **common)
        return source, sink


class _HaproxyAlone(Haproxy):
    """Only haproxy's relay: TLS in, TLS out."""

    def start(self) -> None:
        self.pem = make_pem(self.folder)
        self._sink_port = free_port()

    def measure(self, size: int, count: int) -> dict[str, float]:
        """The same bytes through it."""
        files = {
            "certificate": str(self.folder / "tls.crt"),
            "key": str(self.folder / "tls.key"),
        }
        sink = _part(self, "tls-sink", **files)
        port = sink.expect("listening")["port"]
        at = free_port()
        self.haproxy(
            "relay", at, f"{LOOPBACK}:{port} ssl verify none", f"ssl crt {self.pem}"
        )
        source = _part(
            self,
            "tls-source",
            port=at,
            ca_file=files["certificate"],
            bytes=size,
            count=count,
        )
        try:
            return _pour(self, [(source, sink)])
        finally:
            self.children.end(self.roles.pop("relay"))


def _pour(tunnel: Tunnel, pairs: Sequence[tuple[Part, Part]]) -> dict[str, float]:
    for source, sink in pairs:
        source.expect("ready")
        sink.expect("ready")
    before = tunnel.cpu()["relay"]
    began = time.monotonic()
    for source, _ in pairs:
        source.go()
    seconds = max(sink.expect("done", 300)["seconds"] for _, sink in pairs)
    cpu, wall = tunnel.cpu()["relay"] - before, time.monotonic() - began
    for source, sink in pairs:
        source.end()
        sink.end()
    return {"cpu": cpu, "busy": cpu / wall, "seconds": seconds, "wall": wall}


@contextlib.contextmanager
def _relays(run: Run) -> Iterator[list[_RelayAlone | _HaproxyAlone]]:
    with (
        tempfile.TemporaryDirectory(prefix="hybridconn-bench-") as name,
        Children() as children,
    ):
        folder = Path(name)
        found: list[_RelayAlone | _HaproxyAlone] = [
            _RelayAlone(folder, children, 1, run.extra)
        ]
        why = _HaproxyAlone.missing()
        if why is None and run.others:
            found.append(_HaproxyAlone(folder, children, 1))
        elif why is not None and why not in run.left_out:
            run.left_out.append(why)
        for one in found:
            one.start()
        yield found


def _relay_case(run: Run, case: str, size: int, total: float, goal: str) -> list[Row]:
    count = run.scaled(total / size, 64)
    cpu: dict[str, list[float]] = {}
    busy: dict[str, list[float]] = {}
    with _relays(run) as relays:
        for number in range(run.rounds):
            for relay in relays:
                run.say(f"  round {number + 1}: {relay.name}")
                found = relay.measure(size, count)
                per_gib = found["cpu"] * GIB / (size * count)
                cpu.setdefault(relay.name, []).append(per_gib)
                busy.setdefault(relay.name, []).append(found["busy"] * 100)
    what = f"relay, {size // KIB} KiB messages"
    return [
        Row(case, what, "CPU-s/GiB", cpu, base=Haproxy.name, goal=goal),
        Row(case, f"{what}: busy", "%", busy),
    ]


def relay_bulk(run: Run) -> list[Row]:
    """The relay alone, messages of 64 KiB."""
    return _relay_case(run, "relay-bulk", 64 * KIB, GIB, "<= 1.7 x haproxy")


def relay_small(run: Run) -> list[Row]:
    """The relay alone, messages of 1 KiB, a TLS record for each."""
    return _relay_case(run, "relay-1k", KIB, GIB / 8, "<= 1.8 x haproxy")


class _Workers(_RelayAlone):
    """Our relay with eight entities."""

    entities = tuple(f"{ENTITY}{number}" for number in range(8))
    number = 1

    def __init__(
        self,
        folder: Path,
        children: Children,
        target: int,
        extra: Mapping[str, str] | None = None,
    ) -> None:
        more = dict(extra or {})
        more["relay"] = more.get("relay", "") + "".join(
            f'[[namespace.hybrid_connection]]\npath = "{entity}"\n'
            for entity in self.entities
        )
        super().__init__(folder, children, target, more)

    def arguments(self, role: str) -> list[str]:
        return ["--workers", str(self.number)]


class _OneWorker(_Workers):
    name = "one worker"


class _TwoWorkers(_Workers):
    name = "two workers"
    number = 2


def workers(run: Run) -> list[Row]:
    """Eight bulk tunnels through one worker, and through two."""
    speed: dict[str, list[float]] = {}
    busy: dict[str, list[float]] = {}
    count = run.scaled(2048, 64)
    with (
        tempfile.TemporaryDirectory(prefix="hybridconn-bench-") as name,
        Children() as children,
    ):
        relays: list[Tunnel] = [
            kind(Path(name), children, 1, run.extra)
            for kind in (_TwoWorkers, _OneWorker)
        ]
        for relay in relays:
            relay.start()
        time.sleep(2.0)  # the workers' own start
        for relay in _each(run, relays):
            assert isinstance(relay, _Workers)
            pairs = [relay.pair(one, 64 * KIB, count) for one in relay.entities]
            found = _pour(relay, pairs)
            mib = len(pairs) * count / 16 / found["wall"]
            speed.setdefault(relay.name, []).append(mib)
            busy.setdefault(relay.name, []).append(found["busy"] * 100)
    ours, one = _TwoWorkers.name, _OneWorker.name
    what = "8 bulk tunnels, two workers"
    return [
        Row("workers", what, "MiB/s", speed, ours, one, ">= 1.6 x one worker"),
        Row("workers", f"{what}: relay busy", "% of a core", busy, ours),
    ]


def tiny(run: Run) -> list[Row]:
    """66,560 messages of one byte through a tunnel."""
    seconds: list[float] = []
    with _relays(run) as relays:
        for number in range(run.rounds):
            run.say(f"  round {number + 1}: {relays[0].name}")
            seconds.append(relays[0].measure(1, 66_560)["seconds"])
    what = "66,560 messages of one byte"
    return [Row("tiny", what, "s", {"hybridconn": seconds}, goal="<= 1")]


# --- round trips ---------------------------------------------------------------


def ping(run: Run) -> list[Row]:
    """64 bytes there and back."""
    p50: dict[str, list[float]] = {}
    with run.stand(Hybridconn, *OTHERS) as tunnels:
        for tunnel in _each(run, tunnels):
            found = _echo(run, tunnel, 3000, 10)
            p50.setdefault(tunnel.name, []).append(found["p50"] * 1e6)
    return [
        Row(
            "ping",
            "64 B ping-pong, p50",
            "us",
            p50,
            base=OpenSSH.name,
            goal="<= 1.5 x ssh",
        )
    ]


def _echo(run: Run, tunnel: Tunnel, count: int, seconds: float) -> dict[str, float]:
    part = _part(
        tunnel,
        "echo",
        bytes=64,
        count=run.scaled(count, 20),
        seconds=seconds,
        pause=0,
    )
    part.expect("ready")
    part.go()
    done = part.expect("done")
    part.end()
    return done


def beside(run: Run) -> list[Row]:
    """An echo beside bulk tunnels."""
    rows = []
    seconds = run.scaled(4, 1)
    with run.stand(Hybridconn, *OTHERS) as tunnels:
        for number, goal in ((1, "<= 2.4"), (8, "<= 6")):
            p99: dict[str, list[float]] = {}
            for tunnel in _each(run, tunnels):
                bulks = [
                    _part(tunnel, "bulk", way="up", bytes=0, seconds=seconds + 3)
                    for _ in range(number)
                ]
                for bulk in bulks:
                    bulk.expect("ready")
                for bulk in bulks:
                    bulk.go()
                time.sleep(0.5)
                echo = _part(
                    tunnel, "echo", bytes=64, count=10**9, seconds=seconds, pause=0.002
                )
                echo.expect("ready")
                echo.go()
                p99.setdefault(tunnel.name, []).append(echo.expect("done")["p99"] * 1e3)
                echo.end()
                for bulk in bulks:
                    bulk.end()
                time.sleep(0.5)
            rows.append(
                Row("beside", f"echo beside {number} bulk, p99", "ms", p99, goal=goal)
            )
    return rows


# --- connections ----------------------------------------------------------------


def connect(run: Run) -> list[Row]:
    """A new connection and one byte echoed; and how many of them in a second."""
    p50: dict[str, list[float]] = {}
    rate: dict[str, list[float]] = {}
    setup: list[float] = []
    with run.stand(Hybridconn, Plain, *OTHERS) as tunnels:
        for tunnel in _each(run, tunnels):
            part = _part(tunnel, "connect", count=run.scaled(300, 10), seconds=15)
            part.expect("ready")
            part.go()
            p50.setdefault(tunnel.name, []).append(part.expect("done")["p50"] * 1e3)
            part.end()
            part = _part(tunnel, "rate", at_once=32, seconds=run.scaled(5, 1))
            part.expect("ready")
            before = tunnel.cpu()
            part.go()
            done = part.expect("done")
            rate.setdefault(tunnel.name, []).append(done["count"] / done["seconds"])
            if isinstance(tunnel, Plain):
                spent = tunnel.cpu()["relay"] - before["relay"]
                setup.append(done["count"] / spent if spent else 0.0)
            part.end()
    cold = {Plain.name: p50.pop(Plain.name, [])}
    what = "new connection + 1 byte echoed, p50"
    return [
        Row("connect", what, "ms", p50, base=Haproxy.name, goal="<= 1"),
        Row("connect", f"{what}, cold", "ms", cold, ours=Plain.name, goal="<= 10"),
        Row("connect", "new connections, 32 at once", "1/s", rate, goal=">= 1000"),
        Row(
            "connect",
            "cold tunnels for a second of the relay's core",
            "1/s",
            {"hybridconn": setup},
            goal=">= 250",
        ),
    ]


# --- memory ----------------------------------------------------------------------


def memory(run: Run) -> list[Row]:
    """KiB of a tunnel: idle, and idle again after 256 KiB went each way."""
    count = run.scaled(400, 20)
    fresh: dict[str, list[float]] = {}
    fresh_all: dict[str, list[float]] = {}
    used: dict[str, list[float]] = {}
    used_all: dict[str, list[float]] = {}
    kinds: tuple[type[Tunnel], ...] = (Hybridconn, *OTHERS)
    for kind in kinds:
        run.say(f"  {kind.name}")
        with run.stand(kind) as tunnels:
            for tunnel in tunnels:
                warm = _part(tunnel, "rate", at_once=8, seconds=1)
                warm.expect("ready")
                warm.go()
                warm.expect("done")
                warm.end()
                time.sleep(REST)
                before = tunnel.memory()
                hold = _part(
                    tunnel, "hold", count=count, at_once=8, seconds=120, bytes=256 * KIB
                )
                hold.expect("ready", 150)
                for relay, total in ((fresh, fresh_all), (used, used_all)):
                    time.sleep(REST)
                    now = tunnel.memory()
                    each = {r: (now[r] - before[r]) / count for r in now}
                    relay[tunnel.name] = [each["relay"]]
                    total[tunnel.name] = [sum(each.values())]
                    if relay is fresh:
                        hold.go()
                        hold.expect("done", 300)
                hold.end()
    again = "idle again after 256 KiB each way"
    return [
        Row("memory", "idle tunnel, relay", "KiB", fresh, goal="<= 65"),
        Row("memory", "idle tunnel, three roles", "KiB", fresh_all, goal="<= 130"),
        Row("memory", f"{again}, relay", "KiB", used, goal="<= 110"),
        Row("memory", f"{again}, three roles", "KiB", used_all),
    ]


def stall(run: Run) -> list[Row]:
    """2 GiB offered to a target that reads nothing: growth of all three roles."""
    grown: dict[str, list[float]] = {}
    with run.stand(Hybridconn, Pproxy, Haproxy) as tunnels:
        for tunnel in tunnels:
            run.say(f"  {tunnel.name}")
            before = tunnel.memory()
            part = _part(tunnel, "stall", bytes=2 * GIB, seconds=run.scaled(8, 2))
            part.expect("ready")
            part.go()
            part.expect("done")
            now = tunnel.memory()
            grown[tunnel.name] = [sum(now[r] - before[r] for r in now) / KIB]
            part.end()
    return [
        Row(
            "stall", "2 GiB offered, nothing read: all roles", "MiB", grown, goal="<= 3"
        )
    ]


# --- HTTP --------------------------------------------------------------------


def http(run: Run) -> list[Row]:
    """HTTP requests through relay and listener, beside the target asked directly."""
    return measure_http(run.rounds, run.scaled(5), run.extra, run.say)


# --- managing ------------------------------------------------------------------


def managing(run: Run) -> list[Row]:
    """Bulk and echo while the management API is called, and without that."""
    return management.calls(run.rounds, run.scaled(8), run.extra, run.say)


def entities(run: Run) -> list[Row]:
    """Lists and new tunnels with 10,000 hybrid connections, beside those with ten."""
    return management.entities(run.rounds, run.scaled(5), run.extra, run.say)


CASES: dict[str, Callable[[Run], list[Row]]] = {
    "relay-bulk": relay_bulk,
    "relay-1k": relay_small,
    "tiny": tiny,
    "workers": workers,
    "tunnel-bulk": tunnel_bulk,
    "ping": ping,
    "beside": beside,
    "connect": connect,
    "memory": memory,
    "stall": stall,
    "http": http,
    "management": managing,
    "entities": entities,
}
