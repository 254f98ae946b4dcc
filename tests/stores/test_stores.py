"""The entity stores."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.config.relay import RelayConfig
from hybridconn.core.entities import HybridConnection, Namespace
from hybridconn.interfaces import IEntityStore
from hybridconn.stores import load_toml_store
from hybridconn.stores.memory import MemoryEntityStore, StoreFull


class MemoryStoreTests(SynchronousTestCase):
    """Namespaces in memory."""

    def setUp(self) -> None:
        self.store = MemoryEntityStore(
            [Namespace("contoso", hybrid_connections=(HybridConnection("a"),))], 2
        )
        self.changes: list[tuple[str, str]] = []
        self.store.watch(lambda namespace, path: self.changes.append((namespace, path)))

    def paths(self) -> list[str]:
        return [e.path for e in self.store.namespaces()[0].hybrid_connections]

    def test_interface(self) -> None:
        """It is an entity store."""
        self.assertTrue(verifyObject(IEntityStore, self.store))

    def test_put_and_delete(self) -> None:
        """Changes are seen at once, by watchers after that; names have no case."""
        self.store.put_hybrid_connection("CONTOSO", HybridConnection("b"))
        self.assertEqual(self.paths(), ["a", "b"])
        self.store.delete_hybrid_connection("contoso", "A")
        self.assertEqual(self.paths(), ["b"])
        self.assertEqual(self.changes, [("contoso", "b"), ("contoso", "a")])

    def test_no_change(self) -> None:
        """Putting what is there already tells nobody."""
        self.store.put_hybrid_connection("contoso", HybridConnection("a"))
        self.assertEqual(self.changes, [])

    def test_full(self) -> None:
        """A namespace has room for so many and no more."""
        self.store.put_hybrid_connection("contoso", HybridConnection("b"))
        error = self.assertRaises(
            StoreFull,
            self.store.put_hybrid_connection,
            "contoso",
            HybridConnection("c"),
        )
        self.assertIn("2", str(error))
        self.assertEqual(self.paths(), ["a", "b"])

    def test_unknown(self) -> None:
        """What is not there cannot be changed."""
        for path in ("nope", ""):
            self.assertRaises(
                KeyError, self.store.delete_hybrid_connection, "contoso", path
            )
        self.assertRaises(KeyError, self.store.delete_namespace, "nope")

    def test_delete_namespace(self) -> None:
        """With a namespace all that is in it goes."""
        self.store.delete_namespace("Contoso")
        self.assertEqual(list(self.store.namespaces()), [])
        self.assertEqual(self.changes, [("contoso", "a"), ("contoso", "")])


class TomlStoreTests(SynchronousTestCase):
    """The store of a configuration file."""

    def test_has_what_the_file_has(self) -> None:
        """Namespaces and their entities are those of the configuration."""
        namespace = Namespace("contoso", hybrid_connections=(HybridConnection("a"),))
        store = load_toml_store(RelayConfig(namespaces=(namespace,)))
        self.assertEqual(tuple(store.namespaces()), (namespace,))
