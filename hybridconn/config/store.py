"""
The table C{[store]} of C{relay.toml}.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

from attrs import asdict, field, frozen
from cryptography.fernet import Fernet

from hybridconn.config.kinds import FileName, Kind, VariableName
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.secrets import Source, read_bytes
from hybridconn.core.entities import Secret


def _store_url(value: str, source: Source) -> str:
    if not value:
        return value
    try:
        parts = urlsplit(value)
        port = parts.port
        password = parts.password
    except ValueError:
        parts, port, password = urlsplit(""), None, None
    named = {name.lower() for name, _ in parse_qsl(parts.query)}
    if password is not None or named & {"password", "sslpassword"}:
        # Not shown: there is a secret in it.
        raise Mistake(
            "holds a password; put it into a file that only its owner may read, and "
            "name that as password_file."
        )
    good = parts.scheme in ("postgresql", "postgres") and parts.path.strip("/")
    if not good or parts.fragment or port == 0:
        # Nor here: there may be one that could not be told from the rest.
        raise Mistake(
            "is no address of a PostgreSQL database; write it like "
            "postgresql://relay@db.example.net/hybridconn."
        )
    return value


_StoreUrl = Annotated[str, Kind("address", str, _store_url)]


def _help(text: str) -> dict[str, Any]:
    return {"help": text}


@frozen
class StoreSettings:
    """
    Where what is managed is kept.

    @ivar path: of a SQLite database; or C{url}: of a PostgreSQL one.  Both empty:
        nowhere, namespaces stand in the file.
    @ivar keys: that encrypt the keys in it, the newest first.
    @ivar password: for C{url}; L{None}: libpq finds one, or needs none.
    @ivar share_listeners: with the other relays on that database.
    """

    path: str = ""
    keys: tuple[str, ...] = field(default=(), repr=False)
    url: str = ""
    password: Secret | None = None
    share_listeners: bool = False

    @property
    def place(self) -> str:
        """Where it is, for people; empty if there is none."""
        return self.path or self.url


@frozen
class StoreTable:
    """C{[store]}."""

    path: FileName = field(
        default="",
        metadata=_help(
            "A SQLite database with namespaces, hybrid connections, rules and keys, "
            'made if it is not there. `""`: they stand in this file.'
        ),
    )
    url: _StoreUrl = field(
        default="",
        metadata=_help(
            "Instead of `path`, for several relays: a PostgreSQL database, such as "
            "`postgresql://relay@db.example.net/hybridconn?sslmode=verify-full`. It "
            "holds no password."
        ),
    )
    password_file: FileName | None = field(
        default=None,
        metadata=_help(
            "A file with the password for `url`. Without it libpq looks for one: in "
            "`~/.pgpass`, or PGPASSWORD."
        ),
    )
    password_env: VariableName | None = field(
        default=None,
        metadata=_help("An environment variable that holds the same."),
    )
    share_listeners: bool = field(
        default=False,
        metadata=_help(
            "With `url`: a sender at one relay gets a listener at any of them, and all "
            "count together. Needs a `public_url` that is this relay's alone."
        ),
    )
    key_file: FileName | None = field(
        default=None,
        metadata=_help(
            "A file with the key that encrypts the keys in the store, as `hybridconn "
            "store-key` prints it. More lines are older keys, which only open."
        ),
    )
    key_env: VariableName | None = field(
        default=None,
        metadata=_help("An environment variable that holds the same."),
    )

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """There is a key for a store, and it is one."""
        if not table.get("path") and not table.get("url"):
            for key in ("key_file", "key_env"):
                if key in table:
                    yield Mistake("goes only with path or url; add one.", key)
        if table.get("path") and table.get("url"):
            yield Mistake("is one too many beside path; keep one of them.", "url")
        if not table.get("url"):
            for key in ("password_file", "password_env", "share_listeners"):
                if table.get(key):
                    yield Mistake("goes only with url; add it.", key)
        for read in (store_keys, store_password):
            try:
                read(table, source)
            except Mistake as mistake:
                yield mistake


def store_password(table: Mapping[str, Any], source: Source) -> Secret | None:
    """
    The password for the database of a store.

    @raise Mistake: it is said twice, or is not there.
    """
    held = _held(table, source, "password") if table.get("url") else None
    if held is None:
        return None
    key, text = held
    found = text.rstrip("\r\n")
    if not found:
        raise Mistake(f"{shown(table[key])} holds no password.", key)
    return Secret(found)


def store_keys(table: Mapping[str, Any], source: Source) -> tuple[str, ...]:
    """
    The keys of a store.

    @raise Mistake: there are none, or one is no key.
    """
    if not table.get("path") and not table.get("url"):
        return ()
    keys = fernet_keys(table, source)
    if not keys:
        raise Mistake(
            "is missing; make a key with: hybridconn store-key, in a file that only "
            "its owner may read, and name it here.",
            "key_file",
        )
    return keys


def fernet_keys(table: Mapping[str, Any], source: Source) -> tuple[str, ...]:
    """
    The keys that C{key_file} or C{key_env} of a table leads to, the newest first;
    none if neither is there.

    @raise Mistake: both are, or one is no key.
    """
    held = _held(table, source, "key")
    if held is None:
        return ()
    key, text = held
    keys = tuple(line.strip() for line in text.splitlines() if line.strip())
    try:
        for one in keys:
            Fernet(one)
    except ValueError:
        keys = ()
    if not keys:
        raise Mistake(
            f"{shown(table[key])} holds no key; make one with: hybridconn store-key.",
            key,
        )
    return keys


def _held(
    table: Mapping[str, Any], source: Source, what: str
) -> tuple[str, str] | None:
    """
    A secret that is in a file or in the environment.

    @param what: the first word of the two settings that may name it.
    @return: the setting, and what it leads to; L{None}: neither is there.
    @raise Mistake: both are, or it cannot be read.
    """
    file, variable = f"{what}_file", f"{what}_env"
    given = [key for key in (file, variable) if table.get(key) is not None]
    if not given:
        return None
    if len(given) > 1:
        raise Mistake(f"is one too many beside {file}; keep one of them.", variable)
    if given == [variable]:
        return variable, source.environ.get(table[variable], "")
    try:
        content = read_bytes(table[file], source, private=True)
    except Mistake as mistake:
        raise Mistake(mistake.text, file) from None
    return file, content.decode("utf-8", "replace")


def build_store(table: StoreTable, source: Source) -> StoreSettings:
    """The settings of a table that was checked."""
    given = asdict(table)
    return StoreSettings(
        str(source.path(table.path)) if table.path else "",
        store_keys(given, source),
        table.url,
        store_password(given, source),
        table.share_listeners,
    )
