"""Tests of L{hybridconn.stores.memory}."""

from __future__ import annotations

import attrs
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.core.access import Access
from hybridconn.core.entities import (
    AuthorizationRule,
    Claim,
    HybridConnection,
    Namespace,
    Secret,
)
from hybridconn.interfaces import IEntityStore
from hybridconn.stores import MemoryEntityStore, StoreFull
from hybridconn.testing.contracts import check_entity_store

DB, WEB = HybridConnection("db"), HybridConnection("plant/Web")
RULE = AuthorizationRule("app", frozenset({Claim.SEND}), Secret("k"))
CONTOSO = Namespace("contoso", ("a.example",), (RULE,), (DB, WEB))
FABRIKAM = Namespace("fabrikam", ("b.example",))


class MemoryEntityStoreTests(SynchronousTestCase):
    """Namespaces in memory."""

    def setUp(self) -> None:
        self.store = MemoryEntityStore([CONTOSO, FABRIKAM])
        self.heard: list[tuple[str, str]] = []
        self.store.watch(lambda *change: self.heard.append(change))

    def paths(self, namespace: int = 0) -> list[str]:
        """The paths in a namespace."""
        entities = self.store.namespaces()[namespace].hybrid_connections
        return [entity.path for entity in entities]

    def test_contract(self) -> None:
        """It is a store as the relay wants it, whatever is changed."""
        self.assertTrue(verifyObject(IEntityStore, self.store))

        def put() -> tuple[str, str]:
            self.store.put_hybrid_connection("contoso", HybridConnection("new"))
            return "contoso", "new"

        def change() -> tuple[str, str]:
            entity = attrs.evolve(DB, requires_client_authorization=False)
            self.store.put_hybrid_connection("contoso", entity)
            return "contoso", "db"

        def delete() -> tuple[str, str]:
            self.store.delete_hybrid_connection("contoso", "db")
            return "contoso", "db"

        def rules() -> tuple[str, str]:
            self.store.put_namespace(attrs.evolve(FABRIKAM, rules=(RULE,)))
            return "fabrikam", ""

        for step in (put, change, delete, rules):
            check_entity_store(self, self.store, step)

    def test_namespaces(self) -> None:
        """They come out in the order in which they came."""
        self.assertEqual(list(self.store.namespaces()), [CONTOSO, FABRIKAM])
        self.assertEqual(list(MemoryEntityStore().namespaces()), [])

    def test_same_path(self) -> None:
        """Paths compare without case: the new one takes the old one's place."""
        self.store.put_hybrid_connection("CONTOSO", HybridConnection("PLANT/web"))
        self.assertEqual(self.paths(), ["db", "PLANT/web"])
        self.assertEqual(self.heard, [("contoso", "PLANT/web")])

    def test_nothing_new(self) -> None:
        """Putting what is there tells nobody."""
        self.store.put_hybrid_connection("contoso", HybridConnection("db"))
        self.store.put_namespace(attrs.evolve(CONTOSO))
        self.store.replace_all([CONTOSO, FABRIKAM])
        self.assertEqual(self.heard, [])

    def test_put_own(self) -> None:
        """What is a namespace's own changes; its hybrid connections stay."""
        own = Namespace("CONTOSO", ("c.example",), (), access=Access(("10.0.0.0/8",)))
        self.store.put_own(own)
        (found, _) = self.store.namespaces()
        self.assertEqual((found.host_names, found.rules), (("c.example",), ()))
        self.assertFalse(found.access.admits("192.0.2.1"))
        self.assertEqual(self.paths(), ["db", "plant/Web"])
        match = found.find(["plant", "web", "x"])
        assert match is not None
        self.assertEqual(match.entity, WEB)
        self.assertEqual(self.heard, [("CONTOSO", "")])
        self.store.put_own(own)
        self.assertEqual(len(self.heard), 1)
        self.store.delete_hybrid_connection("contoso", "db")
        self.assertEqual(self.paths(), ["plant/Web"])
        self.assertRaises(KeyError, self.store.put_own, Namespace("other1"))

    def test_put_namespace(self) -> None:
        """Watchers hear of what is different, and of nothing else."""
        other = attrs.evolve(DB, rules=(RULE,))
        changed = attrs.evolve(
            CONTOSO, hybrid_connections=(other, HybridConnection("x"))
        )
        self.store.put_namespace(changed)
        self.assertEqual(
            self.heard, [("contoso", "db"), ("contoso", "plant/Web"), ("contoso", "x")]
        )
        self.assertEqual(self.store.namespaces()[0], changed)

    def test_changed_key(self) -> None:
        """A changed key of the namespace is a change of the namespace (T24)."""
        rule = attrs.evolve(RULE, primary_key=Secret("new"))
        self.store.put_namespace(attrs.evolve(CONTOSO, rules=(rule,)))
        self.assertEqual(self.heard, [("contoso", "")])

    def test_new_namespace(self) -> None:
        """A new namespace is heard of with all that is in it."""
        self.store.put_namespace(Namespace("northwind", (), (), (DB,)))
        self.assertEqual(self.heard, [("northwind", ""), ("northwind", "db")])

    def test_delete_namespace(self) -> None:
        """When a namespace goes, each of its hybrid connections goes."""
        self.store.delete_namespace("CONTOSO")
        self.assertEqual(list(self.store.namespaces()), [FABRIKAM])
        self.assertEqual(
            self.heard, [("contoso", "db"), ("contoso", "plant/Web"), ("contoso", "")]
        )

    def test_unknown(self) -> None:
        """What is not there cannot be removed or added to."""
        self.assertRaises(KeyError, self.store.delete_namespace, "northwind")
        self.assertRaises(KeyError, self.store.put_hybrid_connection, "northwind", DB)
        self.assertRaises(
            KeyError, self.store.delete_hybrid_connection, "contoso", "plant"
        )
        self.assertEqual(self.heard, [])

    def test_limit(self) -> None:
        """A full namespace takes no more, but changes and other namespaces go on."""
        store = MemoryEntityStore([CONTOSO, FABRIKAM], entities_per_namespace=2)
        error = self.assertRaises(
            StoreFull, store.put_hybrid_connection, "contoso", HybridConnection("x")
        )
        self.assertEqual(
            str(error), "namespace contoso may have 2 hybrid connections at most"
        )
        store.put_hybrid_connection("contoso", attrs.evolve(DB, user_metadata="x"))
        store.put_hybrid_connection("fabrikam", DB)
        self.assertRaises(StoreFull, MemoryEntityStore, [CONTOSO], 1)

    def test_replace_all(self) -> None:
        """A whole new set: gone, changed and new ones are heard of."""
        changed = attrs.evolve(FABRIKAM, host_names=("c.example",))
        new = Namespace("northwind")
        self.store.replace_all([changed, new])
        self.assertEqual(list(self.store.namespaces()), [changed, new])
        self.assertEqual(
            self.heard[-3:], [("contoso", ""), ("fabrikam", ""), ("northwind", "")]
        )

    def test_replace_all_or_nothing(self) -> None:
        """A set of which one is too large changes nothing."""
        store = MemoryEntityStore([FABRIKAM], entities_per_namespace=1)
        self.assertRaises(
            StoreFull, store.replace_all, [Namespace("northwind"), CONTOSO]
        )
        self.assertEqual(list(store.namespaces()), [FABRIKAM])

    def test_broken_watcher(self) -> None:
        """A watcher that fails is logged, and the others still hear."""
        store = MemoryEntityStore([FABRIKAM])

        def broken(namespace: str, path: str) -> None:
            raise ZeroDivisionError

        store.watch(broken)
        store.watch(lambda *change: self.heard.append(change))
        store.put_hybrid_connection("fabrikam", DB)
        self.assertEqual(self.heard, [("fabrikam", "db")])
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_watcher_changes(self) -> None:
        """A watcher may change the store: what it sees is always whole."""
        seen: list[list[str]] = []

        def chain(namespace: str, path: str) -> None:
            seen.append(self.paths())
            if path in self.paths():
                self.store.delete_hybrid_connection("contoso", "x")

        self.store.watch(chain)
        self.store.put_hybrid_connection("contoso", HybridConnection("x"))
        self.assertEqual(seen, [["db", "plant/Web", "x"], ["db", "plant/Web"]])
