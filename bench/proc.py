"""Processor time and memory of processes, from C{/proc}."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from attrs import frozen

PROC = Path("/proc")


@frozen
class Process:
    """
    One process at one moment.

    @ivar started: when, in ticks since boot; with C{pid} it names the process
        for good.
    @ivar ticks: processor time of its own and of children it has waited for.
    """

    pid: int
    parent: int
    started: int
    ticks: int


@frozen
class Memory:
    """
    Memory in KiB.

    @ivar rss: resident, what is shared counted in full.
    @ivar pss: resident, what is shared counted in part.
    """

    rss: int
    pss: int


def parse_stat(text: str) -> Process:
    """Read the line of C{/proc/PID/stat}."""
    # The name, in parentheses, may itself hold blanks and parentheses.
    pid, _, rest = text.partition(" ")
    fields = rest.rpartition(")")[2].split()
    return Process(
        pid=int(pid),
        parent=int(fields[1]),
        started=int(fields[19]),
        ticks=sum(int(number) for number in fields[11:15]),
    )


def read(pid: int) -> Process | None:
    """A process, or L{None} if there is none of that id."""
    try:
        return parse_stat((PROC / str(pid) / "stat").read_text(errors="replace"))
    except OSError:
        return None


def lives(process: Process) -> bool:
    """Whether it is still there and no other took its id."""
    now = read(process.pid)
    return now is not None and now.started == process.started


def tree(root: int) -> list[Process]:
    """A process and its descendants, parents first."""
    everyone = [read(int(entry)) for entry in os.listdir(PROC) if entry.isdigit()]
    by_parent: dict[int, list[Process]] = {}
    found: list[Process] = []
    for process in everyone:
        if process is None:
            continue
        if process.pid == root:
            found.append(process)
        by_parent.setdefault(process.parent, []).append(process)
    for process in found:
        found.extend(by_parent.get(process.pid, ()))
    return found


def cpu_seconds(processes: Iterable[Process]) -> float:
    """What they used together, user and system, in seconds."""
    return sum(process.ticks for process in processes) / os.sysconf("SC_CLK_TCK")


def parse_rollup(text: str) -> Memory:
    """Read C{/proc/PID/smaps_rollup}."""
    sizes = {"Rss": 0, "Pss": 0}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        if name in sizes:
            sizes[name] = int(rest.split()[0])
    return Memory(sizes["Rss"], sizes["Pss"])


def memory(processes: Iterable[Process]) -> Memory:
    """What they hold together."""
    rss = pss = 0
    for process in processes:
        try:
            text = (PROC / str(process.pid) / "smaps_rollup").read_text()
        except OSError:
            continue
        one = parse_rollup(text)
        rss += one.rss
        pss += one.pss
    return Memory(rss, pss)
