"""What several operations check of names and bodies."""

from __future__ import annotations

from collections.abc import Callable

from hybridconn.core.entities import Claim
from hybridconn.core.names import fold
from hybridconn.management.bodies import Body
from hybridconn.management.errors import ApiError, bad_request, conflict


def checked(what: str, parse: Callable[[str], str], text: str) -> None:
    """
    @raise ApiError: 400, C{parse} does not take the name.
    """
    try:
        parse(text)
    except ValueError as error:
        raise ApiError(
            400, "InvalidResourceName", f"This is no name of a {what}: {error}."
        ) from None


def location_of(body: Body) -> str:
    """
    @raise ApiError: 400, there is none.
    """
    location = body.text("location")
    if not location or not location.strip():
        raise bad_request("The location is missing.", "LocationRequired")
    return location


def stays_in_place(what: str, before: str, location: str) -> None:
    """
    @raise ApiError: 409, it would be somewhere else.
    """
    if fold(before).replace(" ", "") != fold(location).replace(" ", ""):
        raise conflict(
            f"{what} is in '{before}' and cannot be moved.", "InvalidResourceLocation"
        )


def rights_of(texts: list[str]) -> frozenset[Claim]:
    """
    @raise ApiError: 400, a rule cannot have these rights.
    """
    found = []
    for text in texts:
        claim = next((c for c in Claim if fold(c.value) == fold(text)), None)
        if claim is None:
            raise bad_request(
                "'properties.rights' is wrong: use Manage, Send and Listen."
            )
        found.append(claim)
    rights = frozenset(found)
    if not found or len(rights) != len(found):
        raise bad_request("'properties.rights' is wrong: name each right once.")
    if Claim.MANAGE in rights and len(rights) != len(Claim):
        raise bad_request(
            "'properties.rights' is wrong: Manage needs Send and Listen beside it."
        )
    return rights
