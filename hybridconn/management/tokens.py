"""Who may use the management API (management-api section 2)."""

from __future__ import annotations

import enum
import hashlib
import hmac
from collections.abc import Iterable

from attrs import field, frozen

from hybridconn.management.errors import ApiError

_BEARER = "bearer "


class Role(enum.Enum):
    """What a token is good for."""

    ADMIN = "admin"
    READER = "reader"


def digest(token: str) -> str:
    """The form in which a token is kept: SHA-256, in hexadecimal."""
    return hashlib.sha256(token.encode("utf-8")).hexdigest()


@frozen
class StaticToken:
    """
    One token.

    @ivar name: whose it is, for the log.
    @ivar sha256: L{digest} of it.
    """

    name: str
    role: Role
    sha256: str = field(repr=False)


class StaticTokens:
    """Tokens that stand in the configuration, hashed."""

    def __init__(self, tokens: Iterable[StaticToken]) -> None:
        self._tokens = tuple(tokens)

    def authenticate(self, authorization: str | None) -> StaticToken:
        """
        @param authorization: the header field.
        @raise ApiError: 401.
        """
        given = authorization or ""
        found = None
        if given.lower().startswith(_BEARER):
            hashed = digest(given[len(_BEARER) :].strip())
            # All of them are compared, so that time tells nothing.
            for token in self._tokens:
                if hmac.compare_digest(hashed, token.sha256.lower()):
                    found = token
        if found is None:
            raise ApiError(
                401,
                "AuthenticationFailed",
                "The token is missing or not known here: Authorization: Bearer TOKEN.",
                (("WWW-Authenticate", "Bearer"),),
            )
        return found
