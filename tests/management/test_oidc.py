"""Tokens that an identity provider signed (management-api section 2)."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from jwt.utils import base64url_encode
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.http import RequestHead
from hybridconn.jwks import read_keys
from hybridconn.management.errors import ApiError
from hybridconn.management.oidc import LEEWAY, OidcRules, OidcTokens
from hybridconn.management.signing_keys import FixedKeys
from hybridconn.management.tokens import (
    Caller,
    Callers,
    Role,
    StaticToken,
    StaticTokens,
    digest,
)
from hybridconn.testing.fakes import Answer, FakeHeldRequest
from tests.management.case import NS, ApiCase
from tests.management.signers import (
    AUDIENCE,
    EC_KEY,
    ISSUER,
    OTHER_RSA_KEY,
    RSA_KEY,
    forged,
    jwk_of,
    jwks,
    pem_of,
    token,
)

NOW = 1_900_000_000
RULES = OidcRules(
    issuer=ISSUER,
    audiences=(AUDIENCE, AUDIENCE + "/"),
    name_claim="sub",
    role_claim="roles",
    admin=("admin", "Relay.Admin"),
    reader=("reader",),
    sender=("sender",),
)
KEYS = read_keys(jwks(jwk_of(RSA_KEY, "one"), jwk_of(EC_KEY, "two")))


def claims(**more: Any) -> dict[str, Any]:
    """Those of a good token."""
    return {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "alice",
        "exp": NOW + 600,
        "nbf": NOW - 5,
        "roles": ["admin"],
    } | more


class OidcCase(SynchronousTestCase):
    """Somebody who judges tokens."""

    def judge(self, text: str, rules: OidcRules = RULES, keys: Any = KEYS) -> Caller:
        tokens = OidcTokens(rules, FixedKeys(keys), lambda: float(NOW))
        found: Deferred[Caller] = Deferred.fromCoroutine(tokens.authenticate(text))
        return self.successResultOf(found)

    def refused(self, status: int, text: str, word: str = "", **more: Any) -> None:
        """It is refused, and its text is not repeated."""
        tokens = OidcTokens(
            more.get("rules", RULES),
            FixedKeys(more.get("keys", KEYS)),
            lambda: float(NOW),
        )
        failed = Deferred.fromCoroutine(tokens.authenticate(text))
        error = self.failureResultOf(failed, ApiError).value
        self.assertEqual(error.status, status, error)
        if status == 401:
            self.assertEqual(error.code, "AuthenticationFailed")
            self.assertEqual(error.headers, (("WWW-Authenticate", "Bearer"),))
        self.assertIn(word, error.message)
        for part in filter(None, text.split(".")):
            if len(part) > 8:
                self.assertNotIn(part, error.message)


class GoodTests(OidcCase):
    """Who may."""

    def test_roles(self) -> None:
        """The claim may be a text or a list, and the higher role counts."""
        for roles, role in (
            (["admin"], Role.ADMIN),
            ("admin", Role.ADMIN),
            (["x", "reader", "Relay.Admin"], Role.ADMIN),
            ("reader", Role.READER),
            (["reader", "sender"], Role.SENDER),
            ([7, None, "reader"], Role.READER),
        ):
            found = self.judge(token(**claims(roles=roles)))
            self.assertEqual(found, Caller("alice", role, "jwt"))

    def test_algorithms(self) -> None:
        """RSA and elliptic curves; a key's name may be absent if one fits."""
        self.judge(token(EC_KEY, "ES256", "two", **claims()))
        self.judge(token(EC_KEY, "ES256", None, **claims()))
        self.judge(token(kid=None, **claims()))
        pem = read_keys(pem_of(EC_KEY))
        self.judge(token(EC_KEY, "ES256", "whatever", **claims()), keys=pem)

    def test_claims(self) -> None:
        """Names of claims are settings; one may lie within another."""
        rules = evolve(RULES, role_claim="realm_access.roles", name_claim="upn")
        inner = {"realm_access": {"roles": ["reader"]}, "upn": "bob", "roles": None}
        found = self.judge(token(**claims(**inner)), rules)
        self.assertEqual((found.name, found.role), ("bob", Role.READER))
        rules = evolve(RULES, role_claim="https://x.test/roles")
        found = self.judge(token(**claims(**{"https://x.test/roles": "admin"})), rules)
        self.assertIs(found.role, Role.ADMIN)

    def test_times(self) -> None:
        """A minute's difference of clocks is forgiven; C{nbf} may be absent."""
        self.judge(token(**claims(exp=NOW - LEEWAY + 1)))
        self.judge(token(**claims(nbf=NOW + LEEWAY)))
        self.judge(token(**claims(nbf=None)))
        self.judge(token(**claims(exp=NOW + 0.5)))

    def test_audiences(self) -> None:
        """One of several will do."""
        self.judge(token(**claims(aud=AUDIENCE + "/")))
        self.judge(token(**claims(aud=["x", AUDIENCE])))

    def test_name_is_one_line(self) -> None:
        """A subject that would forge a line of the log is cleaned."""
        found = self.judge(token(**claims(sub="a\nb\x00" + "c" * 500)))
        self.assertEqual(found.name, "a b " + "c" * 124)


