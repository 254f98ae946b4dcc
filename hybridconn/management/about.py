"""What the description of the API says of one route."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import field, frozen

#: A JSON schema, as OpenAPI 3.1 has them.
Schema = Mapping[str, Any]


@frozen
class About:
    """
    @ivar name: of the operation, for programs that are made from the description;
        no two routes have the same.
    @ivar summary: for people, one line.
    @ivar answer: what the body of a 200 is; L{None}: there is none.
    @ivar body: what may be sent; L{None}: nothing.
    @ivar needs_body: whether a call without one is wrong.
    @ivar paged: the answer is a list of C{answer} that may come in pages.
    @ivar statuses: those of a success; none: there never is one.
    @ivar refusals: statuses of errors beside those that every call may have.
    """

    name: str
    summary: str
    answer: Schema | None = None
    body: Schema | None = None
    needs_body: bool = True
    paged: bool = False
    statuses: tuple[int, ...] = (200,)
    refusals: tuple[int, ...] = field(default=())
