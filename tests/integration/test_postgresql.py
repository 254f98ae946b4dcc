"""The store in PostgreSQL: what holds for any, and what is PostgreSQL's alone."""

from __future__ import annotations

import re
import shutil
import sys
import time
from threading import Thread
from typing import Any

from sqlalchemy import event, text
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.entities import Secret
from hybridconn.management.registry import Changes
from hybridconn.stores.database import Database
from hybridconn.stores.doorbell import Doorbell
from hybridconn.stores.errors import StoreError
from hybridconn.stores.nodes import EVERYBODY, LEASE, LONGEST, Nodes, channel_of
from hybridconn.stores.sql import SqlResourceStore
from tests.cli.store_case import StoreCommandCase, StoreCommandsMixin
from tests.integration.case import need
from tests.integration.programs import output_of
from tests.integration.servers import shared_postgresql
from tests.integration.waiting import free_port, wait_for
from tests.stores.store_case import DB, StoreMixin, StoreTestsMixin, rule, write


class PostgreSQLCase(StoreMixin, SynchronousTestCase):
    """A database of a real server, with nothing in it."""

    def setUp(self) -> None:
        super().setUp()
        self.server = shared_postgresql()
        self.url = self.server.new_database()

    def database(self) -> Database:
        made = Database(url=self.url)
        self.addCleanup(made.engine.dispose)
        return made

    def impatient(self, store: SqlResourceStore) -> None:
        def configure(connection: Any, _: object) -> None:
            connection.execute("SET lock_timeout = '50ms'")
            connection.commit()

        event.listen(store._database.engine, "connect", configure)


