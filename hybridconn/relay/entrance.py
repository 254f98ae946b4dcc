"""
Where a request points to, and whether it may: network rules, then its token
(relay-protocol sections 2 and 3).
"""

from __future__ import annotations

from collections.abc import Callable

from attrs import evolve, frozen

from hybridconn.core.entities import (
    Claim,
    HybridConnection,
    Match,
    Namespace,
    select_namespace,
)
from hybridconn.core.refusals import AddressRefused, EndpointNotFound, TLSTooOld
from hybridconn.core.route import Listen, Route, find_token
from hybridconn.core.sas import Grant
from hybridconn.interfaces import IAudit, IAuthorizer, IEntityStore, IHeldRequest
from hybridconn.relay.key_uses import noted


@frozen
class Place:
    """Where a request points to."""

    namespace: Namespace
    match: Match | None

    @property
    def entity(self) -> HybridConnection | None:
        return self.match.entity if self.match else None

    @property
    def guarded(self) -> Place:
        """The same, as if it asked every sender for a token."""
        if self.match is None:
            return self
        entity = evolve(self.match.entity, requires_client_authorization=True)
        return evolve(self, match=evolve(self.match, entity=entity))

    @property
    def whole_entity(self) -> HybridConnection:
        """
        The entity that has just this path.

        @raise EndpointNotFound: there is none, or a suffix stands behind it.
        """
        if self.match is not None and self.match.suffix_segments:
            raise EndpointNotFound()
        return self.open_entity

    @property
    def open_entity(self) -> HybridConnection:
        """
        The entity.

        @raise EndpointNotFound: there is none, or it is disabled.
        """
        if self.entity is None or not self.entity.enabled:
            raise EndpointNotFound()
        return self.entity


@frozen
class Entrance:
    """
    @param audit: is told of each use of a key.
    @param wall: seconds since 1970-01-01 UTC.
    """

    _store: IEntityStore
    _authorizer: IAuthorizer
    _audit: IAudit | None
    _wall: Callable[[], float]

    def enter(self, route: Route, request: IHeldRequest) -> Place:
        """
        Where a request points to, if it may at all.

        @raise Refusal: it may not, whatever its token.
        """
        place = self._place(route, request)
        check_access(place.namespace, request)
        return place

    def authorize(
        self,
        place: Place,
        claim: Claim,
        route: Route,
        request: IHeldRequest,
        websocket: bool = True,
    ) -> Grant:
        """
        What the request's token allows.

        @raise Refusal: too little.
        """
        if claim is Claim.SEND:
            action = "connect" if websocket else "http"
        else:
            action = "listen" if websocket else "describe"
        token = find_token(request.head, route.address, websocket)
        return self._noted(action, token, claim, place, place.entity, route, request)

    def renew(self, token: str, route: Listen, request: IHeldRequest) -> Grant:
        """
        What a listener's new token allows; C{request} is the one it came by.

        @raise Refusal: not to listen, or what it listens on is gone.
        """
        place = self._place(route, request)
        entity = place.whole_entity
        return self._noted("renew", token, Claim.LISTEN, place, entity, route, request)

    def _place(self, route: Route, request: IHeldRequest) -> Place:
        namespace = select_namespace(self._store.namespaces(), request.head.host)
        if namespace is None:
            raise EndpointNotFound()
        return Place(namespace, namespace.find(route.address.segments))

    def _noted(
        self,
        action: str,
        token: str | None,
        claim: Claim,
        place: Place,
        entity: HybridConnection | None,
        route: Route,
        request: IHeldRequest,
    ) -> Grant:
        return noted(
            self._audit,
            action,
            place.namespace,
            entity,
            request,
            token,
            lambda: self._authorizer.authorize(
                token,
                claim,
                place.namespace,
                entity,
                request.head.host,
                route.address.segments,
                self._wall(),
            ),
        )


def check_access(namespace: Namespace, request: IHeldRequest) -> None:
    """
    Hold network rules against where a request comes from, and how.

    @raise Refusal: it may not, whatever its token.
    """
    access = namespace.access
    if not access.admits(request.peer.host):
        raise AddressRefused(namespace.name)
    if not access.accepts_tls(request.tls_version):
        raise TLSTooOld(access.minimum_tls)
