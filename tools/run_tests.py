"""
Run the checks and the tests, and end with one line that sums them up.

    python tools/run_tests.py lint unit e2e

Every trial run is a process of its own: the unit tests are one, each module of
C{tests/integration} is another, and two of those run at a time.  What a run
prints is shown when it ends, so that runs do not mix.  The exit status is 1 if
anything failed, was left out where nothing may be (C{CI=true}), or ran no test.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
INTEGRATION = ROOT / "tests" / "integration"

# Two run at a time because the smallest machine we care for has two cores, and
# most of these tests wait more than they work.
AT_A_TIME = int(os.environ.get("JOBS", "2"))
# Far above what any run needs: it only stops one that hangs.
PATIENCE = 480.0

_SUMMARY = re.compile(r"^(PASSED|FAILED)(?: \((.*)\))?$", re.MULTILINE)
_SKIPPED = re.compile(r"^\[SKIPPED\]\n(.*)$", re.MULTILINE)
# Measurements that tests print; shown whether or not anything failed.
_FIGURE = re.compile(r"^figure: (.*)$", re.MULTILINE)


@dataclass
class Outcome:
    """What came of one run."""

    name: str
    seconds: float
    output: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0
    reasons: list[str] = field(default_factory=list)

    @property
    def line(self) -> str:
        """One line for people."""
        word = "FAILED" if self.failed else "ok"
        return (
            f"{word:6} {self.name}: {self.passed} passed, {self.failed} failed,"
            f" {self.skipped} skipped, {self.seconds:.0f} s"
        )


def counts(output: str) -> dict[str, int] | None:
    """Read trial's closing line; L{None} if there is none."""
    found = list(_SUMMARY.finditer(output))
    if not found:
        return None
    numbers = {"successes": 0}
    for part in (found[-1][2] or "").split(", "):
        name, _, number = part.partition("=")
        if number.isdigit():
            numbers[name] = int(number)
    return numbers


def run(argv: list[str], seconds: float) -> tuple[int, str]:
    """Run a program from the root of the checkout."""
    try:
        done = subprocess.run(
            argv,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
    except subprocess.TimeoutExpired as late:
        shown = (late.stdout or b"").decode("utf-8", "replace")
        return 1, f"{shown}\nended: it took longer than {seconds:.0f} s\n"
    return done.returncode, done.stdout.decode("utf-8", "replace")


def check(name: str, argv: list[str]) -> Outcome:
    """Run a checker, which passes or fails as a whole and counts as no test."""
    began = time.monotonic()
    status, output = run(argv, PATIENCE)
    outcome = Outcome(name, time.monotonic() - began, output if status else "")
    outcome.failed = 1 if status else 0
    return outcome


def trial(name: str, modules: Iterable[str]) -> Outcome:
    """Run trial over some modules."""
    began = time.monotonic()
    folder = BUILD / "trial" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    status, output = run(
        [
            sys.executable,
            "-m",
            "twisted.trial",
            f"--temp-directory={folder}",
            "--reporter=verbose",
            *modules,
        ],
        PATIENCE,
    )
    outcome = Outcome(name, time.monotonic() - began, output)
    numbers = counts(output)
    if numbers is None:
        outcome.failed = 1
        return outcome
    outcome.passed = numbers["successes"] + numbers.get("expectedFailures", 0)
    outcome.skipped = numbers.get("skips", 0)
    outcome.failed = sum(
        numbers.get(what, 0) for what in ("failures", "errors", "unexpectedSuccesses")
    )
    outcome.reasons = sorted(set(_SKIPPED.findall(output)))
    if outcome.failed == 0 and (status or not outcome.passed + outcome.skipped):
        # A run of no test at all is a mistake somewhere, not a success.
        outcome.failed = 1
    return outcome


def lint() -> list[Outcome]:
    """The checkers, one after the other."""
    python = sys.executable
    return [
        check("ruff check", [python, "-m", "ruff", "check", "."]),
        check("ruff format", [python, "-m", "ruff", "format", "--check", "."]),
        check("mypy", [python, "-m", "mypy"]),
    ]


def unit() -> list[Outcome]:
    """All tests but those with real processes."""
    tests = ROOT / "tests"
    modules = [
        f"tests.{entry.stem}"
        for entry in sorted(tests.iterdir())
        if (entry.is_dir() and (entry / "__init__.py").exists())
        or (entry.suffix == ".py" and entry.name.startswith("test_"))
        if entry != INTEGRATION
    ]
    return [trial("unit", modules)]


def e2e() -> Iterable[Outcome]:
    """The tests with real processes, a few modules at a time."""
    modules = sorted(path.stem for path in INTEGRATION.glob("test_*.py"))
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        runs = [
            pool.submit(trial, module, [f"tests.integration.{module}"])
            for module in modules
        ]
        for done in as_completed(runs):
            yield done.result()


def main(wanted: list[str]) -> int:
    groups = {"lint": lint, "unit": unit, "e2e": e2e}
    outcomes: list[Outcome] = []
    for group in wanted:
        for outcome in groups[group]():
            outcomes.append(outcome)
            if outcome.failed:
                print(outcome.output, flush=True)
            print(outcome.line, flush=True)
            for figure in _FIGURE.findall(outcome.output):
                print(f"       {figure}", flush=True)
    reasons = sorted({reason for outcome in outcomes for reason in outcome.reasons})
    if reasons:
        print("\nLeft out:")
        for reason in reasons:
            print(f"  {reason}")
    failed = sum(outcome.failed for outcome in outcomes)
    skipped = sum(outcome.skipped for outcome in outcomes)
    if os.environ.get("CI") == "true" and skipped:
        print("\nNothing may be left out here (CI=true): that counts as failed.")
        failed, skipped = failed + skipped, 0
    passed = sum(outcome.passed for outcome in outcomes)
    if failed:
        print("\nFailed: " + ", ".join(o.name for o in outcomes if o.failed))
    print(f"\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    arguments = sys.argv[1:] or ["lint", "unit", "e2e"]
    if set(arguments) - {"lint", "unit", "e2e"}:
        sys.exit("usage: run_tests.py [lint] [unit] [e2e]")
    sys.exit(main(arguments))
