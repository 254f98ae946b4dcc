"""
Resources in a database, through SQLAlchemy: what was acknowledged outlives a crash,
and several nodes may share it.

The database is read once.  Each change is one transaction that first locks the only
row of a table, so that there is one writer at a time among all nodes.  The row holds a
revision, and a log has what each revision changed: a node that is behind reads those
resources again, and only then changes something itself.

The calls block, so they are made in a thread of their own.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from sqlalchemy import (
    Connection,
    Row,
    Table,
    bindparam,
    delete,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import SQLAlchemyError
from zope.interface import implementer

from hybridconn.core.resources import Key, Resource
from hybridconn.interfaces import IResourceStore
from hybridconn.management.registry import Changes, News
from hybridconn.stores.database import Database, failing, words
from hybridconn.stores.doorbell import Doorbell
from hybridconn.stores.errors import ChangeInDoubt, StoreError
from hybridconn.stores.schema import (
    BY_KIND,
    LOG,
    SEALED,
    STATE,
    TABLES,
    from_row,
    key_of,
    key_text,
    to_row,
)
from hybridconn.stores.vault import Vault

#: A node that is further behind reads everything again.
KEPT_REVISIONS = 10_000
#: One for each database; what is said is the new revision.
_CHANNEL = "hybridconn_changes"
#: Keys in one statement.
_MANY = 500


@implementer(IResourceStore)
class SqlResourceStore:
    """
    @param vault: for the keys in it.
    """

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._held: tuple[Connection, Row[Any]] | None = None
        self.revision = 0
        self.rings = database.postgres

    # --- IResourceStore ---

    def load(self) -> News:
        with failing("cannot be read"), self._database.reading() as connection:
            state = connection.execute(select(STATE)).one()
            # Said now, not at the first change.
            self._sealing(state)
            news = News(tuple(self._everything(connection)), whole=True)
        self.revision = state.revision
        # What comes next may be another thread, or another process after a fork.
        self._database.engine.dispose()
        return news

    def news(self) -> News:
        with failing("cannot be read"), self._database.reading() as connection:
            state = connection.execute(select(STATE)).one()
            news = self._since(connection, state.revision)
        self.revision = state.revision
        return news

    def lock(self) -> News:
        with failing("cannot be changed now"):
            connection = self._database.begin()
            try:
                state = connection.execute(select(STATE).with_for_update()).one()
                news = self._since(connection, state.revision)
            except BaseException:
                connection.close()
                raise
        self._held = connection, state
        self.revision = state.revision
        return news

    def keep(self, changes: Changes) -> None:
        connection, state = self._taken()
        with connection:
            with failing("did not keep a change"):
                vault = self._sealing(state)
                _write(connection, changes, vault)
                self._count_up(connection, state.revision + 1, changes, vault)
            try:
                connection.commit()
            except SQLAlchemyError as error:
                raise ChangeInDoubt(
                    f"the store may have kept a change, or not: {words(error)}"
                ) from None
        self.revision = state.revision + 1

    def release(self) -> None:
        connection, _ = self._taken()
        # It is given back to the pool, which rolls back what it had begun.
        with failing("was lost"):
            connection.close()

    def listen(self, ring: Callable[[int], None], lost: Callable[[], None]) -> Doorbell:
        def heard(said: str) -> None:
            if said.isdigit():
                ring(int(said))

        return Doorbell(self._database.engine, [_CHANNEL], heard, lost)

    def abort(self) -> None:
        self._database.abort()

    def close(self) -> None:
        if self._held is not None:
            self.release()
        self._database.engine.dispose()

    # --- the key that seals ---

    def rekey(self) -> int:
        """
        Encrypt everything with the newest key, and have all nodes use it from now on.

        @return: how many keys it was.
        @raise VaultError: some were encrypted with a key that is not there; then
            nothing was changed.
        """
        count = 0
        with failing("was not changed"), self._database.writing() as connection:
            connection.execute(select(STATE).with_for_update())
            for kind, columns in SEALED.items():
                for column in columns:
                    count += self._rotate(connection, TABLES[kind], column)
            connection.execute(update(STATE).values(sealed_with=self._vault.newest))
        return count

    # --- ours ---

    def _taken(self) -> tuple[Connection, Row[Any]]:
        held, self._held = self._held, None
        assert held is not None, "it was not locked"
        return held

    def _sealing(self, state: Row[Any]) -> Vault:
        # All nodes seal with the same key, until one that all have takes its place.
        return self._vault.sealing_with(state.sealed_with or self._vault.newest)

    def _rotate(self, connection: Connection, table: Table, name: str) -> int:
        column = table.c[name]
        some = select(table.c.key, column).where(column.is_not(None))
        rows = [
            {"its_key": key, "fresh": self._vault.rotate(sealed)}
            for key, sealed in connection.execute(some)
        ]
        if rows:
            here = update(table).where(table.c.key == bindparam("its_key"))
            connection.execute(here.values({name: bindparam("fresh")}), rows)
        return len(rows)

    def _since(self, connection: Connection, revision: int) -> News:
        behind = revision - self.revision
        if not behind:
            return News()
        if behind < 0:
            # Perhaps an old copy was put in its place.  What was deleted since then
            # must not come back unasked.
            raise StoreError(
                f"the store went back from revision {self.revision} to {revision}; if "
                "that is meant, start this relay again"
            )
        newer = select(LOG.c.places).where(LOG.c.revision > self.revision)
        told = connection.execute(newer).scalars().all()
        if len(told) < behind:
            return News(tuple(self._everything(connection)), whole=True)
        keys: defaultdict[str, set[str]] = defaultdict(set)
        for places in told:
            for kind, key in json.loads(places):
                keys[kind].add(key)
        found: list[Resource] = []
        gone: list[tuple[str, Key]] = []
        for kind, wanted in keys.items():
            here = list(self._these(connection, kind, sorted(wanted)))
            found += here
            left = wanted.difference(key_text(one.key) for one in here)
            gone += [(kind, key_of(key)) for key in left]
        return News(tuple(found), tuple(gone))

    def _these(
        self, connection: Connection, kind: str, keys: list[str]
    ) -> Iterator[Resource]:
        table = TABLES[BY_KIND[kind]]
        for at in range(0, len(keys), _MANY):
            some = select(table).where(table.c.key.in_(keys[at : at + _MANY]))
            for row in connection.execute(some).mappings():
                yield from_row(BY_KIND[kind], dict(row), self._vault)

    def _everything(self, connection: Connection) -> Iterator[Resource]:
        for kind, table in TABLES.items():
            for row in connection.execute(select(table)).mappings():
                yield from_row(kind, dict(row), self._vault)

    def _count_up(
        self, connection: Connection, revision: int, changes: Changes, vault: Vault
    ) -> None:
        places = [(one.kind, key_text(one.key)) for one in changes.puts]
        places += [(kind, key_text(key)) for kind, key in changes.deletes]
        connection.execute(
            insert(LOG).values(revision=revision, places=json.dumps(places))
        )
        old = delete(LOG).where(LOG.c.revision <= revision - KEPT_REVISIONS)
        connection.execute(old)
        state = {"revision": revision, "sealed_with": vault.newest}
        connection.execute(update(STATE).values(state))
        if self.rings:
            connection.execute(
                text("SELECT pg_notify(:channel, :revision)"),
                {"channel": _CHANNEL, "revision": str(revision)},
            )


def _write(connection: Connection, changes: Changes, vault: Vault) -> None:
    gone: defaultdict[type[Resource], list[str]] = defaultdict(list)
    rows: defaultdict[type[Resource], list[dict[str, Any]]] = defaultdict(list)
    for name, key in changes.deletes:
        gone[BY_KIND[name]].append(key_text(key))
    for resource in changes.puts:
        kind = type(resource)
        gone[kind].append(key_text(resource.key))
        rows[kind].append(to_row(resource, vault))
    for kind, keys in gone.items():
        _delete(connection, kind, keys)
    for kind, new in rows.items():
        connection.execute(insert(TABLES[kind]), new)


def _delete(connection: Connection, kind: type[Resource], keys: Iterable[str]) -> None:
    table = TABLES[kind]
    this = delete(table).where(table.c.key == bindparam("its_key"))
    connection.execute(this, [{"its_key": key} for key in keys])
