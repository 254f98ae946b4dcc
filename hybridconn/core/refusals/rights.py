"""Who asks may not."""

from __future__ import annotations

from attrs import frozen

from hybridconn.core.entities import Claim
from hybridconn.core.refusals.base import Refusal
from hybridconn.core.text import utc_text


class Unauthorized(Refusal):
    """No token that would open anything."""

    _status = 401


@frozen
class TokenMissing(Unauthorized):
    """The request carries no token but needs one."""

    _sentence = "The token is missing"


@frozen
class TokenMalformed(Unauthorized):
    """
    The token cannot be read.

    @ivar detail: what is wrong with it; never a part of it.
    """

    _sentence = "The token is malformed: {0.detail}"
    detail: str = "it cannot be read"


@frozen
class TokenInvalid(Unauthorized):
    """
    The signature is wrong or there is no such rule: one answer for both, so
    that names of rules cannot be found out.
    """

    _sentence = "The token has an invalid signature"


@frozen
class TokenExpired(Unauthorized):
    """
    The token was good once.

    @ivar expires_at: seconds since 1970-01-01 UTC.
    """

    _sentence = "The token is expired. Expiration time: '{0.expiry}'"
    expires_at: float

    @property
    def expiry(self) -> str:
        """When it ended, for people."""
        return utc_text(self.expires_at)


@frozen
class AddressRefused(Unauthorized):
    """
    The namespace may not be reached from this address; the answer does not say so
    (product-behaviour section 6).

    @ivar namespace: its name.
    """

    _sentence = "The request is not authorized"
    namespace: str

    @property
    def logged(self) -> str:
        """Which rules say so."""
        return f"the network rules of {self.namespace} do not have this address"


class Forbidden(Refusal):
    """Known, but not for this."""

    _status = 403


@frozen
class WrongAudience(Forbidden):
    """The token is good, but for another resource."""

    _sentence = "The token is not valid for this endpoint"


@frozen
class ClaimMissing(Forbidden):
    """The token's rule does not give the right that is needed."""

    _sentence = "Authorization failed for specified action: {0.claim.value}"
    claim: Claim


@frozen
class ListenerQuota(Forbidden):
    """The hybrid connection has all the listeners that it may have."""

    _sentence = "Listener quota exceeded: an endpoint may have {0.limit} listeners"
    limit: int


@frozen
class RendezvousUnknown(Forbidden):
    """No sender waits behind this address: it was used, is too late or made up."""

    _sentence = "The rendezvous address is unknown, expired or already used"


@frozen
class TLSTooOld(Forbidden):
    """
    The namespace asks for a newer TLS.

    @ivar minimum: such as C{1.3}.
    """

    _sentence = "This namespace asks for TLS {0.minimum} or newer"
    minimum: str
