"""
What is wrong with a configuration, put so that its owner can mend it: each
mistake is one line that names the file, the place, the value and the way out.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

#: Keys of a table that people use as its name, the first one present wins.
_LABELS = (
    "name",
    "path",
    "bind",
    "endpoint",
    "connection_string_file",
    "connection_string_env",
)
# What could be a secret in the wrong place: connection strings, tokens, PEM keys
# and base64 of some length (file names have no "=" at their end).
_SECRET = re.compile(
    r"sharedaccess|\bsig=|PRIVATE KEY|[a-z0-9+/]{20,}={1,2}(?![a-z0-9])|[a-z0-9+]{40,}",
    re.IGNORECASE,
)
_LONGEST_SHOWN = 80


class ConfigError(Exception):
    """
    A configuration that cannot be used.

    @ivar mistakes: one line each, all that were found.
    @ivar files: those that were looked at, and how each was then, as far as whoever
        read them has noted that: a mistake may be mended in any of them.
    """

    files: Mapping[str, Any] = MappingProxyType({})

    def __init__(self, name: str, mistakes: Sequence[str]) -> None:
        """
        @param name: the file, or other source, that was read.
        """
        super().__init__(name, tuple(mistakes))
        self.name = name
        self.mistakes: tuple[str, ...] = tuple(mistakes)

    def __str__(self) -> str:
        if len(self.mistakes) == 1:
            return self.mistakes[0]
        lines = "".join(f"\n  {line}" for line in self.mistakes)
        return f"{self.name} has {len(self.mistakes)} mistakes:{lines}"


class Mistake(Exception):
    """
    One mistake, while it is not yet known in which file it stands.

    @ivar text: what is wrong with the value, and the mend: a sentence that
        follows C{key: } and never holds a secret.
    @ivar path: the keys and list indices that lead to it, from where it was
        found.
    """

    def __init__(self, text: str, *path: str | int) -> None:
        super().__init__(text, path)
        self.text = text
        self.path = path


class Place(Protocol):
    """Words for a place in a configuration."""

    def __call__(self, path: Sequence[str | int], raw: Mapping[str, Any]) -> str:
        """
        @param path: keys and list indices from the top.
        @param raw: the configuration as it was read, to find names of tables.
        """


def shown(value: object, whole: bool = False) -> str:
    """
    A value as people wrote it, for a message about it; what could be a key, a
    token or a connection string in the wrong place is left out.

    @param whole: not to be shortened, as it is with the name of a file.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    if not isinstance(value, str):
        return str(value)
    if _SECRET.search(value):
        return f"this text of {len(value)} characters"
    printable = "".join(c if c.isprintable() else "?" for c in value)
    if len(printable) > _LONGEST_SHOWN and not whole:
        printable = printable[:_LONGEST_SHOWN] + "…"
    return f'"{printable}"'


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """
    @return: C{; did you mean "…"?} for the nearest known word, else all of them.
    """
    known = sorted(known)
    lower = {one.lower(): one for one in known}
    near = difflib.get_close_matches(word.lower(), lower, 1, 0.6)
    if near:
        return f'; did you mean "{lower[near[0]]}"?'
    if not known:
        return "."
    *others, last = known
    return f"; use {', '.join(others)} or {last}." if others else f"; use {last}."


def place_in_toml(path: Sequence[str | int], raw: Mapping[str, Any]) -> str:
    """
    Where something stands in a TOML file: C{[listen] port} or
    C{[[namespace]] "contoso", rule "app", rights[1]}.
    """
    parts: list[str] = []
    here: Any = raw
    for index, step in enumerate(path):
        around, here = here, _inside(here, step)
        if isinstance(step, int):
            if isinstance(here, dict):
                parts[-1] += f" {_label(around, step)}"
            else:
                parts[-1] += f"[{step}]"
        elif index:
            parts.append(step)
        elif isinstance(here, list) and here and isinstance(here[0], dict):
            parts.append(f"[[{step}]]")
        elif isinstance(here, dict) or (here is None and len(path) > 1):
            parts.append(f"[{step}]")
        else:
            parts.append(step)
    if len(parts) > 1 and parts[0].endswith("]") and not parts[0].startswith("[["):
        parts[:2] = [f"{parts[0]} {parts[1]}"]
    return ", ".join(parts)


def place_in_options(path: Sequence[str | int], raw: Mapping[str, Any]) -> str:
    """
    The same for what was given on a command line: C{--ca-file}.  The variable
    of the environment is no option; its name is in the text.
    """
    words = [step for step in path if isinstance(step, str)]
    if not words or words[-1] == "connection_string_env":
        return ""
    return f"--{words[-1].replace('_', '-')}"


def _inside(here: Any, step: str | int) -> Any:
    if isinstance(here, dict):
        return here.get(step)
    if isinstance(here, list) and isinstance(step, int) and step < len(here):
        return here[step]
    return None


def _label(tables: Sequence[Any], index: int) -> str:
    names = [_name(table) for table in tables]
    number = f"number {index + 1}"
    if names[index] is None:
        return number
    same = names.count(names[index]) > 1
    return f"{names[index]} ({number})" if same else f"{names[index]}"


def _name(table: Any) -> str | None:
    for key in _LABELS if isinstance(table, dict) else ():
        value = table.get(key)
        if isinstance(value, str) and value and not _SECRET.search(value):
            return shown(value)
    return None


def in_file_order(path: Sequence[str | int], raw: Any) -> tuple[int, ...]:
    """A sort key: mistakes come in the order of the file they are in."""
    order: list[int] = []
    for step in path:
        if isinstance(raw, dict) and step in raw:
            order.append(list(raw).index(step))
        elif isinstance(step, int):
            order.append(step)
        else:
            order.append(len(raw) if isinstance(raw, dict) else 0)
        raw = _inside(raw, step)
    return tuple(order)
