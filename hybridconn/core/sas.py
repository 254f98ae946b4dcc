"""
Shared Access Signature tokens: making, reading and judging them (relay-protocol
section 3, reliability-security T1 to T4 and T6).
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Sequence
from urllib.parse import quote, unquote, unquote_plus

from attrs import field, frozen
from zope.interface import implementer

from hybridconn.core.entities import (
    AuthorizationRule,
    Claim,
    HybridConnection,
    Namespace,
    Secret,
    find_rule,
)
from hybridconn.core.http import join_authority, split_authority
from hybridconn.core.names import fold, fold_segments
from hybridconn.core.refusals import (
    ClaimMissing,
    TokenExpired,
    TokenInvalid,
    TokenMalformed,
    TokenMissing,
    WrongAudience,
)
from hybridconn.interfaces import IAuthorizer

__all__ = ["Claim", "Grant", "SasAuthorizer", "SasToken", "audience_of", "sign"]

MAX_TOKEN = 8192
"""Most characters of a token; a header field can have no more anyway."""

MAX_KEY = 256
"""Most characters of a rule's name and of a key."""

_FIELDS = frozenset({"sr", "sig", "se", "skn"})
_EXPIRY = re.compile(r"[0-9]{1,12}")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
_RESOURCE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?#]*)([^?#]*)")

# Signatures are compared with this key where a rule or its second key does not
# exist, so that it cannot be told from the time taken.  It opens nothing.
_DUMMY_KEY = Secret("-" * 44)


def _mac(resource: str, expiry: str, key: str) -> bytes:
    # The key signs as it is printed; it is not base64-decoded first.
    message = f"{resource}\n{expiry}".encode()
    return base64.b64encode(hmac.digest(key.encode(), message, "sha256"))


def sign(resource: str, key_name: str, key: str, expires_at: int) -> str:
    """
    Make a Shared Access Signature token.

    >>> sign("http://contoso.example/echo", "send", "a2V5", 1_800_000_000)[:52]
    'SharedAccessSignature sr=http%3A%2F%2Fcontoso.exampl'

    @param resource: the URI that the token opens; it covers every path below.
    @param key: the rule's key as it is shown to people.
    @param expires_at: seconds since 1970-01-01 UTC, not a duration.
    @return: the whole token, ready for C{ServiceBusAuthorization}.
    @raise ValueError: if C{key_name} or C{key} is empty or too long.
    """
    for what, text in (("name", key_name), ("key", key)):
        if not 0 < len(text) <= MAX_KEY:
            raise ValueError(f"the rule's {what} has not 1 to {MAX_KEY} characters")
    encoded = quote(resource, safe="")
    signature = quote(_mac(encoded, str(int(expires_at)), key), safe="")
    return (
        f"SharedAccessSignature sr={encoded}&sig={signature}"
        f"&se={int(expires_at)}&skn={quote(key_name, safe='')}"
    )


def audience_of(host: str, path: str = "") -> str:
    """
    The resource for which our own tokens are made; every relay takes this form.

    >>> audience_of("Relay.example.net", "hyco")
    'http://relay.example.net/hyco'
    """
    segments = "/".join(quote(part, safe="") for part in path.strip("/").split("/"))
    return f"http://{join_authority(host.lower(), None)}/{segments}"


