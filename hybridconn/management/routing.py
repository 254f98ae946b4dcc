"""Which operation a request is for (management-api section 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

from attrs import frozen

from hybridconn.core.names import fold
from hybridconn.management.about import About
from hybridconn.management.errors import ApiError


@frozen
class Route:
    """
    @ivar method: in capitals.
    @ivar pattern: fixed words in lower case, and C{{name}} for what varies.
    @ivar operation: what is done; called by whoever owns the routes.
    @ivar changes: whether it may change something.
    @ivar path: the pattern as it was written, for people.
    @ivar about: what the description of the API says of it.
    @ivar versioned: whether a call must name an C{api-version}.
    @ivar send_key: it shows a key that only sends, which the role sender may see.
    """

    method: str
    pattern: tuple[str, ...]
    operation: Callable[..., Any]
    changes: bool
    path: str = ""
    about: About | None = None
    versioned: bool = True
    send_key: bool = False


def route(
    method: str,
    path: str,
    operation: Callable[..., Any],
    changes: bool | None = None,
    about: About | None = None,
    versioned: bool = True,
    send_key: bool = False,
) -> Route:
    """
    A route whose pattern is written as a path.

    @param changes: by default everything does but GET.
    """
    parts = path.strip("/").split("/")
    pattern = tuple(part if part.startswith("{") else fold(part) for part in parts)
    if changes is None:
        changes = method != "GET"
    return Route(method, pattern, operation, changes, path, about, versioned, send_key)


class Router:
    """Finds operations by path, whatever the case of its words."""

    def __init__(self, routes: Iterable[Route]) -> None:
        self._by_length: dict[int, list[Route]] = {}
        for one in routes:
            self._by_length.setdefault(len(one.pattern), []).append(one)

    def peek(self, method: str, raw_path: str) -> Route | None:
        """The route alone, if there is one."""
        try:
            return self.find(method, raw_path)[0]
        except ApiError:
            return None

    def find(self, method: str, raw_path: str) -> tuple[Route, dict[str, str]]:
        """
        @param raw_path: undecoded; split first, decoded then, as a name may hold an
            escaped slash.
        @return: the route, and what stood in the place of its names.
        @raise ApiError: 404, or 405 for a known path.
        """
        parts = [unquote(part) for part in raw_path.strip("/").split("/")]
        folded = [fold(part) for part in parts]
        allowed: set[str] = set()
        for one in self._by_length.get(len(parts), ()):
            values = _match(one.pattern, parts, folded)
            if values is None:
                continue
            if one.method == method:
                return one, values
            allowed.add(one.method)
        if allowed:
            raise ApiError(
                405,
                "MethodNotAllowed",
                f"{method[:16]} is not possible here.",
                (("Allow", ", ".join(sorted(allowed))),),
            )
        raise ApiError(404, "ResourceNotFound", "There is nothing at this path.")


def _match(
    pattern: tuple[str, ...], parts: list[str], folded: list[str]
) -> dict[str, str] | None:
    values = {}
    for expected, part, same in zip(pattern, parts, folded, strict=True):
        if expected.startswith("{"):
            if not part:
                return None
            values[expected[1:-1]] = part
        elif expected != same:
            return None
    return values
