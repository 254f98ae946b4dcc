"""Callers whose token an identity provider signed (management-api section 2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt
from attrs import frozen

from hybridconn.core.text import printable
from hybridconn.interfaces import ISigningKeys
from hybridconn.management.errors import ApiError, forbidden, unauthenticated
from hybridconn.management.tokens import Caller, Role

#: What a signature may be made with; never a choice of the token's alone.
ALGORITHMS: Final = ("RS256", "ES256")
#: Seconds that the provider's clock and ours may differ.
LEEWAY: Final = 60.0
_MOST_TOKEN: Final = 16 * 1024
_MOST_NAME: Final = 128


@frozen(kw_only=True)
class OidcRules:
    """
    Which tokens are good, and for what.

    @ivar audiences: one of them must be the token's.
    @ivar name_claim: who it is, for the log and the audit.
    @ivar role_claim: where the roles are; C{a.b} is C{b} within C{a}, unless there is
        a claim of just this name.
    @ivar admin: values of it that make an administrator; C{reader}, C{sender} too.
    """

    issuer: str
    audiences: tuple[str, ...]
    name_claim: str
    role_claim: str
    admin: tuple[str, ...]
    reader: tuple[str, ...]
    sender: tuple[str, ...] = ()


class OidcTokens:
    """
    @param keys: the provider's.
    @param now: seconds since 1970-01-01 UTC.
    """

    def __init__(
        self, rules: OidcRules, keys: ISigningKeys, now: Callable[[], float]
    ) -> None:
        self._rules = rules
        self._keys = keys
        self._now = now

    async def authenticate(self, text: str) -> Caller:
        """
        @param text: has the form of a JWT.
        @raise ApiError: 401, it is not good; 403, it gives no role.
        """
        claims = await self._verified(text)
        self._check_times(claims)
        name = claims.get(self._rules.name_claim)
        shown = printable(name, _MOST_NAME) if isinstance(name, str) else ""
        if not shown:
            raise _bad(f"it has no claim {self._rules.name_claim}")
        role = self._role(claims)
        if role is None:
            raise forbidden(
                f"The token's claim {self._rules.role_claim} gives no role here.",
                Caller(shown, None, "jwt"),
            )
        return Caller(shown, role, "jwt")

    async def _verified(self, text: str) -> Mapping[str, Any]:
        """The claims, when signature, issuer and audience are good."""
        if len(text) > _MOST_TOKEN:
            raise _bad("it is too long")
        try:
            header = jwt.get_unverified_header(text)
        except (jwt.InvalidTokenError, ValueError, RecursionError):
            raise _bad("it cannot be read") from None
        algorithm, name = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise _bad("it is not signed with RS256 or ES256")
        if "crit" in header or not isinstance(name, str | None):
            raise _bad("its header asks for what is not known here")
        key = await self._keys.find(name, algorithm)
        if key is None:
            raise _bad("its key is not among those of the issuer")
        try:
            claims: Mapping[str, Any] = jwt.decode(
                text,
                key,
                algorithms=[algorithm],
                audience=self._rules.audiences,
                issuer=self._rules.issuer,
                # Times are looked at below, by this server's own clock.
                options={
                    "require": ["exp", "iss", "aud"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.InvalidAudienceError:
            raise _bad("it is for another audience") from None
        except jwt.InvalidIssuerError:
            raise _bad("it is from another issuer") from None
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
            raise _bad("its signature or a claim is wrong") from None
        return claims

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now = self._now()
        ends, begins = _time(claims["exp"]), _time(claims.get("nbf", 0))
        if ends + LEEWAY <= now:
            raise _bad("it has expired")
        if begins - LEEWAY > now:
            raise _bad("it is not valid yet")

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        value = _claim(claims, self._rules.role_claim)
        given = value if isinstance(value, list) else [value]
        words = {one for one in given if isinstance(one, str)}
        if words.intersection(self._rules.admin):
            return Role.ADMIN
        if words.intersection(self._rules.sender):
            return Role.SENDER
        return Role.READER if words.intersection(self._rules.reader) else None


def _bad(words: str) -> ApiError:
    # Nothing of the token is repeated: it may be somebody's good one for elsewhere.
    return unauthenticated(f"The token is not good here: {words}.")


def _time(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            seconds = float(value)
        except OverflowError:
            seconds = math.inf
        if math.isfinite(seconds):
            return seconds
    raise _bad("exp or nbf is no time")


def _claim(claims: Mapping[str, Any], name: str) -> object:
    if name in claims:
        return claims[name]
    here: object = claims
    for part in name.split("."):
        here = here.get(part) if isinstance(here, dict) else None
    return here