@frozen
class SasToken:
    """
    A token that was read, but not judged.

    @ivar resource: C{sr}, still encoded as it was received, since that is what
        was signed.
    @ivar signature: C{sig}, decoded to base64.
    @ivar expiry: C{se} as received.
    @ivar key_name: C{skn}, decoded.
    """

    resource: str
    signature: str = field(repr=False)
    expiry: str
    key_name: str

    @classmethod
    def parse(cls, text: str) -> SasToken:
        """
        Read a token.

        @raise TokenMalformed: unless there is exactly one each of C{sr},
            C{sig}, C{se} and C{skn}, none empty and nothing else.
        """
        scheme, _, rest = text.partition(" ")
        if scheme.lower() != "sharedaccesssignature":
            raise TokenMalformed("it does not begin with SharedAccessSignature")
        if len(text) > MAX_TOKEN or not _PRINTABLE.fullmatch(rest):
            raise TokenMalformed("it is too long or has characters it cannot have")
        values: dict[str, str] = {}
        for part in rest.split("&"):
            name, _, value = part.partition("=")
            name = name.lower()
            if name not in _FIELDS or name in values or not value:
                raise TokenMalformed("it needs sr, sig, se and skn, each once")
            values[name] = value
        if len(values) != len(_FIELDS):
            raise TokenMalformed("it needs sr, sig, se and skn, each once")
        if not _EXPIRY.fullmatch(values["se"]):
            raise TokenMalformed("se is not a whole number of seconds")
        key_name = unquote_plus(values["skn"])
        if len(key_name) > MAX_KEY:
            raise TokenMalformed("skn is too long")
        # A bare + in a signature stands for itself: base64 has it, and no space.
        return cls(values["sr"], unquote(values["sig"]), values["se"], key_name)

    @property
    def expires_at(self) -> int:
        """Seconds since 1970-01-01 UTC."""
        return int(self.expiry)

    def signed_with(self, key: Secret) -> bool:
        """Whether C{key} made the signature; takes the same time either way."""
        expected = _mac(self.resource, self.expiry, key.reveal())
        return hmac.compare_digest(expected, self.signature.encode())

    def audience(self) -> tuple[str, tuple[str, ...]] | None:
        """
        What the token is for: host and path segments, in the form in which they
        are compared; L{None} if the resource is no URI.  Scheme, port, query,
        fragment, slashes at the end and a first segment C{$hc} do not count.
        """
        match = _RESOURCE.match(unquote_plus(self.resource))
        if match is None:
            return None
        try:
            host, _ = split_authority(match[1])
        except ValueError:
            return None
        path = match[2].rstrip("/")[1:]
        segments = tuple(unquote(part) for part in path.split("/")) if path else ()
        folded = fold_segments(segments)
        return host, folded[1:] if folded[:1] == ("$hc",) else folded


def covers(audience: Sequence[str], segments: Sequence[str]) -> bool:
    """
    Whether a token for the path C{audience} opens C{segments}: if it is equal
    or a parent, by whole segments.  Both in the form of
    L{hybridconn.core.names.fold_segments}.
    """
    return tuple(audience) == tuple(segments[: len(audience)])


@frozen
class Grant:
    """
    What a token opens.

    @ivar rule_name: the rule whose key signed; empty if nobody had to.
    @ivar claims: the rights, those included that others imply.
    @ivar expires_at: seconds since 1970-01-01 UTC; L{None}: never.
    @ivar anonymous: whether the entity asks its senders for no token.
    """

    rule_name: str
    claims: frozenset[Claim]
    expires_at: float | None = None
    anonymous: bool = False


_ANONYMOUS = Grant("", frozenset({Claim.SEND}), None, anonymous=True)


@implementer(IAuthorizer)
class SasAuthorizer:
    """
    Judges tokens by the rules of the entity and of its namespace.

    @param clock_skew: seconds for which a token is good after its expiry.
    """

    def __init__(self, clock_skew: float = 0.0) -> None:
        self._clock_skew = clock_skew

    def authorize(
        self,
        token: str | None,
        claim: Claim,
        namespace: Namespace,
        entity: HybridConnection | None,
        host: str,
        segments: Sequence[str],
        now: float,
    ) -> Grant:
        """
        See L{IAuthorizer.authorize}.  The first that fails of these is the
        answer: token there, readable, signature, expiry, audience, right.
        """
        if (
            claim is Claim.SEND
            and entity is not None
            and not entity.requires_client_authorization
        ):
            return _ANONYMOUS
        if not token:
            raise TokenMissing()
        parsed = SasToken.parse(token)
        rule = _signing_rule(parsed, entity, namespace)
        if rule is None:
            raise TokenInvalid()
        if parsed.expires_at + self._clock_skew <= now:
            raise TokenExpired(parsed.expires_at)
        audience = parsed.audience()
        if audience is None or not _is_for(audience, namespace, host, segments):
            raise WrongAudience()
        if claim not in rule.claims:
            raise ClaimMissing(claim)
        return Grant(rule.name, rule.claims, float(parsed.expires_at))


def _signing_rule(
    token: SasToken, entity: HybridConnection | None, namespace: Namespace
) -> AuthorizationRule | None:
    """
    Find the rule that signed: the entity's, then the namespace's.  Every token
    costs four comparisons, whatever rules and keys there are and whichever of
    them signed.
    """
    found = None
    for rules in (entity.rules if entity is not None else (), namespace.rules):
        rule = find_rule(rules, token.key_name)
        keys = (rule.primary_key, rule.secondary_key) if rule else (None, None)
        for key in keys:
            signed = token.signed_with(key or _DUMMY_KEY)
            if signed and key and found is None:
                found = rule
    return found


def _is_for(
    audience: tuple[str, tuple[str, ...]],
    namespace: Namespace,
    host: str,
    segments: Sequence[str],
) -> bool:
    audience_host, path = audience
    known = audience_host in namespace.folded_host_names
    if not known and audience_host != fold(host).rstrip("."):
        return False
    return covers(path, fold_segments(segments))
