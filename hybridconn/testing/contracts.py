"""
What every load balancer and every store must hold to, as checks for your own
tests::

    class WeightedBalancerTests(SynchronousTestCase):
        def test_contract(self) -> None:
            check_load_balancer(self, WeightedBalancer())
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from unittest import TestCase

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from hybridconn.core.entities import Namespace
from hybridconn.core.listeners import ListenerRef, SenderRequest
from hybridconn.core.names import fold
from hybridconn.interfaces import IEntityStore, ILoadBalancer

_Case = TestCase | SynchronousTestCase

#: As many as the protocol allows for one hybrid connection.
_MOST = 25


def check_load_balancer(case: _Case, balancer: ILoadBalancer) -> None:
    """
    Check that C{balancer} keeps to L{ILoadBalancer}: for every number of
    listeners, while they come and go, it chooses at once one of those that it
    was given, and leaves the sequence alone.

    @raise AssertionError: it does not.
    """
    _check_provides(case, ILoadBalancer, balancer)
    requests = [
        SenderRequest("contoso", path, "192.0.2.7", 50000 + number)
        for number, path in enumerate(("hyco", "orders/eu", "hyco"))
    ]
    listeners = [
        ListenerRef(f"L{number}", f"198.51.100.{number}", 40000, 1e9 + number, number)
        for number in range(_MOST)
    ]
    for size in (*range(1, _MOST + 1), *range(_MOST, 0, -1)):
        # Another part of them each time: listeners come and go between calls.
        start = size * 7 % (_MOST - size + 1)
        _check_choices(case, balancer, listeners[start : start + size], requests)


def _check_provides(case: _Case, interface: type[Interface], thing: object) -> None:
    try:
        verifyObject(interface, thing)
    except Invalid as invalid:
        case.fail(str(invalid))


def _check_choices(
    case: _Case,
    balancer: ILoadBalancer,
    given: list[ListenerRef],
    requests: Sequence[SenderRequest],
) -> None:
    for candidates in (tuple(given), list(given)):
        for request in (*requests, *requests):
            chosen = balancer.choose(candidates, request)
            case.assertIsInstance(chosen, ListenerRef, "it must answer at once")
            case.assertIn(chosen, given, "it must choose one of the candidates")
            case.assertEqual(list(candidates), given, "it must not change them")


def check_entity_store(
    case: _Case,
    store: IEntityStore,
    change: Callable[[], tuple[str, str]] | None = None,
) -> None:
    """
    Check that C{store} keeps to L{IEntityStore}: what it shows can be found
    again and is unambiguous, and whoever watches hears of a change.

    @param change: changes one hybrid connection, or the namespace itself, and
        returns the namespace's name and the path, empty for the namespace;
        L{None} if this store cannot be changed.
    @raise AssertionError: it does not.
    """
    _check_provides(case, IEntityStore, store)
    _check_view(case, store.namespaces())
    heard: list[list[tuple[str, str]]] = [[], []]
    seen: list[list[Namespace]] = []

    def watcher(notes: list[tuple[str, str]]) -> Callable[[str, str], None]:
        def changed(namespace: str, path: str) -> None:
            notes.append((namespace, path))
            seen.append(list(store.namespaces()))

        return changed

    for notes in heard:
        store.watch(watcher(notes))
    case.assertEqual(heard, [[], []], "watch must not call before a change")
    if change is None:
        return
    before = list(store.namespaces())
    expected = change()
    after = list(store.namespaces())
    for notes in heard:
        case.assertIn(expected, notes, "every watcher must hear of the change")
    case.assertNotEqual(before, after, "the change must be visible")
    case.assertIn(after, seen, "watchers must be called when it can be seen")
    _check_view(case, after)


def _check_view(case: _Case, namespaces: Sequence[Namespace]) -> None:
    names = [fold(namespace.name) for namespace in namespaces]
    case.assertEqual(len(names), len(set(names)), "names must differ, without case")
    for namespace in namespaces:
        case.assertIsInstance(namespace, Namespace)
        for entity in namespace.hybrid_connections:
            match = namespace.find(entity.path.split("/"))
            case.assertIsNotNone(match, f"{entity.path} cannot be found")
            if match is not None:
                case.assertIs(match.entity, entity, f"{entity.path} is ambiguous")
