"""A whole tunnel at full speed."""

from __future__ import annotations

from bench.cases.run import GIB, Run, each, part_of
from bench.report import Row
from bench.tunnels import OTHERS, Haproxy, Hybridconn, OpenSSH


def tunnel_bulk(run: Run) -> list[Row]:
    """A whole tunnel, bulk each way: what all three roles cost, how fast it is."""
    total = run.scaled(GIB / 2, 1 << 22)
    cpu: dict[str, list[float]] = {}
    speed: dict[str, dict[str, list[float]]] = {"up": {}, "down": {}}
    shares: dict[str, dict[str, list[float]]] = {}
    with run.stand(Hybridconn, *OTHERS) as tunnels:
        for tunnel in each(run, tunnels):
            for way in ("up", "down"):
                bulk = part_of(tunnel, "bulk", way=way, bytes=total)
                bulk.expect("ready")
                before = tunnel.cpu()
                bulk.go()
                done = bulk.expect("done", 300)
                bulk.end()
                now = tunnel.cpu()
                spent = {r: (now[r] - before[r]) * GIB / total for r in now}
                cpu.setdefault(tunnel.name, []).append(sum(spent.values()))
                for role, value in spent.items():
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
