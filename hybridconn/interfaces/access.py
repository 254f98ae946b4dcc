"""Who calls, who may, and who is told of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from hybridconn.audit import AuditEvent
    from hybridconn.core.entities import Claim, HybridConnection, Namespace
    from hybridconn.core.sas import Grant
    from hybridconn.management.tokens import Caller


class IAuthorizer(Interface):
    """Says whether a token opens an entity (relay-protocol section 3)."""

    def authorize(
        token: str | None,
        claim: Claim,
        namespace: Namespace,
        entity: HybridConnection | None,
        host: str,
        segments: Sequence[str],
        now: float,
    ) -> Grant:
        """
        @param token: the SAS token as received, or L{None}.
        @param claim: the right that is needed.
        @param entity: the entity found for the path, L{None} if there is none;
            then only the namespace's rules apply.
        @param host: the host by which the relay was reached, without port.
        @param segments: the decoded path segments of the request: entity and
            suffix.
        @param now: seconds since 1970-01-01 UTC.
        @raise Refusal: C{401} or C{403}, with the reason.
        """


class ICallers(Interface):
    """Says who calls the management API (management-api section 2)."""

    def authenticate(authorization: str | None) -> Caller | Deferred[Caller]:
        """
        @param authorization: the header field.
        @raise ApiError: C{401}, or C{403} for somebody without a role; the
            Deferred may fail with it, too.
        """


class ISigningKeys(Interface):
    """Knows the keys with which an identity provider signs."""

    async def find(name: str | None, algorithm: str) -> Any:
        """
        @param name: C{kid} of the token's header.
        @return: the public key; L{None} if there is none.
        """


class IAudit(Interface):
    """Is told who did what."""

    def note(event: AuditEvent) -> None:
        """
        Write it down.  Called on the reactor thread, for each call and each use of a
        key; raises nothing.
        """
