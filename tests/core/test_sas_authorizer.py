"""Tests of L{hybridconn.core.sas.SasAuthorizer}: judging tokens."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from unittest import mock
from urllib.parse import quote

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.core import sas
from hybridconn.core.entities import (
    AuthorizationRule,
    Claim,
    HybridConnection,
    Namespace,
    Secret,
)
from hybridconn.core.refusals import (
    ClaimMissing,
    Refusal,
    TokenExpired,
    TokenInvalid,
    TokenMalformed,
    TokenMissing,
    Unauthorized,
    WrongAudience,
)
from hybridconn.core.sas import Grant, SasAuthorizer, sign
from hybridconn.interfaces import IAuthorizer

HOST = "relay.example.net"
NOW = 1_800_000_000.0
LATER = 1_800_003_600
ROOT_KEY = "c2FtcGxlLWtleS1mb3ItdGhlLXNwZWMtMDEyMzQ1Njc="


def rule(
    name: str, key: str, *rights: Claim, secondary: str | None = None
) -> AuthorizationRule:
    return AuthorizationRule(
        name,
        frozenset(rights),
        Secret(key),
        None if secondary is None else Secret(secondary),
    )


ROOT = rule("RootKey", ROOT_KEY, Claim.MANAGE)
APP = rule("app", "app-1", Claim.SEND, secondary="app-2")
AGENT = rule("agent", "agent-1", Claim.LISTEN)
HYCO = HybridConnection("hyco", rules=(APP, AGENT))
NAMESPACE = Namespace("contoso", (HOST,), (ROOT,), (HYCO,))


class AuthorizerTestCase(SynchronousTestCase):
    """Asks an authorizer with the usual arguments."""

    def authorize(
        self,
        token: str | None,
        claim: Claim = Claim.SEND,
        entity: HybridConnection | None = HYCO,
        segments: Sequence[str] = ("hyco",),
        namespace: Namespace = NAMESPACE,
        host: str = HOST,
        now: float = NOW,
        clock_skew: float = 0.0,
    ) -> Grant:
        return SasAuthorizer(clock_skew).authorize(
            token, claim, namespace, entity, host, segments, now
        )

    def token(
        self,
        path: str = "hyco",
        name: str = "app",
        key: str = "app-1",
        expires_at: int = LATER,
        host: str = HOST,
    ) -> str:
        return sign(f"http://{host}/{path}", name, key, expires_at)

    def refused(self, kind: type[Refusal], *args: object, **kwargs: object) -> Refusal:
        refusal: Refusal = self.assertRaises(kind, self.authorize, *args, **kwargs)
        return refusal


class GrantTests(AuthorizerTestCase):
    """Who gets in."""

    def test_provides(self) -> None:
        """It is an authorizer as the interface says."""
        verifyObject(IAuthorizer, SasAuthorizer())

    def test_grant(self) -> None:
        """The grant names rule, rights and expiry."""
        self.assertEqual(
            self.authorize(self.token()),
            Grant("app", frozenset({Claim.SEND}), float(LATER), False),
        )

    def test_rights(self) -> None:
        """Each right opens its own operation; Manage opens all (T6)."""
        for right, needed, on_entity in itertools.product(Claim, Claim, (True, False)):
            rules = (rule("r", "k", right),)
            entity = HybridConnection("hyco", rules=rules if on_entity else ())
            namespace = Namespace("n", (HOST,), () if on_entity else rules, (entity,))
            token = self.token(name="r", key="k")
            if right in (needed, Claim.MANAGE):
                self.authorize(token, needed, entity, namespace=namespace)
            else:
                refusal = self.refused(
                    ClaimMissing, token, needed, entity, namespace=namespace
                )
                self.assertEqual(refusal.status, 403)
                self.assertIn(needed.value, str(refusal))

    def test_secondary_key(self) -> None:
        """The secondary key opens as much as the primary one."""
        self.assertEqual(self.authorize(self.token(key="app-2")).rule_name, "app")

    def test_rule_name_in_any_case(self) -> None:
        """Rule names compare without case."""
        self.authorize(self.token(name="APP"))

    def test_entity_before_namespace(self) -> None:
        """A rule is looked for on the entity first, then on the namespace."""
        own, common = rule("r", "own", Claim.SEND), rule("r", "common", Claim.MANAGE)
        entity = HybridConnection("hyco", rules=(own,))
        namespace = Namespace("n", (HOST,), (common,), (entity,))
        for key, expected in (("own", own), ("common", common)):
            grant = self.authorize(
                self.token(name="r", key=key), entity=entity, namespace=namespace
            )
            self.assertEqual(grant.claims, expected.claims)

    def test_no_entity(self) -> None:
        """Where no entity is, only the namespace's rules open (T10)."""
        segments = ("nothing",)
        self.authorize(
            self.token("nothing", "RootKey", ROOT_KEY), entity=None, segments=segments
        )
        self.refused(
            TokenInvalid, self.token("nothing"), entity=None, segments=segments
        )

    def test_anonymous_sender(self) -> None:
        """An entity may ask its senders for no token; one that comes is not read."""
        entity = evolve(HYCO, requires_client_authorization=False)
        for token in (None, "", "garbage", self.token(key="wrong")):
            grant = self.authorize(token, entity=entity)
            self.assertTrue(grant.anonymous)
            self.assertEqual(grant.claims, {Claim.SEND})
            self.assertIsNone(grant.expires_at)
        self.refused(TokenMissing, None, Claim.LISTEN, entity)
        self.refused(TokenMissing, None, Claim.MANAGE, entity)

    def test_clients_tokens(self) -> None:
        """The resources that the published clients sign all open (3.2)."""
        path = f"{HOST}/hyco"
        for resource in (
            f"http%3A%2F%2F{HOST}%3A443%2Fhyco",  # Node
            f"http%3a%2f%2f{HOST}%2fhyco%2f",  # the documentation's own example
            f"http%3A%2F%2F{HOST}%2Fhyco%2F",  # .NET, Rust
            f"sb%3A%2F%2F{HOST}%3A8443%2Fhyco%2F%2F",  # Java
            f"https%3A%2F%2F{HOST}%2F",
            quote(f"wss://{path}?sb-hc-action=connect", safe="!'()*~"),
            quote(f"http://{path}", safe="/:"),
        ):
            for name, key in (("app", "app-1"), ("RootKey", ROOT_KEY)):
                mac = sas._mac(resource, str(LATER), key).decode()
                self.authorize(
                    f"SharedAccessSignature sr={resource}&sig={quote(mac, safe='')}"
                    f"&se={LATER}&skn={name}"
                )


