"""A web application of this process, served through a relay."""

from __future__ import annotations

from typing import Any

from attrs import frozen
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from twisted.web.iweb import IAgent
from twisted.web.resource import IResource
from twisted.web.server import Site
from zope.interface import implementer

from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.http_url import HttpUrl
from hybridconn.dialer import ReactorDialer
from hybridconn.interfaces import IDialer, IServerRequest
from hybridconn.listener.http_target import HttpSettings, HttpTarget
from hybridconn.listener.listener import HybridConnectionListener
from hybridconn.listener.websocket_target import WebSocketConnector
from hybridconn.web.agents import agent_for
from hybridconn.web.inprocess import InProcessEndpoint

#: Seconds; an application knows best how long its answers take, the relay's own
#: time-out is shorter.
_PATIENCE = 3600.0


def serve_site(
    connection_string: str | ConnectionString,
    site: Any,
    reactor: Any = None,
    *,
    ca_files: tuple[str, ...] = (),
    dialer: IDialer | None = None,
    keep_path: bool = False,
    **more: Any,
) -> HybridConnectionListener:
    """
    Serve a web application at C{https://RELAY/PATH/} without a port of its own.

    The application runs unchanged, with its WebSockets if it has some.  It sees
    the sender's address, the host name by which the relay was reached, and TLS;
    the hybrid connection's path is taken off and stands in C{X-Forwarded-Prefix}.

    >>> serve_site("Endpoint=sb://…", resource).startService()  # doctest: +SKIP

    @param connection_string: with a hybrid connection and the right Listen.
    @param site: a L{twisted.web.server.Site}, any other protocol factory that
        speaks HTTP/1.1, or a L{twisted.web.resource.Resource}.
    @param reactor: the global one if L{None}.
    @param ca_files: PEM files with further authorities, for the relay.
    @param dialer: the way to the relay, in place of C{ca_files}.
    @param keep_path: leave the hybrid connection's path where it is.
    @param more: as for L{HybridConnectionListener}.
    @return: a service, not started.
    @raise ConnectionStringError: C{connection_string} is none.
    """
    if reactor is None:
        from twisted.internet import reactor
    if isinstance(connection_string, str):
        connection_string = ConnectionString.parse(connection_string)
    factory: IProtocolFactory = Site(site) if IResource.providedBy(site) else site
    host, entity = connection_string.host, connection_string.require_entity_path()
    settings = HttpSettings(keep_path=keep_path, response_timeout=_PATIENCE)
    url = HttpUrl(False, host, 80)
    inside = _Inside(reactor, factory, host)

    def agent(request: IServerRequest) -> IAgent:
        return agent_for(reactor, inside.reach(request.peer, secure=True))

    return HybridConnectionListener(
        connection_string,
        WebSocketConnector(url, entity, inside, reactor, settings),
        dialer or ReactorDialer(reactor, ca_files),
        reactor,
        responder=HttpTarget(agent, url, entity, reactor, settings),
        **more,
    )


@implementer(IDialer)
@frozen
class _Inside:
    """Every way leads to the one server."""

    clock: Any
    server: IProtocolFactory
    host: str

    def reach(self, peer: Any, secure: bool) -> IStreamClientEndpoint:
        """The server, for a client at C{peer}."""
        here = IPv4Address("TCP", self.host, 443)
        return InProcessEndpoint(self.clock, self.server, here, peer, secure)

    def endpoint(self, host: str, port: int, secure: bool) -> IStreamClientEndpoint:
        """The server, for a WebSocket's client, whom nobody knows."""
        # WebSocket servers ask a TLS transport for more than there is here.
        return self.reach(IPv4Address("TCP", "", 0), secure=False)
