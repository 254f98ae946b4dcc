"""What tunnels hold."""

from __future__ import annotations

import time

from bench.cases.run import GIB, KIB, Run, part_of
from bench.report import Row
from bench.tunnels import OTHERS, Haproxy, Hybridconn, Pproxy, Tunnel

#: Seconds after which an idle connection has given back what a burst took.
REST = 14.0


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
                warm = part_of(tunnel, "rate", at_once=8, seconds=1)
                warm.expect("ready")
                warm.go()
                warm.expect("done")
                warm.end()
                time.sleep(REST)
                before = tunnel.memory()
                hold = part_of(
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
            part = part_of(tunnel, "stall", bytes=2 * GIB, seconds=run.scaled(8, 2))
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
