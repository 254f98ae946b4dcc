"""
HTTP through the relay, beside the same service asked directly: what C{wrk} counts,
or C{ab} where that is not installed.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import frozen

from bench.errors import BenchError
from bench.generators import Part
from bench.processes import LOOPBACK, Children, environment
from bench.report import Row
from bench.tunnels import ENTITY, Hybridconn

DIRECT = "direct"
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}
#: A request of one KiB.
_POST = 'wrk.method = "POST"\nwrk.body = string.rep("x", 1024)\n'


@frozen
class Counted:
    """
    @ivar rate: requests a second.
    @ivar p99: of the time to an answer, in ms.
    """

    rate: float
    p99: float


def parse_wrk(text: str) -> Counted:
    """
    Read what C{wrk --latency} printed.

    @raise BenchError: there were errors, or no figures.
    """
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: (.*)", text)
    if bad:
        raise BenchError(f"wrk had bad answers: {bad[0]}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    p99 = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", text)
    if rate is None or p99 is None or not float(rate[1]):
        raise BenchError(f"wrk told no figures: {text[-200:]}")
    return Counted(float(rate[1]), float(p99[1]) * _UNITS[p99[2]])


def parse_ab(text: str) -> Counted:
    """
    Read what C{ab} printed.

    @raise BenchError: there were errors, or no figures.
    """
    bad = re.search(r"(?:Failed requests|Non-2xx responses):\s+([1-9]\d*)", text)
    if bad:
        raise BenchError(f"ab had bad answers: {bad[0]}")
    rate = re.search(r"Requests per second:\s+([\d.]+)", text)
    p99 = re.search(r"\n\s+99%\s+(\d+)", text)
    if rate is None or p99 is None:
        raise BenchError(f"ab told no figures: {text[-200:]}")
    return Counted(float(rate[1]), float(p99[1]))


def count(
    folder: Path,
    url: str,
    headers: Mapping[str, str],
    connections: int,
    seconds: int,
    post: bool,
) -> Counted:
    """
    Ask for C{url} as often as it goes.

    @raise BenchError: neither program is here, or it failed.
    """
    fields = [part for name in headers for part in ("-H", f"{name}: {headers[name]}")]
    wrk, ab = shutil.which("wrk"), shutil.which("ab")
    if wrk:
        script = folder / "post.lua"
        script.write_text(_POST)
        argv = [wrk, "--latency", "-t1", f"-c{connections}", f"-d{seconds}s", *fields]
        argv += ["-s", str(script)] if post else []
    elif ab:
        body = folder / "post.body"
        body.write_bytes(b"x" * 1024)
        argv = [ab, "-q", "-k", "-l", f"-c{connections}", f"-t{seconds}", "-n1000000"]
        argv += [*fields, *(["-p", str(body), "-T", "text/plain"] if post else [])]
    else:
        raise BenchError("neither wrk nor ab is here (Debian: apt install wrk)")
    done = subprocess.run(
        [*argv, url],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=seconds + 60,
        check=False,
    )
    if done.returncode:
        raise BenchError(f"{argv[0]}: {done.stderr.strip()[-200:]}")
    return parse_wrk(done.stdout) if wrk else parse_ab(done.stdout)


class WebTunnel(Hybridconn):
    """Relay and listener, whose target is an HTTP service."""

    def twistd(self, role: str, program: str, port: int | None = None) -> None:
        if role == "listener":
            target = f'target = "http://{LOOPBACK}:{self.target}"'
            self._edit("listener", r"(?m)^target = .*$", target)
        if role != "sender":
            super().twistd(role, program, port)


def measure(
    rounds: int, seconds: int, extra: Mapping[str, str], say: Callable[[str], None]
) -> list[Row]:
    """
    Requests a second and p99, both ways in turns.

    @param seconds: for each measurement.
    @param extra: TOML to add to the file of a role.
    """
    rows = []
    with (
        tempfile.TemporaryDirectory(prefix="hybridconn-bench-") as name,
        Children() as children,
    ):
        folder = Path(name)
        port = Part(children, folder, "http-target").expect("ready")["port"]
        tunnel = WebTunnel(folder, children, port, extra)
        tunnel.start()
        token = {"ServiceBusAuthorization": tunnel.token("Send")}
        through = f"https://localhost:{tunnel.relay_port}/{ENTITY}/"
        for what, connections, post in (
            ("GET of 1 KiB, 1 connection", 1, False),
            ("GET of 1 KiB, 32 connections", 32, False),
            ("POST of 1 KiB, 32 connections", 32, True),
        ):
            rate: dict[str, list[float]] = {tunnel.name: [], DIRECT: []}
            p99: dict[str, list[float]] = {tunnel.name: [], DIRECT: []}
            for number in range(rounds):
                for contender, url, headers in (
                    (tunnel.name, through, token),
                    (DIRECT, f"http://{LOOPBACK}:{port}/", {}),
                ):
                    say(f"  round {number + 1}: {contender}, {what}")
                    found = count(folder, url, headers, connections, seconds, post)
                    rate[contender].append(found.rate)
                    p99[contender].append(found.p99)
            rows.append(Row("http", f"{what}, requests", "1/s", rate, base=DIRECT))
            rows.append(Row("http", f"{what}, p99", "ms", p99, base=DIRECT))
    return rows
