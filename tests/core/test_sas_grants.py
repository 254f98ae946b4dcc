"""Tests of L{hybridconn.core.sas.SasAuthorizer}: what tokens open."""

from __future__ import annotations

import itertools
from urllib.parse import quote

from attrs import evolve
from zope.interface.verify import verifyObject

from hybridconn.core import sas
from hybridconn.core.entities import (
    Claim,
    HybridConnection,
    Namespace,
)
from hybridconn.core.refusals import (
    ClaimMissing,
    TokenInvalid,
    TokenMissing,
    WrongAudience,
)
from hybridconn.core.sas import Grant, SasAuthorizer, sign
from hybridconn.interfaces import IAuthorizer
from tests.core.sas_case import (
    HOST,
    HYCO,
    LATER,
    NAMESPACE,
    ROOT_KEY,
    AuthorizerTestCase,
    rule,
)


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
