"""The hybrid connections that there are, as the page lists them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hybridconn.core.entities import HybridConnection, Namespace
from hybridconn.core.names import fold
from hybridconn.interfaces import IEntityStore
from hybridconn.relay.desk import EntityKey, entity_key


class Catalog:
    """
    Made anew only when something changed: there may be ten thousand, and a browser
    asks each second whether it knows them all.

    @ivar revision: another one whenever they changed.
    """

    def __init__(self, store: IEntityStore) -> None:
        self._store = store
        self._body = b""
        self._keys: tuple[EntityKey, ...] = ()
        self.revision = 1
        store.watch(self._changed)

    @property
    def body(self) -> bytes:
        """All of it as JSON."""
        self._make()
        return self._body

    @property
    def keys(self) -> Sequence[EntityKey]:
        """Of the hybrid connections in the order in which L{body} has them."""
        self._make()
        return self._keys

    @property
    def namespaces(self) -> int:
        """How many."""
        return len(self._store.namespaces())

    def find(self, namespace: str, path: str) -> EntityKey | None:
        """The key of a hybrid connection; L{None} if there is none."""
        for one in self._store.namespaces():
            if fold(one.name) == fold(namespace):
                match = one.find(path.split("/"))
                if match is not None and not match.suffix_segments:
                    return entity_key(one.name, match.entity.path)
        return None

    def _changed(self, namespace: str, path: str) -> None:
        self.revision += 1
        self._body = b""

    def _make(self) -> None:
        if self._body:
            return
        spaces = sorted(self._store.namespaces(), key=lambda one: fold(one.name))
        found = [
            (space, one)
            for space in spaces
            for one in sorted(space.hybrid_connections, key=lambda one: fold(one.path))
        ]
        self._keys = tuple(entity_key(space.name, one.path) for space, one in found)
        value = {
            "revision": self.revision,
            "namespaces": [
                {"name": space.name, "hosts": list(space.host_names)}
                for space in spaces
            ],
            "connections": [_shown(space, one) for space, one in found],
        }
        self._body = json.dumps(value).encode()


def _shown(space: Namespace, one: HybridConnection) -> dict[str, Any]:
    return {
        "namespace": space.name,
        "path": one.path,
        "endpoint": one.endpoint or "",
        "metadata": one.user_metadata,
        "enabled": one.enabled,
        "senderToken": one.requires_client_authorization,
    }
