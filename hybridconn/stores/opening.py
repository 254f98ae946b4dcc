"""The store of a relay, from its configuration."""

from __future__ import annotations

from hybridconn.config.store import StoreSettings
from hybridconn.stores.database import Database
from hybridconn.stores.nodes import Nodes
from hybridconn.stores.sql import SqlResourceStore
from hybridconn.stores.vault import Vault


def open_store(settings: StoreSettings) -> SqlResourceStore:
    """
    Open a store, and bring its tables up to date.

    @raise StoreError: it cannot be used.
    """
    return SqlResourceStore(_database(settings), Vault(settings.keys))


def open_nodes(settings: StoreSettings) -> Nodes:
    """
    The relays on a store that share their listeners.

    @raise StoreError: it cannot be used.
    """
    return Nodes(_database(settings))


def _database(settings: StoreSettings) -> Database:
    return Database(settings.path, settings.url, settings.password)