class AttackTests(OidcCase):
    """Who may not."""

    def test_unsigned(self) -> None:
        """C{none} in any spelling, and no signature."""
        odd: tuple[Any, ...] = ("none", "None", "nOnE", "", None, 5, ["RS256"], {})
        for algorithm in odd:
            header = {"alg": algorithm, "kid": "one"}
            self.refused(401, forged(header, claims()), "RS256 or ES256")
            self.refused(401, forged(header, claims(), b"x"), "RS256 or ES256")
        header = {"alg": "RS256", "kid": "one"}
        self.refused(401, forged(header, claims()), "signature")
        good = token(**claims())
        self.refused(401, good.rpartition(".")[0] + ".", "signature")

    def test_public_key_as_secret(self) -> None:
        """HS256 with the public key, which everybody has, as the shared secret."""
        for secret in (pem_of(RSA_KEY), pem_of(EC_KEY), jwks(jwk_of(RSA_KEY, "one"))):
            for kid in ("one", "two", None):
                header = {"alg": "HS256", "kid": kid} if kid else {"alg": "HS256"}
                text = forged(header, claims()).rstrip(".")
                made = hmac.new(secret, text.encode(), hashlib.sha256).digest()
                whole = forged(header, claims(), made)
                self.refused(401, whole, "RS256 or ES256")
                pem = read_keys(pem_of(RSA_KEY))
                self.refused(401, whole, "RS256 or ES256", keys=pem)

    def test_other_algorithms(self) -> None:
        """A good key with an algorithm that is not agreed on."""
        for algorithm in ("RS384", "RS512", "PS256"):
            self.refused(401, token(RSA_KEY, algorithm, **claims()), "RS256 or ES256")

    def test_mixed_up(self) -> None:
        """A key of one kind for the algorithm of another; another one's key."""
        self.refused(401, token(kid="two", **claims()), "key")
        self.refused(401, token(EC_KEY, "ES256", "one", **claims()), "key")
        self.refused(401, token(OTHER_RSA_KEY, **claims()), "signature")
        self.refused(401, token(kid="three", **claims()), "key")
        self.refused(401, token(kid="", **claims()), "key")

    def test_own_key(self) -> None:
        """A key that the token brings along, or a place where to get one."""
        own = jwk_of(OTHER_RSA_KEY, "one")
        for more in (
            {"jwk": own},
            {"jku": "https://evil.test/keys"},
            {"x5u": "https://evil.test/key"},
        ):
            self.refused(
                401, token(OTHER_RSA_KEY, header=more, **claims()), "signature"
            )

    def test_critical_header(self) -> None:
        """What the token says must be understood is not, so it is not good."""
        for more in ({"crit": ["b64"], "b64": False}, {"crit": ["x"], "x": 1}):
            made = forged({"alg": "RS256", "kid": "one", **more}, claims(), b"x")
            self.refused(401, made)

    def test_claims(self) -> None:
        """Wrong or missing ones."""
        for more, word in (
            ({"iss": "https://login.test/other"}, "issuer"),
            ({"iss": ISSUER + "/"}, "issuer"),
            ({"iss": None}, ""),
            ({"iss": [ISSUER]}, ""),
            ({"aud": "https://other.test"}, "audience"),
            ({"aud": AUDIENCE.upper()}, "audience"),
            ({"aud": []}, ""),
            ({"aud": None}, ""),
            ({"aud": [AUDIENCE, 5]}, ""),
            ({"exp": NOW - LEEWAY}, "expired"),
            ({"exp": None}, ""),
            ({"exp": "never"}, ""),
            ({"exp": True}, "time"),
            ({"exp": 10**400}, "time"),
            ({"exp": float("inf")}, "time"),
            ({"exp": float("nan")}, "time"),
            ({"nbf": NOW + LEEWAY + 1}, "not valid yet"),
            ({"nbf": "now"}, ""),
            ({"nbf": [1]}, ""),
            ({"sub": None}, "sub"),
            ({"sub": 5}, ""),
            ({"sub": " "}, "sub"),
        ):
            self.refused(401, token(**claims(**more)), word)

    def test_no_role(self) -> None:
        """It is known who it is, and that he may not: 403."""
        for roles in (None, [], "", "Admin", ["user"], {"admin": True}, 5, [["admin"]]):
            self.refused(403, token(**claims(roles=roles)), "roles")
        rules = evolve(RULES, role_claim="a.b.c")
        for odd in ({"a": "admin"}, {"a": {"b": "admin"}}, {"a": ["admin"]}):
            self.refused(403, token(**claims(**odd)), "a.b.c", rules=rules)

    def test_garbage(self) -> None:
        """What is no token."""
        good = token(**claims())
        head, body, signature = good.split(".")
        for text in (
            "..",
            "a.b.c",
            f"{head}.{body}",
            f".{body}.{signature}",
            f"{head}..{signature}",
            f"{body}.{body}.{signature}",
            f"{head}.{body}.{signature}.x",
            f"{head}.{body}.{signature}!",
            f"{head}.{body}.é",
            good[:-10],
            good + "A" * 20_000,
            forged({}, {}),
            forged({"alg": "RS256", "kid": {"a": 1}}, claims(), b"x"),
        ):
            self.refused(401, text)

    @given(st.lists(st.text(max_size=40), min_size=3, max_size=3))
    def test_anything(self, parts: list[str]) -> None:
        """Whatever it is, it is refused and nothing breaks."""
        self.refused(401, ".".join(parts))

    @given(st.lists(st.binary(max_size=60), min_size=3, max_size=3))
    def test_any_bytes(self, parts: list[bytes]) -> None:
        """The same, with parts that can be decoded."""
        self.refused(401, ".".join(base64url_encode(part).decode() for part in parts))


