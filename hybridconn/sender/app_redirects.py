"""The redirects of an app, brought in line with what the management API says."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, Protocol, TypeVar

from twisted.logger import Logger

from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import Redirect
from hybridconn.core.names import fold
from hybridconn.sender.forward import LocalForward


class HasForward(Protocol):
    """Something that serves one hybrid connection."""

    forward: LocalForward


_T = TypeVar("_T", bound=HasForward)
#: What makes two of them the same one, whatever their keys.
_Place = tuple[str, str, HostPort | None]


class AppRedirects(Generic[_T]):
    """
    @param make: begins to serve a hybrid connection.
    """

    log = Logger()

    def __init__(self, make: Callable[[Redirect], _T]) -> None:
        self._make = make
        self._known: dict[_Place, tuple[Redirect, _T]] = {}

    @property
    def current(self) -> list[_T]:
        """Those that are served, in the order that was given."""
        return [made for _, made in self._known.values()]

    def follow(self, wanted: Iterable[Redirect]) -> list[_T]:
        """
        Begin what is new, use another key where there is one, and touch nothing else.

        @return: what is no longer wanted.
        """
        before, self._known = self._known, {}
        for one in wanted:
            place = _place(one)
            old, made = before.pop(place, (None, None))
            if made is None:
                made = self._make(one)
            elif old != one:
                self.log.info(
                    "{entity}: another key is used for new tunnels",
                    entity=one.connection.entity_path,
                )
                made.forward.renew(one.connection)
            self._known[place] = one, made
        return [made for _, made in before.values()]


def _place(one: Redirect) -> _Place:
    connection = one.connection
    entity = fold(connection.require_entity_path())
    return connection.authority, entity, one.endpoint
