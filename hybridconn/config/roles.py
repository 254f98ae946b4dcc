"""
What the configurations of listeners and senders have in common.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from hybridconn.config.mistakes import ConfigError, Mistake
from hybridconn.config.secrets import (
    CONNECTION_KEYS,
    DEFAULT_VARIABLE,
    Source,
    connection_string,
)
from hybridconn.core.connection_string import ConnectionString

CA_FILE_HELP = (
    "PEM file with certificate authorities that are trusted in addition to the "
    "system's, for a relay with a private one."
)
DATA_PATH_HELP = (
    "Who reads and writes the frames of tunnels: `slim`, our own codec, or `autobahn`,"
    " which costs several times as much."
)
TLS_HELP = (
    "Whose code lies between TLS and the network: `lean`, our own, or `twisted`, which"
    " costs more."
)
INSECURE_HELP = "Plain `ws://`, without TLS: for a relay that says so too, in tests."

FILE_HELP = "A file that holds the connection string; only its owner may read it."
VARIABLE_HELP = "The environment variable that holds it."
STRING_HELP = (
    "The connection string itself; then only the owner may read this file. Exactly one "
    "of the three must be there."
)


def check_timings(table: Mapping[str, Any]) -> Iterator[Mistake]:
    """A peer is given up only some time after it was pinged."""
    interval, dead = table.get("ping_interval", 30.0), table.get("dead_after", 60.0)
    numbers = isinstance(interval, int | float) and isinstance(dead, int | float)
    if numbers and not interval < dead:
        yield Mistake(
            f"{dead} is not more than ping_interval, {interval}; raise it, so that a "
            "ping can be answered.",
            "dead_after",
        )


def connection_of(table: attrs.AttrsInstance, source: Source) -> ConnectionString:
    """
    Read the connection string of a table whose fields are right, one of them being
    where it is.

    @raise Mistake: as L{connection_string}.
    """
    given = attrs.asdict(
        table, recurse=False, filter=lambda _, value: value is not None
    )
    return connection_string(given, source)


def connections(
    table: Mapping[str, Any], key: str, source: Source
) -> Iterator[tuple[int, str, ConnectionString]]:
    """
    Those connection strings of an array of tables that can be read, each with
    its index and the key by which it was given.
    """
    value = table.get(key)
    for index, item in enumerate(value if isinstance(value, list) else []):
        if isinstance(item, dict):
            try:
                found = connection_string(item, source)
            except Mistake:
                continue
            yield index, next(one for one in CONNECTION_KEYS if one in item), found


def option_values(
    table: str,
    connection_string_file: str | None,
    values: Mapping[str, str | None],
    top: Mapping[str, str | bool | None],
    environ: Mapping[str, str],
) -> dict[str, Any]:
    """
    Write options of a command line as a file would have them, with one table.

    @param table: the key of the array of tables.
    @param values: the other values of that table.
    @param top: values beside it.
    @raise ConfigError: if nothing says where the connection string is.
    """
    if connection_string_file is not None:
        item = {"connection_string_file": connection_string_file}
    elif DEFAULT_VARIABLE in environ:
        item = {"connection_string_env": DEFAULT_VARIABLE}
    else:
        text = (
            "command line: there is no connection string; give --config FILE or "
            f"--connection-string-file FILE, or set {DEFAULT_VARIABLE}."
        )
        raise ConfigError("command line", [text])
    item |= {key: value for key, value in values.items() if value is not None}
    given = {key: value for key, value in top.items() if value is not None}
    return {**given, table: [item]}