class CallerTests(ApiCase):
    """Both kinds of tokens at the API."""

    def setUp(self) -> None:
        super().setUp()
        static = StaticToken("ops", Role.ADMIN, digest("a.b.c"))
        self.now = float(NOW)
        jwt = OidcTokens(RULES, FixedKeys(KEYS), lambda: self.now)
        self.api._callers = Callers(StaticTokens([static]), jwt)

    def ask(self, method: str, text: str) -> Answer:
        headers = (("Host", "a"), ("Authorization", f"bearer {text}"))
        head = RequestHead(method, f"{NS}?api-version=2021-11-01", headers=headers)
        request = FakeHeldRequest(head)
        self.api.handle(request)
        assert isinstance(request.outcome, Answer)
        return request.outcome

    def test_both(self) -> None:
        """A token of its own, even one with the form of a JWT, or a signed one."""
        for text, status in (
            ("a.b.c", 404),
            (token(**claims()), 404),
            (token(**claims(exp=1)), 401),
            ("a.b.d", 401),
            ("", 401),
        ):
            self.assertEqual(self.ask("GET", text).status, status, text)
        reader = token(**claims(roles="reader"))
        self.assertEqual(self.ask("GET", reader).status, 404)
        self.assertEqual(self.ask("DELETE", reader).status, 403)
        self.assertEqual(self.ask("GET", token(**claims(roles=[]))).status, 403)
        events = [(e.who, e.by, e.outcome) for e in self.audit.events]
        self.assertEqual(events[0], ("ops", "token", "failed"))
        self.assertEqual(events[1], ("alice", "jwt", "failed"))
        self.assertEqual(events[2], ("", "", "refused"))
        self.assertEqual(events[-2:], [("alice", "jwt", "refused")] * 2)
