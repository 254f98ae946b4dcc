"""
All resources in memory, and changes to them that are made as a whole or not at all.

Reading never waits for a database.  A change is drafted beside what there is, kept
by a store, and then taken over at once: nobody sees half of one.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from attrs import field, frozen

from hybridconn.core.resources import KINDS, Key, Resource

_R = TypeVar("_R", bound=Resource)


@frozen
class Changes:
    """
    What one operation changes.

    @ivar puts: resources that are new, or take the place of those with their key.
    @ivar deletes: kind and key of those that go.
    """

    puts: tuple[Resource, ...] = ()
    deletes: tuple[tuple[str, Key], ...] = ()
    before: dict[tuple[str, Key], Resource] = field(factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.puts or self.deletes)


@frozen
class News:
    """
    What a store has that a node did not know.

    @ivar resources: as they are now.
    @ivar gone: kind and key of those that are no more.
    @ivar whole: C{resources} are all there are.
    """

    resources: tuple[Resource, ...] = ()
    gone: tuple[tuple[str, Key], ...] = ()
    whole: bool = False

    def __bool__(self) -> bool:
        return bool(self.resources or self.gone or self.whole)


class Registry:
    """What there is.  Keys of one parent are kept in order."""

    def __init__(self) -> None:
        self._all: dict[str, dict[Key, Resource]] = {k.kind: {} for k in KINDS}
        self._children: dict[str, dict[Key, list[Key]]] = {k.kind: {} for k in KINDS}

    def get(self, kind: type[_R], key: Key) -> _R | None:
        """One resource."""
        table: dict[Key, Any] = self._all[kind.kind]
        found: _R | None = table.get(key)
        return found

    def keys(self, kind: Any, parent: Key) -> list[Key]:
        """The keys below C{parent}, in order; not to be changed."""
        return self._children[kind.kind].get(parent, [])

    def below(self, kind: type[_R], parent: Key) -> Iterator[_R]:
        """The resources below C{parent}, in the order of their keys."""
        table: Any = self._all[kind.kind]
        for key in self.keys(kind, parent):
            yield table[key]

    def every(self, kind: type[_R]) -> Iterator[_R]:
        """All resources of a kind."""
        found: Any = self._all[kind.kind].values()
        return iter(found)

    def draft(self) -> Draft:
        """Begin a change."""
        return Draft(self)

    def take(self, news: News) -> Changes:
        """
        Take over what a store says.

        @return: what of it is different from what there was.
        """
        draft = self.draft()
        gone = set(news.gone)
        if news.whole:
            there = {(one.kind, one.key) for one in news.resources}
            known = {(kind, key) for kind in self._all for key in self._all[kind]}
            gone |= known - there
        for kind, key in gone:
            resource = self._all[kind].get(key)
            if resource is not None:
                draft.delete([resource])
        for resource in news.resources:
            draft.put(resource)
        changes = draft.changes
        self.apply(changes)
        return changes

    def apply(self, changes: Changes) -> None:
        """Take a change over."""
        for kind, key in changes.deletes:
            gone = self._all[kind].pop(key, None)
            if gone is not None:
                keys = self._children[kind][gone.parent]
                del keys[bisect.bisect_left(keys, key)]
        for resource in changes.puts:
            table = self._all[resource.kind]
            before = table.get(resource.key)
            table[resource.key] = resource
            if before is None:
                keys = self._children[resource.kind].setdefault(resource.parent, [])
                bisect.insort(keys, resource.key)


class Draft:
    """A change that is being made: shows what there would be."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._puts: dict[tuple[str, Key], Resource] = {}
        self._deletes: set[tuple[str, Key]] = set()

    def get(self, kind: type[_R], key: Key) -> _R | None:
        """One resource as it would be."""
        place = (kind.kind, key)
        if place in self._deletes:
            return None
        drafted: Any = self._puts.get(place)
        return drafted if drafted is not None else self._registry.get(kind, key)

    def below(self, kind: type[_R], parent: Key) -> Iterator[_R]:
        """The resources below C{parent} as they would be."""
        for one in self._registry.below(kind, parent):
            place = (kind.kind, one.key)
            if place not in self._deletes and place not in self._puts:
                yield one
        for (name, _), drafted in tuple(self._puts.items()):
            if name == kind.kind and drafted.parent == parent:
                found: Any = drafted
                yield found

    def every(self, kind: type[_R]) -> Iterator[_R]:
        """All resources of a kind as they would be."""
        for one in tuple(self._registry.every(kind)):
            place = (kind.kind, one.key)
            if place not in self._deletes and place not in self._puts:
                yield one
        for (name, _), drafted in tuple(self._puts.items()):
            if name == kind.kind:
                found: Any = drafted
                yield found

    def keys(self, kind: Any, parent: Key) -> list[Key]:
        """The keys below C{parent}, in order."""
        if not self._puts and not self._deletes:
            return self._registry.keys(kind, parent)
        return sorted(one.key for one in self.below(kind, parent))

    def count(self, kind: Any, parent: Key) -> int:
        """How many there would be."""
        known = self._registry.keys(kind, parent)
        drafted = {
            key
            for (name, key), one in self._puts.items()
            if name == kind.kind and one.parent == parent
        }
        gone = {key for name, key in self._deletes if name == kind.kind}
        new = sum(1 for key in drafted if self._registry.get(kind, key) is None)
        lost = sum(1 for key in gone if self._is_below(kind, key, parent))
        return len(known) + new - lost

    def _is_below(self, kind: Any, key: Key, parent: Key) -> bool:
        found = self._registry.get(kind, key)
        return found is not None and found.parent == parent

    def put(self, resource: Resource) -> None:
        """Have C{resource}."""
        place = (resource.kind, resource.key)
        self._deletes.discard(place)
        self._puts[place] = resource

    def delete(self, resources: Iterable[Resource]) -> None:
        """Have these no more."""
        for resource in tuple(resources):
            place = (resource.kind, resource.key)
            self._puts.pop(place, None)
            self._deletes.add(place)

    @property
    def changes(self) -> Changes:
        """What is different from what there is."""
        registry: Any = self._registry
        before: dict[tuple[str, Key], Resource] = {}
        puts = []
        for (kind, key), resource in self._puts.items():
            old = registry._all[kind].get(key)
            if old == resource:
                continue
            puts.append(resource)
            if old is not None:
                before[kind, key] = old
        deletes = []
        for kind, key in self._deletes:
            old = registry._all[kind].get(key)
            if old is not None:
                deletes.append((kind, key))
                before[kind, key] = old
        return Changes(tuple(puts), tuple(deletes), before)
