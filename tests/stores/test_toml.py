"""Tests of L{hybridconn.stores.toml}."""

from __future__ import annotations

from hybridconn.config import load_relay
from hybridconn.core.entities import HybridConnection
from hybridconn.stores import StoreFull, load_toml_store
from tests.config.case import ConfigTestCase


class TomlStoreTests(ConfigTestCase):
    """The store of a relay with a configuration file."""

    def test_from_the_file(self) -> None:
        """It has the file's namespaces and its limit."""
        path = self.write(
            "relay.toml",
            "[listen]\ninsecure = true\n[limits]\nentities_per_namespace = 1\n"
            '[[namespace]]\nname = "contoso"\n'
            '[[namespace.hybrid_connection]]\npath = "db"\n',
        )
        config = load_relay(path, {})
        store = load_toml_store(config)
        self.assertEqual(list(store.namespaces()), list(config.namespaces))
        self.assertRaises(
            StoreFull, store.put_hybrid_connection, "contoso", HybridConnection("web")
        )
