"""Round trips: alone, beside bulk, beside many that are idle."""

from __future__ import annotations

import time

from bench.cases.run import Run, each, part_of
from bench.report import Row
from bench.tunnels import OTHERS, Hybridconn, OpenSSH, Tunnel


def ping(run: Run) -> list[Row]:
    """64 bytes there and back."""
    p50: dict[str, list[float]] = {}
    with run.stand(Hybridconn, *OTHERS) as tunnels:
        for tunnel in each(run, tunnels):
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
    part = part_of(
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
            for tunnel in each(run, tunnels):
                bulks = [
                    part_of(tunnel, "bulk", way="up", bytes=0, seconds=seconds + 3)
                    for _ in range(number)
                ]
                for bulk in bulks:
                    bulk.expect("ready")
                for bulk in bulks:
                    bulk.go()
                time.sleep(0.5)
                echo = part_of(
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


def idle(run: Run) -> list[Row]:
    """An echo beside many tunnels that are open and carry nothing."""
    number = run.scaled(2000, 50)
    p99: dict[str, list[float]] = {}
    with run.stand(Hybridconn) as tunnels:
        for tunnel in each(run, tunnels):
            hold = part_of(
                tunnel, "hold", count=number, at_once=16, seconds=200, bytes=64
            )
            hold.expect("ready", 250)
            found = _echo(run, tunnel, 3000, 10)
            p99.setdefault(tunnel.name, []).append(found["p99"] * 1e3)
            hold.end()
    return [Row("idle", f"echo beside {number} idle tunnels, p99", "ms", p99)]
