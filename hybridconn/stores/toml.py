"""
The store of a relay whose hybrid connections stand in its configuration file.
"""

from __future__ import annotations

from hybridconn.config.relay import RelayConfig
from hybridconn.stores.memory import MemoryEntityStore


def load_toml_store(config: RelayConfig) -> MemoryEntityStore:
    """
    Make a store with the namespaces of a configuration.

    To take over a changed file, read it anew and give its namespaces to
    L{MemoryEntityStore.replace_all}.
    """
    return MemoryEntityStore(config.namespaces, config.limits.entities_per_namespace)
