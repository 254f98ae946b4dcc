"""An authorizer with a few rules, and tokens for it."""

from __future__ import annotations

from collections.abc import Sequence

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.entities import (
    AuthorizationRule,
    Claim,
    HybridConnection,
    Namespace,
    Secret,
)
from hybridconn.core.refusals import (
    Refusal,
)
from hybridconn.core.sas import Grant, SasAuthorizer, sign

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
