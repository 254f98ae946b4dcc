"""What holds for a store in any database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import alembic.command
import alembic.config
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.entities import Claim, Secret
from hybridconn.core.resources import (
    AttachmentResource,
    ConnectionResource,
    NamespaceResource,
    PlanResource,
    Resource,
    RuleResource,
    SiteResource,
)
from hybridconn.management.registry import Changes, News
from hybridconn.stores import sql
from hybridconn.stores.database import Database
from hybridconn.stores.errors import ChangeInDoubt, StoreError
from hybridconn.stores.schema import LOG, SEALED, TABLES
from hybridconn.stores.sql import SqlResourceStore
from hybridconn.stores.vault import Vault, VaultError

KEY = "c2VjcmV0LWtleS10aGF0LW11c3Qtbm90LWJlLXNlZW4="
ALL: tuple[Resource, ...] = (
    NamespaceResource(
        name="Contoso",
        subscription="s",
        group="g",
        tags={"a": "ä"},
        host_names=("a", "b"),
        default_action="Deny",
        ip_rules=("10.0.0.0/8", "192.0.2.1"),
        created=1.25,
        updated=1_900_000_000.123456,
    ),
    ConnectionResource(
        namespace="Contoso",
        path="a/B",
        user_metadata="ü\n",
        status="Disabled",
        created=1,
        updated=2,
    ),
    RuleResource(
        namespace="Contoso",
        path="a/B",
        name="R",
        rights={Claim.SEND, Claim.LISTEN},
        primary_key=Secret(KEY),
    ),
    PlanResource(
        subscription="s", group="g", name="p", location="l", tier="Basic", sku="B1"
    ),
    SiteResource(
        subscription="s", group="g", name="w", location="l", plan=("s", "g", "p")
    ),
    AttachmentResource(
        site="w",
        slot="",
        namespace="Contoso",
        path="a/B",
        relay_id="/x",
        hostname="db",
        port=1,
        send_key_name="k",
        send_key=Secret(KEY),
        set_at=3.5,
    ),
)
DB = ALL[1]


def rule(number: int) -> RuleResource:
    """One of many, with a key."""
    return RuleResource(
        namespace="Contoso",
        path="",
        name=f"r{number}",
        rights={Claim.SEND},
        primary_key=Secret(KEY),
        secondary_key=Secret(KEY[::-1]),
    )


def write(store: SqlResourceStore, *puts: Resource, gone: Any = ()) -> News:
    """One change; what others changed before."""
    news = store.lock()
    store.keep(Changes(puts, tuple((one.kind, one.key) for one in gone)))
    return news


if TYPE_CHECKING:
    _TestCase = SynchronousTestCase
else:
    # Trial would run it here too.
    _TestCase = object


class StoreMixin(_TestCase):
    """
    Stores in one database.

    @ivar key: with which keys are encrypted.
    """

    def setUp(self) -> None:
        self.key = Vault.new_key()

    def database(self) -> Database:
        """Another way into the same database."""
        raise NotImplementedError  # every subclass has its own

    def open(self, *keys: str) -> SqlResourceStore:
        """The store as a node has it that knows nothing yet."""
        store = SqlResourceStore(self.database(), Vault(keys or (self.key,)))
        self.addCleanup(store.close)
        return store

    def node(self, *keys: str) -> SqlResourceStore:
        """The same, and all was read."""
        store = self.open(*keys)
        store.load()
        return store

    def in_it(self, *keys: str) -> set[tuple[str, tuple[str, ...]]]:
        """What is in it."""
        return {(one.kind, one.key) for one in self.open(*keys).load().resources}

    def sealed(self) -> list[str]:
        """Every secret as it stands in the tables."""
        found: list[str | None] = []
        with self.database().reading() as connection:
            for kind, columns in SEALED.items():
                for column in columns:
                    some = select(TABLES[kind].c[column])
                    found += connection.execute(some).scalars().all()
        return [one for one in found if one is not None]

    def impatient(self, store: SqlResourceStore) -> None:
        """Have it wait for no lock."""
        raise NotImplementedError  # every subclass has its own


class StoreTestsMixin(StoreMixin):
    """What a subclass for a database inherits."""

    def test_there_and_back(self) -> None:
        """Every kind of resource is read as it was written."""
        store = self.node()
        write(store, *ALL)
        news = self.open().load()
        self.assertTrue(news.whole)
        self.assertEqual(len(news.resources), len(ALL))
        for resource in ALL:
            self.assertIn(resource, news.resources)

    def test_changes(self) -> None:
        """One takes the place of another, and what is deleted is gone."""
        store = self.node()
        write(store, *ALL)
        changed = ConnectionResource(
            namespace="CONTOSO", path="A/b", created=1, updated=9
        )
        write(store, changed, gone=[one for one in ALL if one is not DB])
        self.assertEqual(self.open().load().resources, (changed,))

    def test_whole_or_not_at_all(self) -> None:
        """A change that fails in the middle leaves nothing behind, and no lock."""
        store = self.node()
        store.lock()
        with self.assertRaises(KeyError):
            store.keep(Changes((ALL[0],), (("nothing", ("x",)),)))
        self.assertEqual(self.in_it(), set())
        write(store, DB)

    def test_released(self) -> None:
        """What was locked and given up lets the next one in; closing gives up too."""
        store, other = self.node(), self.node()
        store.lock()
        store.release()
        write(other, DB)
        store.lock()
        store.close()
        write(other, gone=[DB])

    def test_news(self) -> None:
        """A node is told what others changed, once, and of its own changes never."""
        ours, theirs = self.node(), self.node()
        write(ours, *ALL)
        write(ours, gone=[DB])
        self.assertFalse(ours.news())
        news = theirs.news()
        self.assertFalse(news.whole)
        self.assertEqual(news.gone, ((DB.kind, DB.key),))
        self.assertEqual(len(news.resources), len(ALL) - 1)
        for resource in ALL:
            self.assertEqual(resource in news.resources, resource is not DB)
        self.assertFalse(theirs.news())
        self.assertFalse(write(theirs, DB))
        self.assertEqual(ours.news().resources, (DB,))

    def test_lock_tells(self) -> None:
        """Who is behind learns what happened before it can change anything."""
        ours, theirs = self.node(), self.node()
        write(ours, DB)
        self.assertEqual(write(theirs, rule(1)).resources, (DB,))
        self.assertEqual(ours.news().resources, (rule(1),))

    def test_many(self) -> None:
        """A change of thousands is one change."""
        ours, theirs = self.node(), self.node()
        rules = [rule(number) for number in range(1200)]
        write(ours, *rules)
        news = theirs.news()
        self.assertEqual(len(news.resources), 1200)
        write(ours, gone=rules)
        self.assertEqual(len(theirs.news().gone), 1200)

    def test_far_behind(self) -> None:
        """Where the log does not reach back, everything is read again."""
        self.patch(sql, "KEPT_REVISIONS", 3)
        ours, theirs = self.node(), self.node()
        for number in range(5):
            write(ours, rule(number))
        news = theirs.news()
        self.assertTrue(news.whole)
        self.assertEqual(len(news.resources), 5)
        with self.database().reading() as connection:
            self.assertEqual(len(connection.execute(select(LOG)).all()), 3)

    def test_went_back(self) -> None:
        """An older state is not taken over unasked; a fresh start takes it."""
        store = self.node()
        write(store, DB)
        write(store, rule(1))
        with self.database().writing() as connection:
            connection.execute(text("UPDATE store_state SET revision = 1"))
        for call in (store.news, store.lock):
            with self.assertRaises(StoreError) as caught:
                call()
            self.assertIn("went back from revision 2 to 1", str(caught.exception))
        self.node()

    def test_one_writer(self) -> None:
        """While one holds the lock, another one does not get it."""
        ours, theirs = self.node(), self.node()
        ours.lock()
        self.impatient(theirs)
        with self.assertRaises(StoreError) as caught:
            theirs.lock()
        self.assertIn("cannot be changed now", str(caught.exception))
        ours.keep(Changes((DB,)))
        self.assertEqual(write(theirs, rule(1)).resources, (DB,))

    def test_in_doubt(self) -> None:
        """Lost at the commit: it says so, and later it shows what became of it."""
        store = self.node()
        store.lock()
        assert store._held is not None
        connection, _ = store._held
        commit = connection.commit

        def lose() -> None:
            commit()
            raise OperationalError("COMMIT", {}, Exception("gone"))

        self.patch(connection, "commit", lose)
        with self.assertRaises(ChangeInDoubt):
            store.keep(Changes((DB,)))
        self.assertEqual(store.lock().resources, (DB,))
        store.release()

    def test_secrets(self) -> None:
        """No key is in it as it is; only the right keys open it."""
        write(self.node(), *ALL, rule(1))
        self.assertEqual(len(self.sealed()), 4)
        for sealed in self.sealed():
            self.assertNotIn(KEY, sealed)
        other = Vault.new_key()
        with self.assertRaises(VaultError) as caught:
            self.open(other).load()
        self.assertNotIn(KEY, str(caught.exception))
        self.assertEqual(len(self.in_it(other, self.key)), len(ALL) + 1)
        for wrong in ((), ("nonsense",)):
            self.assertRaises(VaultError, Vault, wrong)

    def test_rekey(self) -> None:
        """
        A new key in front seals nothing until all nodes can have it; then everything
        is sealed with it at once, and the old one opens nothing any more.
        """
        old, new = self.key, Vault.new_key()
        write(self.node(), *ALL)
        behind = self.node(old)
        ahead = self.node(new, old)
        write(ahead, rule(1))
        self.assertEqual(behind.news().resources, (rule(1),))
        for sealed in self.sealed():
            Vault([old]).open(sealed)
        self.assertEqual(ahead.rekey(), 4)
        for sealed in self.sealed():
            Vault([new]).open(sealed)
        # What is the same as before is nobody's news.
        self.assertFalse(behind.news())
        # Who has the new key, in whatever place, goes on with it.
        write(self.node(old, new), rule(2))
        self.assertEqual(len(self.in_it(new)), len(ALL) + 2)
        # Who has not cannot write what the others could not read.
        behind_vault = "encrypted with another key"
        with self.assertRaises(VaultError) as caught:
            behind.lock()
        self.assertIn(behind_vault, str(caught.exception))
        with self.assertRaises(VaultError) as caught:
            self.node(old)
        self.assertIn("add it there and start again", str(caught.exception))

    def test_rekey_all_or_nothing(self) -> None:
        """If one cannot be opened, all stay as they are."""
        lost, here, new = self.key, Vault.new_key(), Vault.new_key()
        write(self.node(lost), rule(1))
        self.node(here, lost).rekey()
        before = self.sealed()
        self.assertRaises(VaultError, self.open(new).rekey)
        self.assertEqual(self.sealed(), before)
        self.assertEqual(self.node(here).revision, 1)

    def test_sealed_by_nobody(self) -> None:
        """A key that is not the store's is refused before anything is written."""
        store, other = self.node(), self.node(Vault.new_key())
        write(store, DB)
        other.lock()
        with self.assertRaises(VaultError):
            other.keep(Changes((rule(1),)))
        self.assertEqual(self.in_it(), {(DB.kind, DB.key)})

    def test_older(self) -> None:
        """The first version's tables are brought up to date, with all in them."""
        write(self.node(), *ALL)
        self.migrate_down("0001")
        store = self.open()
        found = store.load().resources
        self.assertEqual(len(found), len(ALL))
        self.assertEqual(store.revision, 0)
        # What it did not know is as it was: open to everybody.
        for one in found:
            if isinstance(one, NamespaceResource):
                self.assertEqual((one.default_action, one.ip_rules), ("Allow", ()))
            elif isinstance(one, ConnectionResource):
                self.assertEqual(one.status, "Active")
        write(store, rule(1))
        self.assertEqual(len(self.in_it()), len(ALL) + 1)

    def migrate_down(self, to: str) -> None:
        """Have the tables of an older version."""
        config = alembic.config.Config()
        config.set_main_option("script_location", "hybridconn.stores:migrations")
        with self.database().writing() as connection:
            config.attributes["connection"] = connection
            alembic.command.downgrade(config, to)

    def test_newer(self) -> None:
        """A newer version's tables are not touched."""
        with self.database().writing() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
        with self.assertRaises(StoreError) as caught:
            self.database()
        self.assertIn("newer hybridconn", str(caught.exception))
