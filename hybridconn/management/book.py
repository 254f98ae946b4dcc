"""The one place where resources are changed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs
from twisted.internet.defer import Deferred, DeferredLock
from twisted.logger import Logger

from hybridconn.core.access import Access
from hybridconn.core.entities import AuthorizationRule, HybridConnection, Namespace
from hybridconn.core.names import fold
from hybridconn.core.resources import (
    ConnectionResource,
    Key,
    NamespaceResource,
    Resource,
    RuleResource,
)
from hybridconn.interfaces import IResourceStore
from hybridconn.management.errors import ApiError, unavailable
from hybridconn.management.registry import Changes, Draft, News, Registry
from hybridconn.stores.errors import ChangeInDoubt, StoreError
from hybridconn.stores.memory import MemoryEntityStore
from hybridconn.stores.vault import VaultError

_T = TypeVar("_T")
#: Runs a blocking call somewhere else; one after the other.
Run = Callable[[Callable[[], Any]], "Deferred[Any]"]


class ResourceBook:
    """
    Resources, kept by a store and shown to the relay.

    @ivar entities: what the data plane looks things up in; follows every change.
    @param store: read here, once.
    @param run: makes its further calls.
    """

    log = Logger()

    def __init__(self, store: IResourceStore, run: Run) -> None:
        self._store = store
        self._run = run
        self._lock = DeferredLock()
        self._closed = False
        self._failures = 0
        self._registry = Registry()
        self._registry.take(store.load())
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
        Do one thing, after all that was begun before, here and at other nodes.

        @param operation: changes the draft that it gets; what it raises leaves all as
            it was.
        @return: fires with its result when the change is kept and can be seen; fails
            with L{ApiError} 503 if the store cannot be changed.
        """
        failures = self._failures
        changed: Deferred[_T] = self._lock.run(
            lambda: Deferred.fromCoroutine(self._change(operation, failures))
        )
        return changed

    def catch_up(self) -> Deferred[None]:
        """
        Take over what other nodes changed.

        @return: fails with L{StoreError} or L{VaultError}.
        """
        caught: Deferred[None] = self._lock.run(
            lambda: Deferred.fromCoroutine(self._catch_up())
        )
        return caught

    async def close(self) -> None:
        """Change nothing more; returns when all that was begun is done."""
        self._closed = True
        await self._lock.acquire()
        self._lock.release()

    async def _change(self, operation: Callable[[Draft], _T], failures: int) -> _T:
        if self._closed:
            raise unavailable("The relay is being stopped.")
        if failures != self._failures:
            # Each of those that wait would find out by itself, after the other.
            raise self._refused(StoreError("it failed while this change waited"))
        try:
            self._take(await self._call(self._store.lock))
        except (StoreError, VaultError) as error:
            raise self._refused(error) from None
        try:
            draft = self._registry.draft()
            result = operation(draft)
            changes = draft.changes
        except BaseException:
            await self._release()
            raise
        if not changes:
            await self._release()
            return result
        try:
            await self._call(lambda: self._store.keep(changes))
        except (StoreError, VaultError) as error:
            raise self._refused(error) from None
        self._registry.apply(changes)
        self._show(changes)
        return result

    async def _release(self) -> None:
        try:
            await self._run(self._store.release)
        except StoreError as error:
            # Nothing was to be kept, so nobody needs to know.
            self.log.warn("{error}", error=error)

    def _refused(self, error: Exception) -> ApiError:
        self.log.warn("a change was refused: {error}", error=error)
        if isinstance(error, ChangeInDoubt):
            return unavailable(
                "The store was lost meanwhile: the change may have been made, or not. "
                "Look at it before you repeat it."
            )
        return unavailable(
            "The store cannot be changed now, so nothing was done; the relay's log "
            "says why. Try again later."
        )

    async def _catch_up(self) -> None:
        self._take(await self._call(self._store.news))

    async def _call(self, call: Callable[[], Any]) -> Any:
        try:
            return await self._run(call)
        except StoreError:
            self._failures += 1
            raise

    def _take(self, news: News) -> None:
        if news:
            self._show(self._registry.take(news))

    # --- to the data plane ---

    def _show(self, changes: Changes) -> None:
        """Have the relay see what changed, entity by entity."""
        whole: set[Key] = set()
        own: set[Key] = set()
        entities: set[tuple[Key, str]] = set()
        gone = [changes.before[place] for place in changes.deletes]
        for resource in changes.puts:
            self._show_replaced(resource, changes.before)
        for resource in (*changes.puts, *gone):
            if isinstance(resource, NamespaceResource):
                before: Any = changes.before.get((resource.kind, resource.key))
                (own if _same_to_its_entities(before, resource) else whole).add(
                    resource.key
                )
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

    def _show_replaced(
        self, resource: Resource, before: Mapping[tuple[str, Key], Resource]
    ) -> None:
        """
        What another node removed and made again is another thing of the same name:
        what is connected to the old one goes.
        """
        made = (NamespaceResource, ConnectionResource)
        old = before.get((resource.kind, resource.key))
        if not isinstance(old, made) or not isinstance(resource, made):
            return
        if old.created == resource.created:
            return
        if isinstance(old, NamespaceResource):
            self.entities.delete_namespace(old.name)
        else:
            self._forget(fold(old.namespace), old.path)

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


def _same_to_its_entities(
    before: NamespaceResource | None, now: NamespaceResource
) -> bool:
    """Whether a changed namespace leaves its hybrid connections as they are."""
    return (
        before is not None
        and before.created == now.created
        and before.public_network_access == now.public_network_access
    )


def _rule(one: RuleResource) -> AuthorizationRule:
    return AuthorizationRule(one.name, one.rights, one.primary_key, one.secondary_key)
