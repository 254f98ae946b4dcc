"""The management API as a Twisted service."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from twisted.application.service import MultiService
from twisted.internet.interfaces import IStreamServerEndpoint

from hybridconn.core.limits import Limits
from hybridconn.interfaces import IAudit, ICallers
from hybridconn.management.account_routes import AccountRoutes
from hybridconn.management.api import ManagementApi
from hybridconn.management.book import ResourceBook
from hybridconn.management.live_routes import LiveRoutes
from hybridconn.management.openapi import OpenApiRoute
from hybridconn.management.relay_routes import RelayRoutes
from hybridconn.management.routing import Route
from hybridconn.management.server import Server
from hybridconn.management.web_routes import WebRoutes
from hybridconn.startup import PortService
from hybridconn.tls import CertificateStore, tls_factory
from hybridconn.web.admission import Admission
from hybridconn.web.frontdoor import FrontDoor

#: A token is hard to guess, and who has none is slowed down like anybody else.
_LIMITS = Limits()


def all_routes(server: Server) -> Iterator[Route]:
    """Everything that the API answers, with what describes it."""
    yield from OpenApiRoute(_routes(server)).routes


def _routes(server: Server) -> Iterator[Route]:
    yield from RelayRoutes(server).routes()
    yield from LiveRoutes(server).routes()
    yield from WebRoutes(server).routes()
    yield from AccountRoutes(server).routes()


class ManagementService(MultiService):
    """
    @param book: what is managed.
    @param callers: who may.
    @param audit: is told of every call.
    @ivar front_door: the protocol factory of its port.
    """

    def __init__(
        self,
        book: ResourceBook,
        server: Server,
        callers: ICallers,
        audit: IAudit,
        reactor: Any,
    ) -> None:
        super().__init__()
        self._reactor = reactor
        self.api = ManagementApi(
            book, server, callers, all_routes(server), uuid4, audit
        )
        self.front_door = FrontDoor(
            self.api,
            _LIMITS,
            reactor,
            Admission(_LIMITS, reactor, random.random),
            server.now,
            uuid4,
            self.api.refusal_answer,
        )

    def listen_on(
        self,
        endpoint: IStreamServerEndpoint,
        certificates: CertificateStore,
        **more: Any,
    ) -> PortService:
        """
        Serve there while it runs; over TLS, as clients send no token otherwise.

        @param more: as for L{PortService}.
        """
        factory = tls_factory(certificates, self.front_door, self._reactor, "lean")
        port = PortService(endpoint, factory, **more)
        port.setServiceParent(self)
        return port
