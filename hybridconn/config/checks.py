"""
Checks over several values of a configuration.  They get tables as they were read,
with anything in them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hybridconn.certificates import check_pair
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.secrets import Source, read_bytes
from hybridconn.core.names import fold


def tables(table: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    """The tables of an array of tables, whatever else stands there."""
    value = table.get(key)
    items = value if isinstance(value, list) else []
    return [item if isinstance(item, dict) else {} for item in items]


def same_names(
    table: Mapping[str, Any], key: str, name: str, words: str
) -> Iterator[Mistake]:
    """
    Find tables of an array that have the same name, in any case.

    @param key: the array's key.
    @param name: the key of the name in each.
    @param words: what such a table is.
    """
    first: dict[str, int] = {}
    for index, item in enumerate(tables(table, key)):
        value = item.get(name)
        if not isinstance(value, str):
            continue
        before = first.setdefault(fold(value), index)
        if before != index:
            yield Mistake(
                f"{shown(value)} is the {name} of another {words}, number {before + 1} "
                "(upper and lower case are the same); change one of them.",
                *(key, index, name),
            )


def check_files(certificate: Any, key: Any, source: Source) -> Iterator[Mistake]:
    """
    Find what is wrong with the files of a certificate and its key, as they are
    named in a table.
    """
    content: dict[str, bytes] = {}
    for name, value in (("certificate", certificate), ("key", key)):
        if isinstance(value, str):
            try:
                content[name] = read_bytes(value, source, private=name == "key")
            except Mistake as mistake:
                yield Mistake(mistake.text, name)
    if len(content) == 2:
        try:
            check_pair(content["certificate"], content["key"])
        except ValueError as error:
            both = f"{shown(certificate)} and {shown(key)}"
            yield Mistake(f"{both} {error}.", "certificate")
