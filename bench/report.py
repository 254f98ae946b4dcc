"""What was measured, for people and as JSON."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from attrs import asdict, field, frozen

from bench.stats import Spread, ratios, spread


@frozen
class Row:
    """
    One figure.

    @ivar case: the case that gave it.
    @ivar figure: what it is.
    @ivar unit: of the values.
    @ivar rounds: for each contender its values, round by round.
    @ivar ours: which contender is ours.
    @ivar base: with which one ours is compared, if it is.
    @ivar goal: what is to be reached, in words.
    """

    case: str
    figure: str
    unit: str
    rounds: dict[str, list[float]]
    ours: str = "hybridconn"
    base: str | None = None
    goal: str = ""
    notes: list[str] = field(factory=list)

    @property
    def ratio(self) -> Spread | None:
        """Ours by the other's."""
        if self.base is None or not self.rounds.get(self.base):
            return None
        found = ratios(self.rounds.get(self.ours, []), self.rounds[self.base])
        return spread(found) if found else None


def number(value: float) -> str:
    """Three digits that count."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def shown(values: Sequence[float]) -> str:
    """Median and range."""
    if not values:
        return "-"
    found = spread(values)
    if found.rounds == 1:
        return number(found.median)
    return f"{number(found.median)} [{number(found.low)}-{number(found.high)}]"


def line(row: Row) -> str:
    """A row as text."""
    parts = [f"{row.case}: {row.figure}, {row.unit}: {shown(row.rounds[row.ours])}"]
    others = [
        f"{name} {shown(values)}"
        for name, values in row.rounds.items()
        if name != row.ours and values
    ]
    if others:
        parts.append("; ".join(others))
    ratio = row.ratio
    if ratio is not None:
        parts.append(f"{number(ratio.median)} times {row.base}")
    if row.goal:
        parts.append(f"goal {row.goal}")
    return " | ".join(parts + row.notes)


def table(rows: Sequence[Row]) -> str:
    """All of them, as Markdown."""
    out = [
        "| figure | unit | hybridconn | others | ratio | goal |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        others = ", ".join(
            f"{name} {shown(values)}"
            for name, values in row.rounds.items()
            if name != row.ours and values
        )
        ratio = row.ratio
        cells = [
            row.figure,
            row.unit,
            shown(row.rounds[row.ours]),
            others or "-",
            f"{number(ratio.median)} x {row.base}" if ratio else "-",
            row.goal or "-",
        ]
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out)


def machine() -> dict[str, Any]:
    """Where it was measured."""
    model = ""
    for text in Path("/proc/cpuinfo").read_text().splitlines():
        if text.startswith("model name"):
            model = text.partition(":")[2].strip()
            break
    versions = {}
    for name in ("twisted", "autobahn", "pyopenssl", "cryptography", "websockets"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
        "versions": versions,
    }


def write(folder: Path, rows: Sequence[Row], settings: dict[str, Any]) -> Path:
    """Keep everything, each round of it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / time.strftime("%Y%m%dT%H%M%SZ.json", time.gmtime())
    content = {
        "settings": settings,
        "machine": machine(),
        "rows": [asdict(row) for row in rows],
    }
    path.write_text(json.dumps(content, indent=1) + "\n")
    return path
