"""
The cases.  Each starts what it needs, takes turns between the contenders, round by
round, and gives rows.
"""

from __future__ import annotations

from collections.abc import Callable

from bench import management
from bench.cases import bulk, connections, echoes, manager, memory, names, relays
from bench.cases.run import Run
from bench.http import measure as measure_http
from bench.report import Row

__all__ = ["CASES", "Run"]


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
    "relay-bulk": relays.relay_bulk,
    "relay-1k": relays.relay_small,
    "tiny": relays.tiny,
    "workers": relays.workers,
    "tunnel-bulk": bulk.tunnel_bulk,
    "ping": echoes.ping,
    "beside": echoes.beside,
    "idle": echoes.idle,
    "connect": connections.connect,
    "memory": memory.memory,
    "stall": memory.stall,
    "manager": manager.manager,
    "names": names.names,
    "http": http,
    "management": managing,
    "entities": entities,
}
