"""
A store that forgets all when the program ends; also the view that a store with
something durable behind it reads from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from hybridconn.core.entities import HybridConnection, Namespace
from hybridconn.core.limits import Limits
from hybridconn.core.names import fold
from hybridconn.interfaces import IEntityStore

DEFAULT_ENTITIES_PER_NAMESPACE = Limits().entities_per_namespace


class StoreFull(Exception):
    """
    A namespace may have no more hybrid connections.

    @ivar namespace: its name.
    @ivar limit: how many it may have.
    """

    def __init__(self, namespace: str, limit: int) -> None:
        super().__init__(namespace, limit)
        self.namespace = namespace
        self.limit = limit

    def __str__(self) -> str:
        return (
            f"namespace {self.namespace} may have {self.limit} hybrid connections at "
            "most"
        )


@implementer(IEntityStore)
class MemoryEntityStore:
    """
    Namespaces in memory.  Values are never changed, only replaced, and names
    compare without case.  Watchers hear of a change after it can be seen.
    """

    _log = Logger()

    def __init__(
        self,
        namespaces: Iterable[Namespace] = (),
        entities_per_namespace: int = DEFAULT_ENTITIES_PER_NAMESPACE,
    ) -> None:
        """
        @param namespaces: what is in it from the start.
        @param entities_per_namespace: the most hybrid connections of each.
        @raise StoreFull: if one has more.
        """
        self._limit = entities_per_namespace
        self._watchers: list[Callable[[str, str], None]] = []
        self._namespaces: dict[str, Namespace] = {}
        self._sequence: tuple[Namespace, ...] = ()
        for namespace in namespaces:
            self.put_namespace(namespace)

    def namespaces(self) -> Sequence[Namespace]:
        """All namespaces, in the order in which they came."""
        return self._sequence

    def watch(self, changed: Callable[[str, str], None]) -> None:
        """See L{IEntityStore.watch}."""
        self._watchers.append(changed)

    def put_namespace(self, namespace: Namespace) -> None:
        """
        Add a namespace with all its hybrid connections, or put it in the place
        of the one with its name.  Watchers hear only of what is different.

        @raise StoreFull: if it has too many hybrid connections.
        """
        if len(namespace.hybrid_connections) > self._limit:
            raise StoreFull(namespace.name, self._limit)
        before = self._namespaces.get(fold(namespace.name))
        self._keep(namespace)
        for path in _differences(before, namespace):
            self._tell(namespace.name, path)

    def put_own(self, namespace: Namespace) -> None:
        """
        Change what is a namespace's own: names, rules, access.  The hybrid connections
        that it has stay, however many, and nobody looks at them.

        @raise KeyError: if there is none of this name.
        """
        before = self._namespaces[fold(namespace.name)]
        if _itself(before) != _itself(namespace):
            self._keep(namespace.with_entities_of(before))
            self._tell(namespace.name, "")

    def delete_namespace(self, name: str) -> None:
        """
        Remove a namespace.  Watchers hear of each of its hybrid connections,
        then of itself.

        @raise KeyError: if there is none of this name.
        """
        before = self._namespaces.pop(fold(name))
        self._sequence = tuple(self._namespaces.values())
        for entity in before.hybrid_connections:
            self._tell(before.name, entity.path)
        self._tell(before.name, "")

    def put_hybrid_connection(self, namespace: str, entity: HybridConnection) -> None:
        """
        Add a hybrid connection, or put it in the place of the one with its path.

        @raise KeyError: if there is no such namespace.
        @raise StoreFull: if the namespace can take no more.
        """
        before = self._namespaces[fold(namespace)]
        known = before.entity(entity.segments)
        if known == entity:
            return
        if known is None and len(before.hybrid_connections) >= self._limit:
            raise StoreFull(before.name, self._limit)
        self._keep(before.with_entity(entity))
        self._tell(before.name, entity.path)

    def delete_hybrid_connection(self, namespace: str, path: str) -> None:
        """
        Remove a hybrid connection.

        @raise KeyError: if there is no such namespace or no such path in it.
        """
        before = self._namespaces[fold(namespace)]
        segments = HybridConnection(path).segments
        gone = before.entity(segments)
        self._keep(before.without_entity(segments))
        if gone is not None:
            self._tell(before.name, gone.path)

    def replace_all(self, namespaces: Iterable[Namespace]) -> None:
        """
        Have these namespaces and no others.  Watchers hear only of what is
        different.

        @raise StoreFull: if one has too many hybrid connections; then nothing
            was changed.
        """
        new = list(namespaces)
        for namespace in new:
            if len(namespace.hybrid_connections) > self._limit:
                raise StoreFull(namespace.name, self._limit)
        names = {fold(namespace.name) for namespace in new}
        for name in [name for name in self._namespaces if name not in names]:
            self.delete_namespace(name)
        for namespace in new:
            self.put_namespace(namespace)

    def _keep(self, namespace: Namespace) -> None:
        self._namespaces[fold(namespace.name)] = namespace
        self._sequence = tuple(self._namespaces.values())

    def _tell(self, namespace: str, path: str) -> None:
        for changed in tuple(self._watchers):
            try:
                changed(namespace, path)
            except Exception:  # the others must hear of it, whoever is broken
                self._log.failure(
                    "A watcher failed on {namespace} {path}",
                    namespace=namespace,
                    path=path,
                )


def _differences(before: Namespace | None, after: Namespace) -> list[str]:
    """What watchers must hear of: paths, and C{""} for the namespace itself."""
    if before is None:
        return ["", *(entity.path for entity in after.hybrid_connections)]
    changed = []
    if _itself(before) != _itself(after):
        changed.append("")
    old = {entity.segments: entity for entity in before.hybrid_connections}
    new = {entity.segments: entity for entity in after.hybrid_connections}
    for segments, entity in (old | new).items():
        if old.get(segments) != new.get(segments):
            changed.append(entity.path)
    return changed


def _itself(namespace: Namespace) -> Namespace:
    return attrs.evolve(namespace, hybrid_connections=())
