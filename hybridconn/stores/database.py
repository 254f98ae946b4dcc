"""
SQLite or PostgreSQL, made ready: what each of them needs to be told, so that the rest
can treat them alike.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from weakref import WeakSet

import alembic.command
import alembic.config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from hybridconn.core.entities import Secret
from hybridconn.stores.errors import StoreError

#: Seconds that a writer waits for another one.
_PATIENCE = 10
#: Any number, the same for all nodes: they migrate one after the other.
_MIGRATION_LOCK = 0x68796272
#: A server that is gone without a word is noticed in some ten seconds.
_POSTGRES: dict[str, str | int] = {
    "application_name": "hybridconn",
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
#: For each connection.  A node that stops while it holds the lock keeps the others
#: from writing no longer than this; and an acknowledged write is on the disk.
_SESSION = f"""
SELECT set_config('lock_timeout', '{_PATIENCE}s', false),
    set_config('idle_in_transaction_session_timeout', '{_PATIENCE}s', false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, false)
"""


class Database:
    """
    @param path: of a SQLite file, made if it is not there; or
    @param url: of a PostgreSQL database, without a password.
    @param password: for C{url}, if neither C{.pgpass} nor the server's trust does.
    @raise StoreError: it cannot be used.
    @ivar engine: SQLAlchemy's.
    """

    def __init__(
        self, path: str = "", url: str = "", password: Secret | None = None
    ) -> None:
        self.postgres = bool(url)
        self._live: WeakSet[Any] = WeakSet()
        self.engine = _postgres(url, password) if url else _sqlite(path)
        if self.postgres:
            # Before anything is said over it: the first answer may not come either.
            live = self._live
            event.listen(
                self.engine, "connect", lambda it, _: live.add(it), insert=True
            )
        try:
            with self.writing() as connection:
                self._migrate(connection)
        except (SQLAlchemyError, OSError) as error:
            self.engine.dispose()
            raise StoreError(f"the store cannot be opened: {words(error)}") from None
        except CommandError:
            self.engine.dispose()
            raise StoreError(
                "the store was used by a newer hybridconn than this one; install that"
            ) from None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees one state of everything."""
        with self.engine.connect() as connection:
            if self.postgres:
                level = "REPEATABLE READ"
                connection = connection.execution_options(isolation_level=level)
            with connection.begin():
                yield connection

    def begin(self) -> Connection:
        """Begin a transaction that writes; closing the connection ends it."""
        connection = self.engine.connect().execution_options(writes=True)
        try:
            connection.begin()
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """The same, committed at the end."""
        with self.begin() as connection:
            yield connection
            connection.commit()

    def abort(self) -> None:
        """
        Have what waits for the server fail.  Called from another thread than the one
        that waits.
        """
        for connection in tuple(self._live):
            # One that ended already, or just now, must not keep the others alive.
            with suppress(OSError, self.engine.dialect.loaded_dbapi.Error):
                # The library goes on using its own descriptor, and finds an end there.
                line = socket.socket(fileno=os.dup(connection.fileno()))
                with closing(line):
                    line.shutdown(socket.SHUT_RDWR)

    def _migrate(self, connection: Connection) -> None:
        if self.postgres:
            connection.execute(
                text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATION_LOCK}
            )
        config = alembic.config.Config()
        config.set_main_option("script_location", "hybridconn.stores:migrations")
        config.attributes["connection"] = connection
        alembic.command.upgrade(config, "head")


def _postgres(url: str, password: Secret | None) -> Engine:
    try:
        import psycopg  # noqa: F401  # only who has PostgreSQL needs it
    except ImportError:
        raise StoreError(
            "the store is a PostgreSQL database, and psycopg is missing: "
            "pip install 'hybridconn[postgres]'"
        ) from None
    try:
        parsed = make_url(url).set(drivername="postgresql+psycopg")
    except (ArgumentError, ValueError):
        raise StoreError("the url of the store cannot be understood") from None
    if password is not None:
        parsed = parsed.set(password=password.reveal())
    ours = {name: it for name, it in _POSTGRES.items() if name not in parsed.query}
    # One at a time is enough, and another one that is taken out of the pool to listen:
    # that may be wanted between the calls of a change, which holds the first.
    engine = create_engine(
        parsed, pool_size=1, max_overflow=1, pool_pre_ping=True, connect_args=ours
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        connection.execute(_SESSION)
        connection.commit()

    return engine


def _sqlite(path: str) -> Engine:
    if not os.path.exists(path):
        try:
            # Keys are in it, encrypted; still it is nobody else's.
            Path(path).touch(mode=0o600)
        except OSError as error:
            raise StoreError(f"the store cannot be opened: {words(error)}") from None
    engine = create_engine(URL.create("sqlite", database=path))

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: object) -> None:
        # Transactions begin where we say, not where Python would begin them.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout={_PATIENCE * 1000}")
        cursor.execute("PRAGMA journal_mode=WAL")
        # An acknowledged write is on the disk, whatever happens next.
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


@contextmanager
def failing(what: str) -> Iterator[None]:
    """
    Have what SQLAlchemy says said in a line.

    @param what: such as C{cannot be read}.
    """
    try:
        yield
    except SQLAlchemyError as error:
        raise StoreError(f"the store {what}: {words(error)}") from None


def words(error: BaseException) -> str:
    """What is wrong, in a line."""
    # SQLAlchemy repeats the statement with its values behind the first line.
    original = getattr(error, "orig", None) or error
    said = str(original).strip()
    return said.splitlines()[0] if said else type(original).__name__
