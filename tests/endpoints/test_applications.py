"""Real Twisted applications over hybrid connections, unchanged."""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import connectProtocol
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.task import Cooperator
from twisted.protocols import amp
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, readBody
from twisted.web.iweb import IAgentEndpointFactory
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface import implementer

from tests.endpoints.scene import Apps, EndpointTestCase


class Page(Resource):
    """Says who asked for what, and sends back what it was sent."""

    isLeaf = True

    def render_GET(self, request: Any) -> bytes:
        peer = request.getClientAddress()
        return f"{request.uri.decode()} for {peer.entity}".encode()

    def render_POST(self, request: Any) -> Any:
        body = request.content.read()
        for start in range(0, len(body), 100_000):
            request.write(body[start : start + 100_000])
        request.finish()
        return NOT_DONE_YET


@implementer(IAgentEndpointFactory)
class Everywhere:
    """Takes one endpoint for every URI."""

    def __init__(self, endpoint: IStreamClientEndpoint) -> None:
        self._endpoint = endpoint

    def endpointForURI(self, uri: Any) -> IStreamClientEndpoint:
        return self._endpoint


class WebTests(EndpointTestCase):
    """A twisted.web site, and an agent that asks it."""

    def setUp(self) -> None:
        super().setUp()
        site = Site(Page(), reactor=self.relay.clock)
        self.serve(site)
        self.pool = HTTPConnectionPool(self.relay.clock)
        self.agent = Agent.usingEndpointFactory(
            self.relay.clock,
            Everywhere(self.relay.client_endpoint("hyco")),
            self.pool,
        )
        self.addCleanup(self.network.advance, 300)
        self.addCleanup(self.pool.closeCachedConnections)

    def get(self, uri: bytes) -> bytes:
        response = self.done(self.agent.request(b"GET", uri))
        self.assertEqual(response.code, 200)
        body: Deferred[bytes] = readBody(response)
        return self.done(body)

    def test_get(self) -> None:
        """A page is served; the client's address is the tunnel's."""
        self.assertEqual(self.get(b"http://site.test/a?b"), b"/a?b for hyco")

    def test_kept_alive(self) -> None:
        """Requests one after the other share one tunnel, as they would TCP."""
        for number in range(5):
            self.get(f"http://site.test/{number}".encode())
        # The control channel, and both legs of the one tunnel.
        self.assertEqual(len(self.network.connections), 3)

    def test_large_body(self) -> None:
        """A body of some MiB goes there and comes back, with its producers."""
        sent = bytes(range(256)) * 16384

        cooperator = Cooperator(
            scheduler=lambda work: self.relay.clock.callLater(0, work)
        )
        body = FileBodyProducer(BytesIO(sent), cooperator)
        response = self.done(
            self.agent.request(b"POST", b"http://site.test/", bodyProducer=body)
        )
        self.assertEqual(self.done(readBody(response)), sent)


class Sum(amp.Command):
    """Adds two numbers."""

    arguments = [(b"a", amp.Integer()), (b"b", amp.Integer())]  # noqa: RUF012
    response = [(b"total", amp.Integer())]  # noqa: RUF012
    errors = {OverflowError: b"OVERFLOW"}  # noqa: RUF012


class Calculator(amp.AMP):
    """Answers, and can ask back."""

    @Sum.responder
    def sum(self, a: int, b: int) -> dict[str, int]:
        if a + b > 1000:
            raise OverflowError("too much")
        return {"total": a + b}


class AMPTests(EndpointTestCase):
    """AMP: boxes both ways."""

    def setUp(self) -> None:
        super().setUp()
        self.servers = Apps(Calculator)
        self.serve(self.servers)
        endpoint = self.relay.client_endpoint("hyco")
        self.client = self.done(connectProtocol(endpoint, Calculator()))

    def test_calls(self) -> None:
        """Calls that overlap get their own answers, from either end."""
        calls = [self.client.callRemote(Sum, a=n, b=1) for n in range(100)]
        back = self.servers.made[0].callRemote(Sum, a=20, b=22)
        self.assertEqual(self.done(back)["total"], 42)
        for number, call in enumerate(calls):
            self.assertEqual(self.successResultOf(call)["total"], number + 1)

    def test_error(self) -> None:
        """An error of the other end is the caller's."""
        told: list[Any] = []
        # At once: AMP closes the connection over an error that nobody takes.
        self.client.callRemote(Sum, a=999, b=2).addErrback(told.append)
        self.flush()
        told[0].trap(OverflowError)
        call = self.client.callRemote(Sum, a=1, b=2)
        self.assertEqual(self.done(call)["total"], 3)

    def test_lost(self) -> None:
        """A call is told when the tunnel breaks under it."""
        self.network.connections[-1].silence()
        call = self.client.callRemote(Sum, a=1, b=2)
        self.flush()
        self.assertNoResult(call)
        for connection in self.network.connections[1:]:
            connection.cut()
        self.network.advance(1)
        self.failureResultOf(call, ConnectionLost)
