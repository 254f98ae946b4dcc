"""The one place where resources are changed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred, DeferredLock

from hybridconn.core.access import Access
from hybridconn.core.entities import AuthorizationRule, HybridConnection, Namespace
from hybridconn.core.names import fold
from hybridconn.core.resources import (
    ConnectionResource,
    Key,
    NamespaceResource,
    RuleResource,
)
from hybridconn.interfaces import IResourceStore
from hybridconn.management.registry import Changes, Draft, Registry
from hybridconn.stores.memory import MemoryEntityStore

_T = TypeVar("_T")


class ResourceBook:
    """
    Resources, kept by a store and shown to the relay.

    @ivar entities: what the data plane looks things up in; follows every change.
    @param store: read here, once.
    """

    def __init__(self, store: IResourceStore) -> None:
        self._store = store
        self._lock = DeferredLock()
        self._registry = Registry()
        self._registry.apply(Changes(tuple(store.load())))
        self.entities = MemoryEntityStore(
            (self._namespace(one) for one in self._registry.every(NamespaceResource)),
            # Operations know the limit; what is there stays when it is lowered.
            entities_per_namespace=sys.maxsize,
        )

    @property
    def registry(self) -> Registry:
        """What there is; to be read only."""
        return self._registry

    def read(self) -> Draft:
        """What there is, for operations that change nothing."""
        return self._registry.draft()

    def change(self, operation: Callable[[Draft], _T]) -> Deferred[_T]:
        """
        Do one thing, after all that was begun before.

        @param operation: changes the draft that it gets; what it raises leaves all as
            it was.
        @return: fires with its result when the change is kept and can be seen.
        """
        changed: Deferred[_T] = self._lock.run(
            lambda: Deferred.fromCoroutine(self._change(operation))
        )
        return changed

    async def _change(self, operation: Callable[[Draft], _T]) -> _T:
        draft = self._registry.draft()
        result = operation(draft)
        changes = draft.changes
        if changes:
            await self._store.save(changes)
            self._registry.apply(changes)
            self._show(changes)
        return result

    # --- to the data plane ---

    def _show(self, changes: Changes) -> None:
        """Have the relay see what changed, entity by entity."""
        whole: set[Key] = set()
        own: set[Key] = set()
        entities: set[tuple[Key, str]] = set()
        gone = [changes.before[place] for place in changes.deletes]
        for resource in (*changes.puts, *gone):
            if isinstance(resource, NamespaceResource):
                before: Any = changes.before.get((resource.kind, resource.key))
                same = before and before.public_network_access == (
                    resource.public_network_access
                )
                (own if same else whole).add(resource.key)
            elif isinstance(resource, RuleResource) and not resource.path:
                own.add((fold(resource.namespace),))
            elif isinstance(resource, ConnectionResource | RuleResource):
                entities.add(((fold(resource.namespace),), resource.path))
        for key in own - whole:
            # Ten thousand hybrid connections are not looked at for a key.
            namespace = self._registry.get(NamespaceResource, key)
            if namespace is None:
                whole.add(key)
            else:
                self.entities.put_own(self._own(namespace))
        for key in whole:
            namespace = self._registry.get(NamespaceResource, key)
            if namespace is not None:
                self.entities.put_namespace(self._namespace(namespace))
            elif any(fold(one.name) == key[0] for one in self.entities.namespaces()):
                self.entities.delete_namespace(key[0])
        for key, path in entities:
            if key in whole:
                continue
            found = self._registry.get(ConnectionResource, (*key, fold(path)))
            parent = self._registry.get(NamespaceResource, key)
            if found is not None and parent is not None:
                self.entities.put_hybrid_connection(key[0], self._entity(parent, found))
            else:
                self._forget(key[0], path)

    def _forget(self, namespace: str, path: str) -> None:
        for known in self.entities.namespaces():
            match = known.find(path.split("/"))
            if fold(known.name) == namespace and match and not match.suffix_segments:
                self.entities.delete_hybrid_connection(namespace, path)

    def _own(self, one: NamespaceResource) -> Namespace:
        """A namespace without its hybrid connections."""
        return Namespace(
            one.name,
            one.host_names,
            tuple(map(_rule, self._registry.below(RuleResource, (*one.key, "")))),
            access=Access(
                one.ip_rules if one.default_action == "Deny" else None,
                one.minimum_tls_version,
            ),
        )

    def _namespace(self, one: NamespaceResource) -> Namespace:
        connections = self._registry.below(ConnectionResource, one.key)
        return attrs.evolve(
            self._own(one),
            hybrid_connections=tuple(self._entity(one, each) for each in connections),
        )

    def _entity(
        self, namespace: NamespaceResource, one: ConnectionResource
    ) -> HybridConnection:
        return HybridConnection(
            one.path,
            one.requires_client_authorization,
            one.user_metadata,
            tuple(map(_rule, self._registry.below(RuleResource, one.key))),
            namespace.public_network_access != "Disabled" and one.status != "Disabled",
        )


def _rule(one: RuleResource) -> AuthorizationRule:
    return AuthorizationRule(one.name, one.rights, one.primary_key, one.secondary_key)
