"""New connections."""

from __future__ import annotations

from bench.cases.run import Run, each, part_of
from bench.report import Row
from bench.tunnels import OTHERS, Haproxy, Hybridconn, Plain


def connect(run: Run) -> list[Row]:
    """A new connection and one byte echoed; and how many of them in a second."""
    p50: dict[str, list[float]] = {}
    rate: dict[str, list[float]] = {}
    setup: list[float] = []
    with run.stand(Hybridconn, Plain, *OTHERS) as tunnels:
        for tunnel in each(run, tunnels):
            part = part_of(tunnel, "connect", count=run.scaled(300, 10), seconds=15)
            part.expect("ready")
            part.go()
            p50.setdefault(tunnel.name, []).append(part.expect("done")["p50"] * 1e3)
            part.end()
            part = part_of(tunnel, "rate", at_once=32, seconds=run.scaled(5, 1))
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
