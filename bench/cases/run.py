"""One run of the bench, and what all cases need of it."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from attrs import field, frozen

from bench.errors import BenchError
from bench.generators import Part
from bench.processes import Children
from bench.tunnels import Hybridconn, Tunnel

GIB = 1 << 30
KIB = 1 << 10


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
        part = part_of(tunnel, "check", bytes=300_000)
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


def each(run: Run, tunnels: Sequence[Tunnel]) -> Iterator[Tunnel]:
    for number in range(run.rounds):
        for tunnel in tunnels:
            run.say(f"  round {number + 1}: {tunnel.name}")
            yield tunnel


def part_of(tunnel: Tunnel, part: str, **settings: object) -> Part:
    return Part(
        tunnel.children, tunnel.folder, part, **{"port": tunnel.port, **settings}
    )