class PostgreSQLTests(StoreTestsMixin, PostgreSQLCase):
    """PostgreSQL."""

    def test_settings(self) -> None:
        """Acknowledged is on the disk, and nobody keeps the lock for ever."""
        name = self.url.rpartition("/")[2]
        self.server.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
        with self.database().reading() as connection:
            for name, value in (
                ("synchronous_commit", "on"),
                ("idle_in_transaction_session_timeout", "10s"),
                ("lock_timeout", "10s"),
                ("application_name", "hybridconn"),
            ):
                shown = connection.exec_driver_sql(f"SHOW {name}").scalar()
                self.assertEqual(shown, value, name)

    def test_own_settings(self) -> None:
        """What the address says counts."""
        self.url += "?application_name=mine&connect_timeout=2"
        with self.database().reading() as connection:
            shown = connection.exec_driver_sql("SHOW application_name").scalar()
        self.assertEqual(shown, "mine")

    def test_dead_holder(self) -> None:
        """A node that dies with the lock gives it up; its change was never made."""
        dead, alive = self.node(), self.node()
        dead.lock()
        with self.database().writing() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                    "datname = current_database() AND state = 'idle in transaction'"
                )
            )
        write(alive, rule(1))
        with self.assertRaises(StoreError) as caught:
            dead.keep(Changes((DB,)))
        self.assertNotIn("\n", str(caught.exception))
        self.assertEqual(dead.news().resources, (rule(1),))
        self.assertEqual(write(dead, DB).resources, ())

    def test_listening_meanwhile(self) -> None:
        """Listening, also anew, need not wait for the end of a change."""
        store = self.node()
        store.lock()
        begun = time.monotonic()
        store.listen(lambda revision: None, lambda: None).close()
        self.assertLess(time.monotonic() - begun, 5)
        store.keep(Changes((DB,)))

    def test_aborted_twice(self) -> None:
        """What ended already does not hinder that the rest is ended."""
        store = self.node()
        store.lock()
        store.abort()

        def gone() -> bool:
            with self.database().reading() as connection:
                others = "datname = current_database() AND pid <> pg_backend_pid()"
                count = f"SELECT count(*) FROM pg_stat_activity WHERE {others}"
                return connection.exec_driver_sql(count).scalar() == 0

        wait_for("the server to notice", gone)
        store.abort()
        self.assertRaises(StoreError, store.keep, Changes((DB,)))

    def test_cannot_open(self) -> None:
        """Each reason is a line, without the password."""
        closed = f"postgresql://tester@127.0.0.1:{free_port()}/hc"
        for url, words in (
            (closed, "Connection refused"),
            (self.url + "x", "does not exist"),
            (self.url + "?nothing=1", "nothing"),
            (self.url + "?sslmode=require", "SSL"),
        ):
            with self.assertRaises(StoreError) as caught:
                Database(url=url, password=Secret("hunter2"))
            said = str(caught.exception)
            self.assertIn("cannot be opened", said)
            self.assertIn(words, said)
            self.assertNotIn("\n", said)
            self.assertNotIn("hunter2", said)

    def test_without_driver(self) -> None:
        """It says what to install."""
        self.addCleanup(sys.modules.__setitem__, "psycopg", sys.modules["psycopg"])
        sys.modules["psycopg"] = None  # type: ignore[assignment]  # cannot be imported
        with self.assertRaises(StoreError) as caught:
            self.database()
        self.assertIn("pip install 'hybridconn[postgres]'", str(caught.exception))

    def test_password(self) -> None:
        """It is given to the server, and never told to anybody else."""
        url = self.server.new_database("guarded")
        good = Database(url=url, password=Secret(self.server.password))
        self.assertNotIn(self.server.password, repr(good.engine))
        good.engine.dispose()
        for password in (None, Secret("not the right one")):
            with self.assertRaises(StoreError) as caught:
                Database(url=url, password=password)
            self.assertIn("password", str(caught.exception))
            self.assertNotIn("not the right one", str(caught.exception))

    def test_migrations_wait(self) -> None:
        """Nodes that start at once make the tables once."""
        made: list[Database] = []
        threads = [
            Thread(target=lambda: made.append(Database(url=self.url))) for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        self.assertEqual(len(made), 4)
        for database in made:
            database.engine.dispose()


class NodesTests(PostgreSQLCase):
    """Relays that are there, and notices between them."""

    def setUp(self) -> None:
        super().setUp()
        self.nodes = Nodes(self.database())
        self.heard: list[str] = []
        self.lost: list[str] = []

    def listen(self, node: str) -> Doorbell:
        """Hear what is for a node."""
        bell = self.nodes.listen(
            node, self.heard.append, lambda: self.lost.append(node)
        )
        self.addCleanup(bell.close)
        return bell

    def hears(self, bell: Doorbell, wanted: list[str]) -> None:
        """What was said comes, in its order."""

        def ask() -> bool:
            self.assertIsNone(bell.doRead())
            return len(self.heard) >= len(wanted)

        wait_for("what was said", ask)
        self.assertEqual(self.heard, wanted)
        self.heard.clear()

    def test_notices(self) -> None:
        """To all and to one, also the longest; others' are not heard."""
        bell = self.listen("a_1")
        self.nodes.send(
            [
                (EVERYBODY, "1"),
                (channel_of("b_2"), "2"),
                (channel_of("a_1"), "3" * LONGEST),
                (EVERYBODY, "4"),
            ]
        )
        self.hears(bell, ["1", "3" * LONGEST, "4"])

    def test_longest_name(self) -> None:
        """The names that a relay takes are short enough for a channel."""
        name = "0123456789ab_0123456789ab"
        bell = self.listen(name)
        self.nodes.send([(channel_of(name), "x")])
        self.hears(bell, ["x"])

    def test_leases(self) -> None:
        """Who is there is told; who let its lease end is not, and learns so."""
        bell = self.listen("c_3")
        self.assertEqual(self.nodes.register("a_1", "hello a"), [])
        self.assertEqual(self.nodes.register("b_2", "hello b"), ["a_1"])
        self.assertEqual(self.nodes.beat("a_1"), ["b_2"])
        self.hears(bell, ["hello a", "hello b"])
        with self.database().writing() as connection:
            (left,) = connection.execute(
                text(
                    "SELECT alive_until - extract(epoch FROM clock_timestamp()) "
                    "FROM nodes WHERE name = 'a_1'"
                )
            ).scalars()
            self.assertTrue(LEASE - 2 < left <= LEASE)
            connection.execute(text("UPDATE nodes SET alive_until = 1"))
        self.assertEqual(self.nodes.register("c_3", "hello c"), [])
        for node in ("a_1", "b_2"):
            with self.assertRaises(StoreError) as caught:
                self.nodes.beat(node)
            self.assertIn("as gone", str(caught.exception))
        self.nodes.leave("c_3", "bye c")
        self.hears(bell, ["hello c", "bye c"])

    def test_lost(self) -> None:
        """A connection that ends is said, once."""
        bell = self.listen("a_1")
        with self.database().writing() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE "
                    "datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        failure = wait_for("the end", bell.doRead)
        bell.connectionLost(failure)
        self.assertEqual((self.lost, bell.fileno()), (["a_1"], -1))


class PostgreSQLCommandTests(StoreCommandsMixin, StoreCommandCase):
    """What the commands do with it."""

    def store(self) -> str:
        return f'url = "{shared_postgresql().new_database()}"'

    def test_backup(self) -> None:
        """That is pg_dump's business."""
        said = self.run_command("store-backup", str(self.folder / "x"), status=1)
        self.assertIn("pg_dump", said)

    def test_restore(self) -> None:
        """What pg_dump wrote is a store like the first."""
        self.apply()
        before = self.export("before.toml")
        config = (self.folder / "relay.toml").read_text()
        (url,) = re.findall(r'url = "(.*)"', config)
        fresh = shared_postgresql().new_database()
        dump = str(self.folder / "dump")
        for argv in (
            ["pg_dump", "--format=custom", f"--file={dump}", url],
            ["pg_restore", "--exit-on-error", f"--dbname={fresh}", dump],
        ):
            need(shutil.which(argv[0]), f"no {argv[0]} here")
            status, said = output_of(argv)
            self.assertEqual(status, 0, said)
        self.write("relay.toml", config.replace(url, fresh))
        self.assertEqual(self.export("after.toml"), before)
