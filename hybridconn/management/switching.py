"""Enabling and disabling one hybrid connection, for whoever has the book at hand."""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve
from twisted.internet.defer import Deferred

from hybridconn.core.resources import ConnectionResource, Key, NamespaceResource
from hybridconn.management.book import ResourceBook
from hybridconn.management.errors import conflict, not_found
from hybridconn.management.registry import Draft


def switch_connection(
    book: ResourceBook, now: Callable[[], float], key: Key, on: bool
) -> Deferred[None]:
    """
    Disabled, nobody is let in, and what is connected is closed.

    @param now: seconds since 1970-01-01 UTC.
    @param key: namespace and path, both in lower case.
    @return: fails with L{ApiError}: 404, 409 as all of the namespace is disabled, 503.
    """

    def change(draft: Draft) -> None:
        it = draft.get(ConnectionResource, key)
        space = draft.get(NamespaceResource, key[:1])
        if it is None or space is None:
            raise not_found(f"The hybrid connection '{key[-1]}'")
        if on and space.public_network_access == "Disabled":
            raise conflict(
                f"All of the namespace '{space.name}' is disabled; first: hybridconn "
                f"namespace update {space.name} --enable"
            )
        status = "Active" if on else "Disabled"
        if it.status != status:
            updated = max(now(), it.updated)
            draft.put(evolve(it, status=status, updated=updated))

    return book.change(change)
