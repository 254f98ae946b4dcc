"""The relay alone, with source and sink played by hand."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.cases.run import GIB, KIB, Run, each, part_of
from bench.generators import Part
from bench.processes import LOOPBACK, Children, free_port
from bench.report import Row
from bench.tunnels import ENTITY, Haproxy, Hybridconn, Tunnel, make_pem


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
        sink = part_of(self, "listener", token=self.token("Listen", entity), **common)
        sink.expect("online")
        token = self.token("Send", entity)
        source = part_of(self, "source", token=token, bytes=size, count=count, **common)
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
        sink = part_of(self, "tls-sink", **files)
        port = sink.expect("listening")["port"]
        at = free_port()
        self.haproxy(
            "relay", at, f"{LOOPBACK}:{port} ssl verify none", f"ssl crt {self.pem}"
        )
        source = part_of(
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
        for relay in each(run, relays):
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