class TenantTests(AuthorizerTestCase):
    """Namespaces are apart (T10)."""

    def test_equal_names(self) -> None:
        """A token opens its own namespace only, though all names are equal."""
        tenants = []
        for tenant in ("one", "two"):
            rules = (rule("app", f"app-{tenant}", Claim.SEND),)
            common = (rule("RootKey", f"root-{tenant}", Claim.MANAGE),)
            hyco = HybridConnection("hyco", rules=rules)
            tenants.append(Namespace(tenant, (f"{tenant}.example",), common, (hyco,)))
        for mine, asked in itertools.product(tenants, tenants):
            for name, key in (("app", "app"), ("RootKey", "root")):
                token = sign("http://one.example/", name, f"{key}-{mine.name}", LATER)
                if mine is not asked:
                    self.refused(
                        TokenInvalid,
                        token,
                        entity=asked.hybrid_connections[0],
                        namespace=asked,
                        host="one.example",
                    )
        # Even a key that both have opens one only: the other has another host.
        shared = evolve(tenants[1], rules=tenants[0].rules)
        token = sign("http://one.example/", "RootKey", "root-one", LATER)
        self.refused(WrongAudience, token, namespace=shared, host="two.example")


class AudienceTests(AuthorizerTestCase):
    """Tokens for something else."""

    def test_prefix(self) -> None:
        """A token opens its path and what is below, by whole segments (T4)."""
        segments = ("Hyco", "A b", "c")
        for path in ("", "hyco", "HYCO/", "hyco/a%20B", "hyco/a%20b/C", "$hc/hyco"):
            self.authorize(self.token(path), segments=segments)
        for path in (
            "hyc",
            "hyco2",
            "hyco/a",
            "hyco/a%20b/c/d",
            "a%20b",
            "hyco//a%20b",
        ):
            refusal = self.refused(WrongAudience, self.token(path), segments=segments)
            self.assertEqual(refusal.status, 403)

    def test_longer_than_the_entity(self) -> None:
        """A token for entity and suffix opens just what lies below it."""
        token = self.token("hyco/one")
        self.authorize(token, segments=("hyco", "one", "two"))
        self.refused(WrongAudience, token, segments=("hyco", "other"))
        self.refused(WrongAudience, token)

    def test_hosts(self) -> None:
        """Every configured name is good, and the one by which the relay was asked."""
        namespace = evolve(NAMESPACE, host_names=(HOST, "Second.example", "[::1]"))
        for host in (HOST, "second.EXAMPLE", "asked.example", "[::1]:443", HOST + ":1"):
            self.authorize(
                self.token(host=host), namespace=namespace, host="asked.example"
            )
        for host in ("evil", f"{HOST}.evil", f"{HOST}@evil", f"evil@{HOST}", "relay"):
            self.refused(
                WrongAudience,
                self.token(host=host),
                namespace=namespace,
                host="asked.example",
            )

    def test_no_host_asked(self) -> None:
        """A request without a host opens nothing for a token without one."""
        self.refused(WrongAudience, self.token(host=""), host="")


