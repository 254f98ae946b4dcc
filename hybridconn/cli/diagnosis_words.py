"""What C{hybridconn ping} and C{hybridconn doctor} print."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import click

from hybridconn.diagnosis.answers import LISTENER
from hybridconn.diagnosis.check import Check, Result

_COLOURS: Final = {
    Result.PASS: "green",
    Result.FAIL: "red",
    Result.SKIP: "bright_black",
}
#: A terminal that is narrower is taken for one of so many columns.
_NARROWEST: Final = 60
_HEAD: Final = ("CHECK", "RESULT", "SEEN", "MEND")


class Seconds(click.FloatRange):
    """Seconds that pass: C{nan} is within every range."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """Read it (click)."""
        found = super().convert(value, param, ctx)
        if math.isnan(found):
            self.fail(f"{value} is no number of seconds.", param, ctx)
        return found


#: For one hop; a day is more than anybody waits for.
HOP_SECONDS: Final = Seconds(0.1, 3600)


def terminal_width() -> int | None:
    """
    Columns of the terminal that is written to; L{None}: it is none, has no width, and
    nothing is folded.
    """
    if not sys.stdout.isatty():
        return None
    return max(_NARROWEST, shutil.get_terminal_size().columns)


class HopPrinter:
    """
    Prints each hop as it is done.

    @param width: of L{terminal_width}.
    """

    def __init__(self, width: int | None) -> None:
        self._width = width
        self._subject = ""

    def print(self, check: Check) -> None:
        """One line, and the mend below it."""
        if check.subject != self._subject:
            self._subject = check.subject
            click.echo(check.subject)
        start = f"  {check.name:18}{check.result.value}{_ms(check):>12}  "
        click.echo(_folded(start, check.seen, self._width))
        if check.mend:
            click.echo(_folded(" " * 20, _to_do(check.mend), self._width))


def _folded(start: str, text: str, width: int | None) -> str:
    """C{text} behind C{start}, and below itself where a line is full."""
    if width is None:
        return f"{start}{text}".rstrip()
    room = width - len(start)
    lines = textwrap.wrap(text, room, break_on_hyphens=False)
    return (start + f"\n{'':{len(start)}}".join(lines)).rstrip()


def _to_do(mend: str) -> str:
    return f"To do: {mend}{'' if mend.endswith(('?', '.')) else '.'}"


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


def all_through(rounds: Sequence[Sequence[Check]]) -> bool:
    """Whether there were rounds, and each got through."""
    whole = [some for some in rounds if some]
    return bool(whole) and all(map(_through, whole))


def _through(checks: Sequence[Check]) -> bool:
    return bool(_times(checks)) and all(check.ok for check in checks)


def summary(where: str, rounds: Sequence[Sequence[Check]]) -> bool:
    """
    Say how many rounds got through.

    @return: whether all did.
    """
    whole = [some for some in rounds if some]
    through = [some for some in whole if _through(some)]
    times = [one for some in whole for one in _times(some)]
    words = f"--- {where}: {len(through)} of {len(whole)} got through"
    if times:
        low, middle, high = min(times), sum(times) / len(times), max(times)
        shown = "/".join(f"{1000 * one:.1f}" for one in (low, middle, high))
        words += f"; a listener in min/avg/max {shown} ms"
    click.echo(words)
    return all_through(rounds)


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
    colours = None if not os.environ.get("NO_COLOR") else False
    for line in table_lines(checks, terminal_width()):
        click.echo(line, color=colours)


def table_lines(checks: Sequence[Check], width: int | None) -> Iterator[str]:
    """
    A table, by subjects.

    @param width: of L{terminal_width}; a terminal has no room for two texts beside
        each other, so mends are below what was seen.
    """
    names = max((len(check.name) for check in checks), default=0) + 2
    room = max((len(_seen(check)) for check in checks), default=0)
    name, result, seen, mend = _HEAD
    head = f"{name:{names}}  {result}  "
    yield f"{head}{seen}" if width is not None else f"{head}{seen:{room}}  {mend}"
    subject = ""
    for check in checks:
        if check.subject != subject:
            subject = check.subject
            yield subject if width is None else click.style(subject, bold=True)
        value = check.result.value
        start = f"{'  ' + check.name:{names}}  {value:{len(result)}}  "
        if width is None:
            yield f"{start}{_seen(check):{room}}  {check.mend}".rstrip()
            continue
        coloured = click.style(value, fg=_COLOURS[check.result])
        yield _folded(start, _seen(check), width).replace(value, coloured, 1)
        if check.mend:
            yield _folded(" " * len(start), _to_do(check.mend), width)


def _seen(check: Check) -> str:
    took = f" ({_ms(check)})" if check.seconds is not None else ""
    return f"{check.seen}{took}"
