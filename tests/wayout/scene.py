"""Proxies on a network in memory."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.entities import Secret
from hybridconn.testing.network import MemoryNetwork
from hybridconn.wayout.endpoint import ProxyEndpoint
from hybridconn.wayout.proxy import Authentication, Proxy, Scheme, make_credentials

RELAY = "relay.example.net"
PASSWORD = "s3cret/+="


class Recorder(Protocol):
    """
    Keeps what comes.

    @ivar lost: why the connection ended.
    """

    def __init__(self) -> None:
        self.received = b""
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class Scripted(Recorder):
    """A peer that answers by a function of what it has got so far."""

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        super().__init__()
        self._answer = answer

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        said = self._answer(data)
        assert self.transport is not None
        if said is None:
            self.transport.loseConnection()
        else:
            self.transport.write(said)


class _Factory(Factory):
    """Lets a test decide late what is built."""

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build = build

    def buildProtocol(self, addr: object) -> Any:
        return self._build()


class ProxyTestCase(SynchronousTestCase):
    """
    @ivar app: what the endpoint connects.
    @ivar build: makes it.
    @ivar peers: the proxy's connections.
    """

    scheme: Scheme = "http"

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.app = Recorder()
        self.build: Callable[[], Any] = lambda: self.app
        self.peers: list[Any] = []

    def serve(self, answer: Callable[[bytes], bytes | None]) -> None:
        """Have a proxy that answers so."""

        def build() -> Scripted:
            self.peers.append(Scripted(answer))
            return self.peers[-1]  # type: ignore[no-any-return]

        self.network.listen("proxy.corp", 3128, Factory.forProtocol(build))

    def proxy(
        self,
        user: str | None = None,
        password: str = PASSWORD,
        authentication: Authentication = "basic",
    ) -> Proxy:
        credentials = None
        if user is not None:
            credentials = make_credentials(user, Secret(password), authentication)
        return Proxy(self.scheme, "proxy.corp", 3128, credentials)

    def dial(
        self, proxy: Proxy | None = None, host: str = RELAY, port: int = 443
    ) -> Deferred[Any]:
        """Go through the proxy."""
        endpoint = ProxyEndpoint(
            proxy or self.proxy(),
            self.network.client_endpoint("proxy.corp", 3128),
            host,
            port,
            self.network.clock,
            15.0,
        )
        dialled = endpoint.connect(_Factory(lambda: self.build()))
        self.network.flush()
        return dialled

    def trouble(self, proxy: Proxy | None = None, **more: Any) -> str:
        """Go through the proxy, which fails; the words."""
        failure = self.failureResultOf(self.dial(proxy, **more))
        text = str(failure.value)
        traces = PASSWORD, base64.b64encode(PASSWORD.encode()).decode()
        for trace in traces:
            self.assertNotIn(trace, text + repr(failure.value))
        self.assertNotIn("\n", text)
        self.network.flush()
        self.assertEqual(self.network.connections, ())
        return text
