"""The store of a relay, from its configuration."""

from __future__ import annotations

from hybridconn.config.store import StoreSettings
from hybridconn.stores.database import Database
from hybridconn.stores.sql import SqlResourceStore
from hybridconn.stores.vault import Vault


def open_store(settings: StoreSettings) -> SqlResourceStore:
    """
    Open a store, and bring its tables up to date.

    @raise StoreError: it cannot be used.
    """
    database = Database(settings.path, settings.url, settings.password)
    return SqlResourceStore(database, Vault(settings.keys))
