"""Tests of L{hybridconn.stores.sql} and L{hybridconn.stores.vault}."""

from __future__ import annotations

import os
from pathlib import Path

import alembic.command
import alembic.config
from sqlalchemy import create_engine, text
from twisted.internet.defer import execute
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
from hybridconn.management.registry import Changes, Registry
from hybridconn.stores.sql import SqlResourceStore, StoreError
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
        updated=2.5,
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


class StoreTests(SynchronousTestCase):
    """SQLite."""

    def setUp(self) -> None:
        folder = Path(self.mktemp()).absolute()
        folder.mkdir(parents=True)
        self.path = folder / "relay.db"
        self.key = Vault.new_key()

    def open(self, *keys: str) -> SqlResourceStore:
        vault = Vault(keys or (self.key,))
        store = SqlResourceStore(f"sqlite:///{self.path}", vault, execute)
        self.addCleanup(store.close)
        return store

    def test_there_and_back(self) -> None:
        """Every kind of resource is read as it was written."""
        store = self.open()
        self.successResultOf(store.save(Changes(ALL)))
        store.close()
        found = list(self.open().load())
        self.assertEqual(len(found), len(ALL))
        for resource in ALL:
            self.assertIn(resource, found)

    def test_older(self) -> None:
        """What a store of the first version holds is open to everybody, as it was."""
        self.open().close()
        config = alembic.config.Config()
        config.set_main_option("script_location", "hybridconn.stores:migrations")
        engine = create_engine(f"sqlite:///{self.path}")
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            alembic.command.downgrade(config, "-1")
            connection.execute(
                text(
                    'INSERT INTO namespaces (key, name, subscription, "group", '
                    "location, tags, host_names, public_network_access, "
                    "minimum_tls_version, created, updated) VALUES ('old', 'Old', 's', "
                    "'g', 'l', '{}', '[]', 'Enabled', '1.2', 1, 2)"
                )
            )
            connection.execute(
                text(
                    "INSERT INTO hybrid_connections (key, namespace, path, "
                    "user_metadata, requires_client_authorization, created, updated) "
                    "VALUES ('x', 'Old', 'x', '', 1, 1, 2)"
                )
            )
        engine.dispose()
        namespace, entity = list(self.open().load())
        assert isinstance(namespace, NamespaceResource)
        assert isinstance(entity, ConnectionResource)
        self.assertEqual((namespace.default_action, namespace.ip_rules), ("Allow", ()))
        self.assertEqual(entity.status, "Active")

    def test_changes(self) -> None:
        """One takes the place of another, and what is deleted is gone."""
        store = self.open()
        store.write(Changes(ALL))
        changed = ConnectionResource(
            namespace="CONTOSO", path="A/b", created=1, updated=9
        )
        gone = tuple((one.kind, one.key) for one in ALL if one is not ALL[1])
        store.write(Changes((changed,), gone))
        store.close()
        self.assertEqual(list(self.open().load()), [changed])

    def test_whole_or_not_at_all(self) -> None:
        """A change that fails in the middle leaves nothing behind."""
        store = self.open()
        with self.assertRaises(KeyError):
            store.write(Changes((ALL[0],), (("nothing", ("x",)),)))
        store.close()
        self.assertEqual(list(self.open().load()), [])

    def test_secrets(self) -> None:
        """No key is in the file; only the right keys open it; they can rotate."""
        store = self.open()
        store.write(Changes(ALL))
        store.close()
        for file in self.path.parent.iterdir():
            self.assertNotIn(KEY.encode(), file.read_bytes())
            self.assertEqual(file.stat().st_mode & 0o077, 0)
        other = Vault.new_key()
        wrong_store = self.open(other)
        with self.assertRaises(VaultError) as caught:
            list(wrong_store.load())
        wrong_store.close()
        self.assertNotIn(KEY, str(caught.exception))
        self.assertEqual(len(list(self.open(other, self.key).load())), len(ALL))
        for wrong in ((), ("nonsense",)):
            self.assertRaises(VaultError, Vault, wrong)

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

    def test_alone(self) -> None:
        """Nobody else opens it meanwhile."""
        store = self.open()
        with self.assertRaises(StoreError) as caught:
            self.open()
        self.assertIn("is used by another process", str(caught.exception))
        store.close()
        self.open()

    def test_backup(self) -> None:
        """A copy is made while it is used."""
        store = self.open()
        store.write(Changes(ALL))
        copy = str(self.path) + ".copy"
        store.backup(copy)
        store.write(Changes((), ((ALL[0].kind, ALL[0].key),)))
        self.assertEqual(os.stat(copy).st_mode & 0o077, 0)
        self.path = Path(copy)
        self.assertEqual(len(list(self.open().load())), len(ALL))
        self.assertRaises(StoreError, store.backup, "/nowhere/at/all")


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
