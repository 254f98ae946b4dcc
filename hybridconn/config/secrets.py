"""
Secrets from files and the environment: who else could read them is looked at
before they are used (reliability-security T22).
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from attrs import field, frozen

from hybridconn.config.mistakes import Mistake, shown
from hybridconn.core.connection_string import (
    ConnectionString,
    ConnectionStringError,
    Discontinued,
)

#: The variable that is looked at when a command line names no configuration.
DEFAULT_VARIABLE = "HYBRIDCONN_CONNECTION_STRING"

#: Exactly one of these says where a connection string is.
CONNECTION_KEYS = (
    "connection_string_file",
    "connection_string_env",
    "connection_string",
    "connection_string_sealed",
)
_SECRET_KEYS = frozenset({"primary_key", "secondary_key", "connection_string"})
#: The most that a file of a configuration may have; what has more is another file.
MOST_BYTES = 1024 * 1024
TOO_BIG = "has more than 1 MiB; is it the right file?"


def _unnoted(path: Path) -> None:
    """Nobody wants to know."""


@frozen
class Source:
    """
    Where a configuration comes from.

    @ivar name: the file as its user wrote it, for messages.
    @ivar folder: where relative file names in it are looked up.
    @ivar environ: the environment variables.
    @ivar unseal: opens a connection string that is encrypted; raises L{ValueError}
        with a sentence.  L{None}: there is no key.
    @ivar note: called with each file that the configuration names, before it is read.
    """

    name: str
    folder: Path
    environ: Mapping[str, str]
    unseal: Callable[[str], str] | None = None
    # What is read does not depend on it.
    note: Callable[[Path], object] = field(default=_unnoted, eq=False, repr=False)

    def path(self, text: str) -> Path:
        """The file that C{text} names."""
        return self.folder / Path(text).expanduser()


def carries_secrets(raw: object) -> bool:
    """Whether keys or connection strings stand in a configuration itself."""
    if isinstance(raw, dict):
        return any(
            key in _SECRET_KEYS or carries_secrets(value) for key, value in raw.items()
        )
    return isinstance(raw, list) and any(carries_secrets(item) for item in raw)


def permission_mistake(
    file: IO[Any], path: Path, environ: Mapping[str, str]
) -> str | None:
    """
    Say what is wrong if others than its owner may read an open file.

    Systemd gives credentials to a service in a folder that nobody else can
    enter, with a mode that shows the group as a reader: they pass.

    @param path: where the file is, for the mend.
    """
    mode = os.fstat(file.fileno()).st_mode
    if os.name == "nt" or not stat.S_ISREG(mode) or not mode & 0o077:
        return None
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    if credentials and path.parent.resolve() == Path(credentials).resolve():
        return None
    return (
        f"others can read it (mode {stat.S_IMODE(mode):04o}) and it holds secrets; "
        f"run: chmod 600 {shlex.quote(str(path))}"
    )


def open_mistake(error: OSError, text: str, path: Path) -> str:
    """Say in words why a file of a configuration cannot be read."""
    name = shown(text, whole=True)
    if isinstance(error, FileNotFoundError):
        where = shown(os.path.abspath(path), whole=True)
        return f"there is no file {name}; it was looked for at {where}."
    if isinstance(error, IsADirectoryError):
        return f"{name} is a folder; name the file in it."
    if isinstance(error, PermissionError):
        return f"this user may not read {name}; give it to the user that runs this."
    return f"{name} cannot be read: {error.strerror or 'unknown error'}."


def read_bytes(text: str, source: Source, private: bool) -> bytes:
    """
    Read a file that a configuration names.

    @param text: the file's name as it stands in the configuration.
    @param private: whether nobody else may be able to read it.
    @raise Mistake: if it cannot be read, or others can.
    """
    if not text.strip() or "\0" in text:
        raise Mistake("the file's name is empty; write the name of a file.")
    if "endpoint=" in text.lower():
        raise Mistake(
            "this is a connection string, not the name of a file; put it into a file "
            "that only its owner may read, and write that file's name here."
        )
    path = source.path(text)
    source.note(path)
    try:
        with path.open("rb") as file:
            wrong = permission_mistake(file, path, source.environ) if private else None
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise Mistake(open_mistake(error, text, path)) from None
    if wrong is not None:
        raise Mistake(f"{shown(text, whole=True)}: {wrong}")
    if len(content) > MOST_BYTES:
        raise Mistake(f"{shown(text)} {TOO_BIG}")
    return content


class DiscontinuedMistake(Mistake):
    """A connection string is of a kind that is no more."""

    def __init__(self, error: Discontinued, *path: str | int) -> None:
        super().__init__(f"holds what is no longer of use: {error}.", *path)
        self.error = error


def connection_string(table: Mapping[str, Any], source: Source) -> ConnectionString:
    """
    Find and read the connection string of a table.

    @param table: the table as it was read, with the keys L{CONNECTION_KEYS}.
    @raise Mistake: if not exactly one key is there, or what it leads to is no
        connection string; a string's text is never in the message.
    """
    given = [key for key in CONNECTION_KEYS if key in table]
    if not given:
        raise Mistake(
            "is missing; add this key with the name of a file that holds the "
            "connection string, or connection_string_env with a variable's name.",
            CONNECTION_KEYS[0],
        )
    if len(given) > 1:
        raise Mistake(f"is one too many beside {given[0]}; keep one of them.", given[1])
    key = given[0]
    value = table[key]
    if not isinstance(value, str):
        raise Mistake(f"must be text in quotes, not {shown(value)}.", key)
    try:
        parsed = ConnectionString.parse(_text(key, value, source))
        parsed.require_entity_path()
    except Discontinued as error:
        raise DiscontinuedMistake(error, key) from None
    except ConnectionStringError as error:
        here = key in ("connection_string", "connection_string_sealed")
        held = "" if here else f"{shown(value)} holds "
        raise Mistake(f"{held}no usable connection string: {error}.", key) from None
    except Mistake as mistake:
        raise Mistake(mistake.text, key) from None
    return parsed


def _text(key: str, value: str, source: Source) -> str:
    if key == "connection_string":
        return value
    if key == "connection_string_sealed":
        if source.unseal is None:
            raise Mistake(
                "is encrypted and there is no key; name it as key_file in the table "
                "[connections] of listener.toml."
            )
        try:
            return source.unseal(value)
        except ValueError as error:
            raise Mistake(f"cannot be opened: {error}.") from None
    if key == "connection_string_env":
        found = source.environ.get(value)
        if not found:
            raise Mistake(f"the environment has no variable {shown(value)}; set it.")
        return found
    content = read_bytes(value, source, private=True)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Mistake(f"{shown(value)} is not UTF-8 text.") from None
