"""What C{hybridconn ping} and C{hybridconn doctor} print."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hybridconn.diagnosis.answers import LISTENER
from hybridconn.diagnosis.check import Check, Result

_STYLES: Final = {Result.PASS: "green", Result.FAIL: "bold red", Result.SKIP: "dim"}


class HopPrinter:
    """Prints each hop as it is done."""

    _subject = ""

    def print(self, check: Check) -> None:
        """One line, and the mend below it."""
        if check.subject != self._subject:
            self._subject = check.subject
            click.echo(check.subject)
        click.echo(
            f"  {check.name:18}{check.result.value}{_ms(check):>12}  {check.seen}"
        )
        if check.mend:
            click.echo(f"{'':20}To do: {check.mend}.")


def _ms(check: Check) -> str:
    return "" if check.seconds is None else f"{1000 * check.seconds:.1f} ms"


def round_line(number: int, checks: Sequence[Check]) -> str:
    """A later round, in one line."""
    words: dict[str, str] = {}
    for check in checks:
        if check.name == LISTENER and check.ok:
            who = check.seen.partition(",")[0]
            words[check.subject] = f"{who} {_ms(check)}".rstrip()
        if not check.ok:
            before = words.get(check.subject, check.subject)
            words[check.subject] = f"{before}, {check.name} FAIL: {check.seen}"
    return f"{number}: {'; '.join(words.values()) or 'nobody answered'}"


def _times(checks: Iterable[Check]) -> list[float]:
    """How long each listener took, seconds."""
    return [
        check.seconds
        for check in checks
        if check.name == LISTENER and check.seconds is not None
    ]


def summary(where: str, rounds: Sequence[Sequence[Check]]) -> bool:
    """
    Say how many rounds got through.

    @return: whether all did.
    """
    whole = [some for some in rounds if some]
    through = [some for some in whole if _times(some) and all(c.ok for c in some)]
    times = [one for some in whole for one in _times(some)]
    words = f"--- {where}: {len(through)} of {len(whole)} got through"
    if times:
        low, middle, high = min(times), sum(times) / len(times), max(times)
        shown = "/".join(f"{1000 * one:.1f}" for one in (low, middle, high))
        words += f"; a listener in min/avg/max {shown} ms"
    click.echo(words)
    return bool(whole) and len(through) == len(whole)


def print_json(checks: Sequence[Check], good: bool = True) -> bool:
    """
    Print all of it as one object.

    @return: whether all is well.
    """
    good = good and all(check.ok for check in checks)
    body = {"ok": good, "checks": [check.view() for check in checks]}
    click.echo(json.dumps(body, indent=2))
    return good


def print_checks(checks: Sequence[Check]) -> None:
    """A table, by subjects."""
    table: Any = Table("CHECK", "RESULT", "SEEN", "MEND", box=None, pad_edge=False)
    subject = ""
    for check in checks:
        if check.subject != subject:
            subject = check.subject
            table.add_row(subject, style="bold")
        took = f" ({_ms(check)})" if check.seconds is not None else ""
        table.add_row(
            f"  {check.name}",
            Text(check.result.value, style=_STYLES[check.result]),
            f"{check.seen}{took}",
            check.mend,
        )
    if sys.stdout.isatty():
        Console(markup=False, highlight=False).print(table)
        return
    # What is no terminal has no width: nothing is cut off.
    plain = Console(file=io.StringIO(), width=1000, markup=False, highlight=False)
    plain.print(table)
    for line in plain.file.getvalue().splitlines():  # type: ignore[attr-defined]
        click.echo(line.rstrip())
