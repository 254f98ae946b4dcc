"""One call of the management API, as operations see it, and its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from attrs import field, frozen

from hybridconn.core.resources import Key
from hybridconn.management.bodies import Body
from hybridconn.management.paging import page_of
from hybridconn.management.registry import Draft

Json = dict[str, Any]


@frozen
class Result:
    """
    @ivar status: of the answer.
    @ivar value: its body; L{None} for none.
    """

    status: int = 200
    value: Json | None = None


@frozen
class Call:
    """
    @ivar values: what stood in the path in the place of names.
    @ivar query: decoded, names in lower case.
    @ivar url: scheme, host and path by which it came, for the next page.
    @ivar draft: what it sees, and changes if it may.
    """

    values: Mapping[str, str]
    query: Mapping[str, str]
    url: str
    body: Body = field(repr=False)
    draft: Draft = field(repr=False)

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def page(
        self, keys: Sequence[Key], show: Callable[[Key], Json], siblings: bool = True
    ) -> Result:
        """
        A page of a list.

        @param keys: all of it, in order.
        @param siblings: whether they differ in their last name only.
        @raise ApiError: 400, the marker is not ours.
        """
        found, marker = page_of(keys, self.query.get("$skiptoken"), siblings)
        value: Json = {"value": [show(key) for key in found]}
        if marker:
            version = quote(self.query.get("api-version", ""), safe="")
            value["nextLink"] = (
                f"{self.url}?api-version={version}&$skiptoken={quote(marker)}"
            )
        return Result(200, value)