class BrokenTokenTests(AuthorizerTestCase):
    """Tokens that open nothing (T1)."""

    def test_broken(self) -> None:
        """Every broken token is refused by 401, whatever is wrong with it."""
        good = self.token()
        self.authorize(good)
        _, _, rest = good.partition(" ")
        sr, sig, se, skn = rest.split("&")
        mac = sig.removeprefix("sig=")
        resource = sr.removeprefix("sr=")
        scheme = "SharedAccessSignature "
        broken = [
            None,
            "",
            " ",
            "SharedAccessSignature",
            scheme,
            rest,
            "Bearer " + rest,
            "SharedAccessSignature" + rest,
            "SharedAccessSignature  " + rest,
            " " + good,
            good + " ",
            good + "\r\nX: y",
            good + "&",
            good + "&x=1",
            good + "&" + sr,
            good + "&skn=",
            good + ", " + good,
            scheme + "&".join((sr, sig, se)),
            scheme + "&".join((sr, sig, skn)),
            scheme + "&".join((sr, se, skn)),
            scheme + "&".join((sig, se, skn)),
            scheme + "&".join((sr, "sig=", se, skn)),
            scheme + "&".join((sr, sig, "se=", skn)),
            scheme + "&".join((sr, sig, se, "skn")),
            scheme + ";".join((sr, sig, se, skn)),
            # Not seconds as they should be written.
            *(
                scheme + "&".join((sr, sig, f"se={text}", skn))
                for text in (
                    f"{LATER}.0",
                    f"+{LATER}",
                    f"-{LATER}",
                    "1e12",
                    "0x7fffffff",
                    "NaN",
                    "9999999999999",
                    "%31",
                    "\u0661",
                )
            ),
            # Signed, but not this.
            scheme + "&".join((sr + "%2F", sig, se, skn)),
            scheme + "&".join((f"sr={resource.lower()}", sig, se, skn)),
            scheme + "&".join((sr, sig, f"se={LATER + 1}", skn)),
            scheme + "&".join((sr, sig, f"se=0{LATER}", skn)),
            scheme + "&".join((sr, sig, se, "skn=agent")),
            scheme + "&".join((sr, sig, se, "skn=RootKey")),
            scheme + "&".join((sr, sig, se, "skn=nobody")),
            scheme + "&".join((sr, f"sig={mac[:-6]}", se, skn)),
            scheme + "&".join((sr, f"sig={mac.swapcase()}", se, skn)),
            scheme + "&".join((sr, "sig=%00", se, skn)),
            scheme + "&".join((sr, "sig=%ff%fe", se, skn)),
            scheme + "&".join((sr, f"sig={mac}{mac}", se, skn)),
            # Signed with what is no key here.
            self.token(key="app-3"),
            self.token(key="app-1 "),
            self.token(key="agent-1"),
            self.token(key=sas._DUMMY_KEY.reveal()),
            self.token(name="nobody", key=sas._DUMMY_KEY.reveal()),
            self.token(name="agent", key=sas._DUMMY_KEY.reveal()),
            # Over.
            self.token(expires_at=int(NOW)),
            self.token(expires_at=int(NOW) - 7 * 86400),
            self.token(expires_at=0),
        ]
        self.assertGreater(len(broken), 30)
        for token in broken:
            refusal = self.refused(Unauthorized, token)
            self.assertEqual(refusal.status, 401)
            if token and len(token) > 30:
                self.assertNotIn(mac, str(refusal))

    def test_one_answer(self) -> None:
        """An unknown rule and a wrong key cannot be told apart."""
        answers = {
            str(self.refused(TokenInvalid, token))
            for token in (self.token(key="x"), self.token(name="nobody", key="x"))
        }
        self.assertEqual(answers, {"The token has an invalid signature"})

    def test_same_work(self) -> None:
        """A token that nobody signed costs the same, whatever rules there are."""
        work = []
        for name, entity in itertools.product(
            ("app", "agent", "RootKey", "nobody"), (HYCO, None)
        ):
            with mock.patch.object(sas, "_mac", wraps=sas._mac) as mac:
                self.refused(
                    TokenInvalid, self.token(name=name, key="x"), entity=entity
                )
            work.append(mac.call_count)
        # sign() takes one of them.
        self.assertEqual(set(work), {4 + 1})

    def test_key_is_not_decoded(self) -> None:
        """A key signs as it is printed, not as the octets that it looks like."""
        self.authorize(self.token(name="RootKey", key=ROOT_KEY))
        self.refused(TokenInvalid, self.token(name="RootKey", key=ROOT_KEY[:-1]))


