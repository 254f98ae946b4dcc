"""
Resources in a database, through SQLAlchemy: what was acknowledged outlives a crash.

The database is read once, when it is opened; after that it only takes changes, one
transaction for each.  Its calls block, so they are made in a thread of their own.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

import alembic.command
import alembic.config
from sqlalchemy import Engine, create_engine, delete, event, select
from sqlalchemy.exc import SQLAlchemyError
from twisted.internet.defer import Deferred
from zope.interface import implementer

from hybridconn.core.resources import Resource
from hybridconn.interfaces import IResourceStore
from hybridconn.management.registry import Changes
from hybridconn.stores.schema import BY_KIND, TABLES, from_row, key_text, to_row
from hybridconn.stores.vault import Vault

_T = TypeVar("_T")
#: Runs a blocking call somewhere else.
Run = Callable[[Callable[[], Any]], "Deferred[Any]"]


class StoreError(Exception):
    """The database cannot be used; the text says why, without a secret."""


@implementer(IResourceStore)
class SqlResourceStore:
    """
    @param url: SQLAlchemy's, such as C{sqlite:///relay.db}.
    @param vault: for the keys in it.
    @param run: makes the blocking calls of L{save} elsewhere.
    @raise StoreError: the database cannot be opened or brought up to date.
    """

    def __init__(self, url: str, vault: Vault, run: Run) -> None:
        self._vault = vault
        self._run = run
        self._lock: IO[str] | None = None
        try:
            self._engine = _engine(url)
            self._lock = _lock(self._engine)
            self._migrate()
        except (SQLAlchemyError, OSError) as error:
            if self._lock is not None:
                self._lock.close()
            raise StoreError(f"the store cannot be opened: {_words(error)}") from None

    def load(self) -> Iterator[Resource]:
        """
        Everything that is in it.

        @raise VaultError: it was written with other keys.
        """
        with self._engine.connect() as connection:
            for kind, table in TABLES.items():
                for row in connection.execute(select(table)).mappings():
                    found: dict[str, Any] = dict(row)
                    yield from_row(kind, found, self._vault)

    def save(self, changes: Changes) -> Deferred[None]:
        """
        Keep a change, all of it or nothing.

        @return: fires when it is on the disk; fails with L{StoreError}.
        """
        done: Deferred[None] = self._run(lambda: self.write(changes))
        return done

    def write(self, changes: Changes) -> None:
        """
        As L{save}, blocking.

        @raise StoreError: nothing was kept.
        """
        try:
            with self._engine.begin() as connection:
                for kind, key in changes.deletes:
                    table = TABLES[BY_KIND[kind]]
                    gone = delete(table).where(table.c.key == key_text(key))
                    connection.execute(gone)
                for resource in changes.puts:
                    table = TABLES[type(resource)]
                    row = to_row(resource, self._vault)
                    old = delete(table).where(table.c.key == row["key"])
                    connection.execute(old)
                    connection.execute(table.insert().values(row))
        except SQLAlchemyError as error:
            raise StoreError(f"a change was not kept: {_words(error)}") from None

    def backup(self, path: str) -> None:
        """
        Write a copy of a SQLite database while it is used.

        @raise StoreError: it cannot be written, or it is another database.
        """
        if self._engine.dialect.name != "sqlite":
            raise StoreError("only a SQLite store is copied so; use pg_dump")
        try:
            Path(path).touch(mode=0o600)
            os.chmod(path, 0o600)
            with self._engine.connect() as connection:
                there = create_engine(f"sqlite:///{path}").raw_connection()
                source: Any = connection.connection.driver_connection
                target: Any = there.driver_connection
                source.backup(target)
                there.close()
        except (SQLAlchemyError, OSError) as error:
            raise StoreError(f"no copy was made: {_words(error)}") from None

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.close()

    def _migrate(self) -> None:
        config = alembic.config.Config()
        config.set_main_option("script_location", "hybridconn.stores:migrations")
        with self._engine.begin() as connection:
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")


def _engine(url: str) -> Engine:
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def configure(connection: Any, _: object) -> None:
            cursor = connection.cursor()
            # An acknowledged write is on the disk, whatever happens next.
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA busy_timeout=10000")
            cursor.close()

        path = engine.url.database
        if path and not os.path.exists(path):
            # Keys are in it, encrypted; still it is nobody else's.
            Path(path).touch(mode=0o600)
    return engine


def _lock(engine: Engine) -> IO[str] | None:
    """
    Keep others away from a SQLite file: each holds all of it in memory.

    @raise StoreError: it is in use.
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path:
        return None
    handle = os.open(f"{path}.lock", os.O_CREAT | os.O_WRONLY, 0o600)
    lock = os.fdopen(handle, "w", encoding="ascii")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise StoreError(
            f"the store {path} is used by another process; stop that one first"
        ) from None
    return lock


def _words(error: Exception) -> str:
    # SQLAlchemy repeats the statement with its values behind the first line.
    original = getattr(error, "orig", None) or error
    return str(original).splitlines()[0] if str(original) else type(error).__name__
