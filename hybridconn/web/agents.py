"""Twisted's HTTP client, dialling as we do."""

from __future__ import annotations

import re
from typing import Any, Final

from attrs import field, frozen
from twisted.internet.defer import Deferred, fail
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IAgentEndpointFactory, IBodyProducer
from zope.interface import implementer

from hybridconn.core.http import origin_form
from hybridconn.interfaces import IDialer

#: Connections that may wait for another request, and seconds for how long.
MOST_IDLE: Final = 64
IDLE_SECONDS: Final = 30
_MOST_KNOWN: Final = 16
_PRINTABLE: Final = re.compile(rb"[\x21-\x7e]+")


def pooled_agent(reactor: Any, dialer: IDialer, persistent: bool = True) -> IAgent:
    """
    An agent that goes wherever a URL leads.

    @param dialer: the way there; it is who verifies certificates.
    @param persistent: use connections again.
    """
    pool = HTTPConnectionPool(reactor, persistent)
    pool.maxPersistentPerHost = MOST_IDLE
    pool.cachedConnectionTimeout = IDLE_SECONDS
    return _agent(reactor, _Dialled(dialer), pool)


def agent_for(reactor: Any, endpoint: IStreamClientEndpoint) -> IAgent:
    """An agent that reaches one endpoint, whatever the URL says."""
    return _agent(reactor, _One(endpoint), HTTPConnectionPool(reactor, False))


def _agent(
    reactor: Any, endpoints: IAgentEndpointFactory, pool: HTTPConnectionPool
) -> IAgent:
    agent: IAgent = _ExactAgent.usingEndpointFactory(reactor, endpoints, pool)
    return agent


class _ExactAgent(Agent):
    """
    Asks for path and query byte for byte.  Twisted's own takes a URL apart and writes
    it anew, which loses a C{;} or a C{?} at an end.
    """

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,
    ) -> Deferred[Any]:
        """See L{IAgent.request} (Twisted)."""
        if not _PRINTABLE.fullmatch(uri):
            return fail(ValueError("a URL has characters that must be escaped"))
        parsed = URI.fromBytes(uri)
        asked: Deferred[Any] = self._requestWithEndpoint(
            (parsed.scheme, parsed.host, parsed.port),
            self._getEndpoint(parsed),
            method,
            parsed,
            headers,
            bodyProducer,
            origin_form(uri.decode("ascii").partition("#")[0]).encode("ascii"),
        )
        return asked


@implementer(IAgentEndpointFactory)
@frozen
class _Dialled:
    dialer: IDialer
    #: Looking at a name costs a good part of a request, and there is one of them.
    _known: dict[tuple[bytes, bytes, int], IStreamClientEndpoint] = field(factory=dict)

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Where to dial (Twisted)."""
        place = (uri.scheme, uri.host, uri.port)
        if place not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            host = uri.host.decode("ascii")
            endpoint = self.dialer.endpoint(host, uri.port, uri.scheme == b"https")
            self._known[place] = _Quiet(endpoint)
        return self._known[place]


@implementer(IAgentEndpointFactory)
@frozen
class _One:
    endpoint: IStreamClientEndpoint

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """Always the same place (Twisted)."""
        return _Quiet(self.endpoint)


@implementer(IStreamClientEndpoint)
@frozen
class _Quiet:
    """Keeps Twisted's factory from logging each connection."""

    endpoint: IStreamClientEndpoint

    def connect(self, protocolFactory: Any) -> Deferred[Any]:
        """Dial (Twisted)."""
        protocolFactory.noisy = False
        return self.endpoint.connect(protocolFactory)