class ExpiryTests(AuthorizerTestCase):
    """Tokens end (T3)."""

    def test_edge(self) -> None:
        """A token is good until the second at which it expires, not in it."""
        token = self.token(expires_at=int(NOW) + 1)
        self.authorize(token, now=NOW + 0.999)
        self.refused(TokenExpired, token, now=NOW + 1)

    def test_skew(self) -> None:
        """The clock skew makes tokens last longer."""
        token = self.token(expires_at=int(NOW))
        self.authorize(token, now=NOW + 59, clock_skew=60.0)
        self.refused(TokenExpired, token, now=NOW + 60, clock_skew=60.0)

    def test_sentence(self) -> None:
        """The answer says when the token ended."""
        refusal = self.refused(TokenExpired, self.token(expires_at=0))
        self.assertIn("'1970-01-01T00:00:00Z'", str(refusal))


class OrderTests(AuthorizerTestCase):
    """The first failure is the answer (relay-protocol section 3.3)."""

    def test_order(self) -> None:
        """Missing, malformed, signature, expired, audience, right."""
        past = int(NOW) - 1
        for kind, token in (
            (TokenMissing, None),
            (TokenMalformed, "garbage"),
            (TokenInvalid, self.token("other", "agent", "x", past)),
            (TokenExpired, self.token("other", "agent", "agent-1", past)),
            (WrongAudience, self.token("other", "agent", "agent-1")),
            (ClaimMissing, self.token("hyco", "agent", "agent-1")),
        ):
            self.refused(kind, token)
