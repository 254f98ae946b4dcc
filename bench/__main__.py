"""
Measure, beside programs that do the same work.

    python -m bench                      every case
    python -m bench relay-bulk ping      some of them
    python -m bench --list               what there is

Nothing here is ever a test: figures are printed and kept, not judged.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.cases import CASES, Run
from bench.errors import BenchError
from bench.processes import ROOT, terminable
from bench.report import Row, line, machine, table, write
from bench.tunnels import ROLES


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("cases", nargs="*", metavar="CASE", help="default: all")
    parser.add_argument("--list", action="store_true", help="show the cases and end")
    parser.add_argument("--rounds", type=_positive, default=3, help="default: 3")
    parser.add_argument(
        "--scale", type=float, default=1.0, help="bytes and times, default: 1.0"
    )
    parser.add_argument("--ours-only", action="store_true", help="leave the others out")
    for role in ROLES:
        parser.add_argument(
            f"--{role}-toml", default="", help=f"TOML to add to the {role}'s file"
        )
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "bench", help="for the JSON"
    )
    given = parser.parse_args(arguments)
    unknown = [name for name in given.cases if name not in CASES]
    if unknown:
        known = ", ".join(CASES)
        parser.error(f"there is no case {', '.join(unknown)}; there are {known}")
    if given.scale <= 0:
        parser.error("--scale must be more than 0")
    return given


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


def main(arguments: Sequence[str]) -> int:
    """Run it; 1 if a case could not be measured."""
    given = parse(arguments)
    if given.list:
        for name, case in CASES.items():
            print(f"{name:12} {(case.__doc__ or '').strip()}")
        return 0
    extra = {role: getattr(given, f"{role}_toml") for role in ROLES}
    run = Run(given.rounds, given.scale, not given.ours_only, extra, _say)
    facts = machine()
    _say(f"{facts['processor']}, {facts['cores']} cores, Python {facts['python']}")
    rows: list[Row] = []
    failed = False
    with terminable():
        for name in given.cases or CASES:
            _say(name)
            try:
                found = CASES[name](run)
            except BenchError as error:
                print(f"{name}: not measured: {error}", file=sys.stderr)
                failed = True
                continue
            rows += found
            for row in found:
                print(line(row), flush=True)
    for why in run.left_out:
        print(f"left out: {why}")
    settings = {
        "cases": given.cases or list(CASES),
        "rounds": given.rounds,
        "scale": given.scale,
        "extra": extra,
        "left out": run.left_out,
    }
    print(f"\n{table(rows)}\n\nkept in {write(given.out, rows, settings)}")
    return 1 if failed else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
