"""Who may use the management API (management-api section 2)."""

from __future__ import annotations

import enum
import hashlib
import hmac
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from attrs import field, frozen
from twisted.internet.defer import Deferred
from zope.interface import implementer

from hybridconn.interfaces import ICallers
from hybridconn.management.errors import unauthenticated

if TYPE_CHECKING:
    from hybridconn.management.oidc import OidcTokens

_BEARER: Final = "bearer "


class Role(enum.Enum):
    """What a token is good for."""

    ADMIN = "admin"
    SENDER = "sender"
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


@frozen
class Caller:
    """
    Who calls.

    @ivar name: for the log and the audit.
    @ivar role: L{None}: nothing is allowed to him.
    @ivar by: what showed it: C{token} or C{jwt}.
    """

    name: str
    role: Role | None
    by: str


class StaticTokens:
    """Tokens that stand in the configuration, hashed."""

    def __init__(self, tokens: Iterable[StaticToken]) -> None:
        self._tokens = tuple(tokens)

    def find(self, text: str) -> Caller | None:
        """Whose token this is."""
        hashed = digest(text)
        found = None
        # All of them are compared, so that time tells nothing.
        for token in self._tokens:
            if hmac.compare_digest(hashed, token.sha256.lower()):
                found = Caller(token.name, token.role, "token")
        return found


def looks_like_jwt(text: str) -> bool:
    """Whether it has the form of a signed JWT: it costs nothing to say no."""
    return text.count(".") == 2


@implementer(ICallers)
class Callers:
    """
    Everybody who may call.

    @param static: those with a token of this server's own.
    @param jwt: those with a token of somebody else who signs; L{None}: nobody.
    """

    def __init__(self, static: StaticTokens, jwt: OidcTokens | None = None) -> None:
        self._static = static
        self._jwt = jwt

    def authenticate(self, authorization: str | None) -> Caller | Deferred[Caller]:
        """See L{ICallers.authenticate <hybridconn.interfaces>}."""
        given = authorization or ""
        if given.lower().startswith(_BEARER):
            text = given[len(_BEARER) :].strip()
            found = self._static.find(text)
            if found is not None:
                return found
            if self._jwt is not None and looks_like_jwt(text):
                return Deferred.fromCoroutine(self._jwt.authenticate(text))
        raise unauthenticated(
            "The token is missing or not known here: Authorization: Bearer TOKEN."
        )
