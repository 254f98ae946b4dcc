"""Tests of L{hybridconn.stores.sql} with SQLite, and of what is SQLite's alone."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from sqlalchemy import event
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.resources import ConnectionResource
from hybridconn.management.registry import Changes, News, Registry
from hybridconn.stores.backup import copy_sqlite
from hybridconn.stores.database import Database
from hybridconn.stores.errors import StoreError
from hybridconn.stores.sql import SqlResourceStore
from tests.stores.store_case import (
    ALL,
    DB,
    KEY,
    StoreMixin,
    StoreTestsMixin,
    rule,
    write,
)


class SQLiteCase(StoreMixin, SynchronousTestCase):
    """A file that is not there yet."""

    def setUp(self) -> None:
        super().setUp()
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        self.path = folder / "relay.db"

    def database(self) -> Database:
        return Database(path=str(self.path))

    def impatient(self, store: SqlResourceStore) -> None:
        def configure(connection: sqlite3.Connection, _: object) -> None:
            connection.execute("PRAGMA busy_timeout=0")

        event.listen(store._database.engine, "connect", configure)


class SQLiteTests(StoreTestsMixin, SQLiteCase):
    """SQLite."""

    def test_settings(self) -> None:
        """A write is on the disk when it is acknowledged, and readers never wait."""
        with self.database().reading() as connection:
            for pragma, value in (("journal_mode", "wal"), ("synchronous", 2)):
                asked = connection.exec_driver_sql(f"PRAGMA {pragma}")
                self.assertEqual(asked.scalar(), value)

    def test_files(self) -> None:
        """No key stands in them, and nobody else may read them."""
        write(self.node(), *ALL)
        files = list(self.path.parent.iterdir())
        self.assertIn(self.path, files)
        for file in files:
            self.assertNotIn(KEY.encode(), file.read_bytes())
            self.assertEqual(file.stat().st_mode & 0o077, 0)

    def test_cannot_open(self) -> None:
        """A folder, or a file that is no database, is said in a line."""
        self.path.mkdir()
        with self.assertRaises(StoreError) as caught:
            self.open()
        self.assertIn("cannot be opened", str(caught.exception))
        self.path.rmdir()
        self.path.write_bytes(b"no database" * 1000)
        with self.assertRaises(StoreError) as caught:
            self.open()
        self.assertNotIn("\n", str(caught.exception))
        self.path = self.path / "in" / "no" / "folder"
        with self.assertRaises(StoreError) as caught:
            self.open()
        self.assertIn("cannot be opened", str(caught.exception))


class BackupTests(SQLiteCase):
    """Copies, which are stores like any other."""

    def test_backup(self) -> None:
        """What was there at that moment, for nobody else, while it is used."""
        store = self.node()
        write(store, *ALL)
        store.lock()
        copy = self.path.with_name("copy.db")
        copy_sqlite(str(self.path), str(copy))
        store.keep(Changes((), ((DB.kind, DB.key),)))
        self.assertEqual(os.stat(copy).st_mode & 0o077, 0)
        self.path = copy
        self.assertEqual(len(self.in_it()), len(ALL))
        write(self.node(), rule(1))

    def test_left_behind(self) -> None:
        """What a killed process left in the log is in the copy."""
        write(self.node(), *ALL)
        there = self.path.with_name("there")
        there.mkdir()
        for file in list(self.path.parent.glob("relay.db*")):
            (there / file.name).write_bytes(file.read_bytes())
        self.path = there / "copy.db"
        copy_sqlite(str(there / "relay.db"), str(self.path))
        self.assertEqual(len(self.in_it()), len(ALL))

    def test_not_made(self) -> None:
        """Nothing is overwritten, and nothing half made is left."""
        write(self.node(), *ALL)
        folder = self.path.with_name("copies")
        folder.mkdir()
        taken = folder / "taken"
        taken.write_text("mine")
        for source, target, words in (
            (self.path, taken, "is there already"),
            (self.path, folder / "no" / "where", "cannot be written: No such"),
            (folder / "nothing", folder / "x", "cannot be copied"),
            (taken, folder / "x", "cannot be copied"),
        ):
            with self.assertRaises(StoreError) as caught:
                copy_sqlite(str(source), str(target))
            self.assertIn(words, str(caught.exception))
        self.assertEqual(taken.read_text(), "mine")
        self.assertEqual(list(folder.iterdir()), [taken])


class RegistryTests(SynchronousTestCase):
    """Drafts beside what there is."""

    def test_draft(self) -> None:
        """It shows what there would be; nothing is taken over by itself."""
        registry = Registry()
        registry.apply(Changes(ALL))
        draft = registry.draft()
        second = ConnectionResource(namespace="contoso", path="0", created=1, updated=1)
        draft.put(second)
        draft.delete([ALL[1]])
        self.assertEqual(draft.count(ConnectionResource, ("contoso",)), 1)
        self.assertEqual(list(draft.below(ConnectionResource, ("contoso",))), [second])
        self.assertEqual(draft.keys(ConnectionResource, ("contoso",)), [second.key])
        self.assertIsNone(draft.get(ConnectionResource, ALL[1].key))
        self.assertEqual(registry.keys(ConnectionResource, ("contoso",)), [ALL[1].key])
        changes = draft.changes
        self.assertEqual(changes.before, {("connection", ALL[1].key): ALL[1]})
        registry.apply(changes)
        self.assertEqual(registry.keys(ConnectionResource, ("contoso",)), [second.key])
        self.assertFalse(registry.draft().changes)

    def test_take(self) -> None:
        """News are taken over; only what is different is a change."""
        registry = Registry()
        self.assertEqual(registry.take(News(ALL, whole=True)).puts, ALL)
        self.assertFalse(registry.take(News(ALL, whole=True)))
        gone = (DB.kind, DB.key)
        changes = registry.take(News((ALL[0], rule(1)), (gone, ("rule", ("x",) * 3))))
        self.assertEqual(changes.puts, (rule(1),))
        self.assertEqual(changes.before, {gone: DB})
        self.assertEqual(changes.deletes, (gone,))
        changes = registry.take(News((ALL[0],), whole=True))
        self.assertEqual(len(changes.deletes), len(ALL) - 1)
        self.assertEqual(registry.keys(ConnectionResource, ("contoso",)), [])
