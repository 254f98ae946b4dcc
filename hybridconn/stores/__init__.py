"""
Stores of namespaces and their hybrid connections
(L{hybridconn.interfaces.IEntityStore}).
"""

from __future__ import annotations

from hybridconn.stores.memory import MemoryEntityStore, StoreFull
from hybridconn.stores.toml import load_toml_store

__all__ = ["MemoryEntityStore", "StoreFull", "load_toml_store"]
