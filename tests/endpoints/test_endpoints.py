"""Apps' protocols over hybrid connections: opening and ending."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import (
    ConnectingCancelledError,
    ConnectionDone,
    ConnectionRefusedError,
    NoProtocol,
)
from twisted.internet.interfaces import (
    IAddress,
    IListeningPort,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from zope.interface.verify import verifyObject

from hybridconn import (
    Accept,
    HybridConnectionAddress,
    HybridConnectionClientEndpoint,
    HybridConnectionError,
    HybridConnectionListener,
    HybridConnectionRefused,
    HybridConnectionServerEndpoint,
    Reject,
    TunnelClosed,
)
from hybridconn.core.entities import Claim
from hybridconn.endpoints.server import FactoryConnector, HybridConnectionPort
from hybridconn.interfaces import ITargetConnector, ITunnelEnd
from hybridconn.websocket.protocol_end import ProtocolEnd
from tests.endpoints.scene import App, Apps, Echo, EndpointTestCase


class InterfaceTests(EndpointTestCase):
    """Twisted's interfaces."""

    def test_endpoints(self) -> None:
        """Both endpoints, the port and the addresses are what they say."""
        client = self.relay.client_endpoint("hyco")
        server = self.relay.server_endpoint("hyco")
        self.assertTrue(verifyObject(IStreamClientEndpoint, client))
        self.assertTrue(verifyObject(IStreamServerEndpoint, server))
        port = self.done(server.listen(Apps()))
        self.assertTrue(verifyObject(IListeningPort, port))
        self.assertTrue(verifyObject(IAddress, port.getHost()))
        connector = FactoryConnector(Apps(), port.getHost())
        self.assertTrue(verifyObject(ITargetConnector, connector))
        end = ProtocolEnd(App(), port.getHost(), port.getHost())
        self.assertTrue(verifyObject(ITunnelEnd, end))

    def test_own_dialer(self) -> None:
        """Without a dialer the way to the relay is the reactor's own."""
        for kind, claim in (
            (HybridConnectionClientEndpoint, Claim.SEND),
            (HybridConnectionServerEndpoint, Claim.LISTEN),
        ):
            string = self.relay.parsed_connection_string("hyco", claim)
            endpoint: Any = kind.for_connection(string, self.relay.clock)
            self.assertIsInstance(endpoint, kind)


class ConnectTests(EndpointTestCase):
    """From C{connect} to the protocol."""

    def test_echo(self) -> None:
        """What the client writes comes back byte for byte."""
        server, client = self.join(Echo)
        data = bytes(range(256)) * 1000
        client.wire.write(data[:100_000])
        client.wire.writeSequence([data[100_000:100_001], b"", data[100_001:]])
        self.flush()
        self.assertEqual(server.received, data)
        self.assertEqual(client.received, data)

    def test_addresses(self) -> None:
        """Both ends name the hybrid connection, and the tunnel by the same id."""
        server, client = self.join()
        here = HybridConnectionAddress("relay.test", "hyco")
        self.assertEqual(self.port.getHost(), here)
        self.assertEqual(client.wire.getHost(), here)
        self.assertEqual(server.wire.getHost(), here)
        there = client.wire.getPeer()
        self.assertEqual(there, server.wire.getPeer())
        self.assertEqual((there.namespace, there.entity), ("relay.test", "hyco"))
        self.assertTrue(there.tracking_id)

    def test_first_word(self) -> None:
        """What is written in C{connectionMade} arrives, from either end."""

        class Greeter(App):
            def connectionMade(self) -> None:
                self.wire.write(b"hello")

        server, client = self.join(Greeter, Greeter)
        self.assertEqual((server.received, client.received), (b"hello", b"hello"))

    def test_sender_fields(self) -> None:
        """Suffix, query and headers reach the listener; a sub-protocol is agreed."""
        seen: list[Accept] = []

        class Looking(HybridConnectionListener):
            def accept_requested(self, accept: Accept) -> None:
                seen.append(accept)

        self.serve(Apps(), listener_class=Looking)
        endpoint = self.relay.client_endpoint(
            "hyco",
            suffix="/a%20b",
            query="x=1&y=%2F",
            headers={"X-Word": "please"},
            subprotocols=["one", "two"],
        )
        app = self.done(endpoint.connect(Apps()))
        (accept,) = seen
        self.assertEqual(accept.header("x-word"), "please")
        self.assertEqual(accept.header("Sec-WebSocket-Protocol"), "one,two")
        self.assertIn("/hyco/a%20b?x=1&y=%2F&", accept.address)
        self.assertIsNone(accept.header("ServiceBusAuthorization"))
        self.assertIsNone(app.lost)

    def test_nobody_listens(self) -> None:
        """404 is a refused connection with the relay's words."""
        clients = Apps()
        dialled = self.relay.client_endpoint("hyco").connect(clients)
        error = self.failed(dialled, HybridConnectionRefused)
        self.assertEqual(error.status_code, 404)
        self.assertIsInstance(error, ConnectionRefusedError)
        self.assertEqual((clients.made, clients.starts), ([], 0))

    def test_listener_says_no(self) -> None:
        """A rejection's status and words reach the client endpoint."""

        class Strict(HybridConnectionListener):
            def accept_requested(self, accept: Accept) -> None:
                raise Reject(403, "not you")

        servers = Apps()
        self.serve(servers, listener_class=Strict)
        dialled = self.relay.client_endpoint("hyco").connect(Apps())
        error = self.failed(dialled, HybridConnectionError)
        self.assertEqual((error.status_code, error.reason), (403, "not you"))
        self.assertEqual(servers.made, [])

    def test_server_builds_none(self) -> None:
        """A server factory that takes no connection is a 503."""
        self.serve(Apps(lambda: None))
        error = self.failed(
            self.relay.client_endpoint("hyco").connect(Apps()), HybridConnectionRefused
        )
        self.assertEqual(error.status_code, 503)

    def test_client_builds_none(self) -> None:
        """A client factory that wants no connection: its tunnel ends at once."""
        servers, clients = Apps(), Apps(lambda: None)
        self.serve(servers)
        dialled = self.relay.client_endpoint("hyco").connect(clients)
        self.failed(dialled, NoProtocol)
        self.network.advance(1)
        self.assertIsNotNone(servers.made[0].lost)
        self.assertEqual(clients.starts, 0)
        self.assertQuiet()

    def test_client_factory_fails(self) -> None:
        """So does that of one that raises; the error is the caller's."""

        def broken() -> None:
            raise KeyError("oops")

        self.serve(Apps())
        clients = Apps(broken)
        dialled = self.relay.client_endpoint("hyco").connect(clients)
        self.failed(dialled, KeyError)
        self.network.advance(1)
        self.assertEqual(clients.starts, 0)
        self.assertQuiet()

    def test_server_factory_fails(self) -> None:
        """A server factory that raises is logged, and told as 502 without a word."""

        def broken() -> None:
            raise KeyError("oops")

        self.serve(Apps(broken))
        dialled = self.relay.client_endpoint("hyco").connect(Apps())
        error = self.failed(dialled, HybridConnectionRefused)
        self.assertEqual(error.status_code, 502)
        self.assertNotIn("oops", str(error))
        self.assertEqual(len(self.flushLoggedErrors(KeyError)), 1)

    def test_cancelled(self) -> None:
        """A dial that is given up at any stage leaves nothing behind."""
        servers = Apps()
        self.serve(servers)
        self.network.faults.delay = 1.0
        for after in (0.5, 1.5, 2.5, 3.5, 4.5, 5.5):
            clients = Apps()
            dialled = self.relay.client_endpoint("hyco").connect(clients)
            self.network.advance(after)
            dialled.cancel()
            self.failureResultOf(dialled, CancelledError, ConnectingCancelledError)
            self.network.advance(90.0)
            self.assertEqual((clients.made, clients.starts), ([], 0))
            self.assertQuiet()
        for server in servers.made:
            self.assertTrue(server.transport is None or server.lost)

    def test_factory_lives_as_long(self) -> None:
        """The client's factory is started before and stopped after the connection."""
        _, client = self.join()
        self.assertEqual(self.clients.starts, 1)
        client.wire.loseConnection()
        self.flush()
        self.assertLost(client, ConnectionDone)
        self.assertEqual(self.clients.starts, 0)


class ListenTests(EndpointTestCase):
    """The server endpoint and its port."""

    def listen(self, factory: Any, **more: Any) -> Deferred[Any]:
        endpoint = self.relay.server_endpoint("hyco", **more)
        listening: Deferred[Any] = endpoint.listen(factory)
        return listening

    def test_online_when_it_fires(self) -> None:
        """It fires when the relay has it, not before."""
        self.network.faults.delay = 1.0
        servers = Apps()
        listening = self.listen(servers)
        self.network.advance(0.5)
        self.assertNoResult(listening)
        self.assertEqual(servers.starts, 1)
        self.network.advance(5)
        self.assertIsInstance(self.done(listening), HybridConnectionPort)

    def test_first_dial_fails(self) -> None:
        """A first dial that fails is the result, with its status; nothing goes on."""
        self.relay.remove("hyco")
        servers = Apps()
        error = self.failed(self.listen(servers), HybridConnectionError)
        self.assertEqual(error.status_code, 404)
        self.assertEqual(servers.starts, 0)
        self.relay.add("hyco")
        self.network.advance(100)
        self.failed(
            self.relay.client_endpoint("hyco").connect(Apps()), HybridConnectionRefused
        )

    def test_no_relay(self) -> None:
        """Where there is no relay the status is 0, and the error Twisted's too."""
        self.network.faults.refuse("relay.test", 443)
        error = self.failed(self.listen(Apps()), ConnectionRefusedError)
        self.assertEqual(error.status_code, 0)
        self.assertIn("refused", str(error))

    def test_wrong_key(self) -> None:
        """A rule that may not listen is refused with 401 or 403."""
        endpoint = HybridConnectionServerEndpoint.for_connection(
            self.relay.parsed_connection_string("hyco", Claim.SEND),
            self.relay.clock,
            self.relay.dialer(),
            wall=self.relay.wall,
        )
        error = self.failed(endpoint.listen(Apps()), HybridConnectionError)
        self.assertIn(error.status_code, (401, 403))
        self.assertNotIsInstance(error, HybridConnectionRefused)

    def test_retry(self) -> None:
        """With C{retry} it waits for the relay."""
        self.network.faults.refuse("relay.test", 443)
        listening = self.listen(Apps(), retry=True)
        self.network.advance(10)
        self.assertNoResult(listening)
        self.network.faults.mend("relay.test", 443)
        self.network.advance(40)
        self.done(listening)

    def test_cancelled(self) -> None:
        """Who gives up waiting for it gives it up altogether."""
        self.network.faults.refuse("relay.test", 443)
        servers = Apps()
        listening = self.listen(servers, retry=True)
        self.network.advance(10)
        listening.cancel()
        self.flush()
        self.failureResultOf(listening)
        self.network.faults.mend("relay.test", 443)
        self.network.advance(100)
        self.assertEqual(self.network.connections, ())
        self.assertEqual(servers.starts, 0)

    def test_lost_later(self) -> None:
        """A channel that is lost later is dialled again inside."""
        self.serve(Apps(Echo))
        self.network.connections[0].cut()
        self.network.advance(2)
        self.done(self.relay.client_endpoint("hyco").connect(Apps()))

    def test_stop(self) -> None:
        """C{stopListening} leaves the relay; more calls wait for the same end."""
        servers = Apps()
        port = self.serve(servers)
        first, second = port.stopListening(), port.stopListening()
        for stopped in (first, second, port.stopListening()):
            self.done(stopped)  # type: ignore[arg-type]  # never None here
        self.assertEqual(servers.starts, 0)
        self.network.advance(10)
        self.assertEqual(self.network.connections, ())
        self.failed(
            self.relay.client_endpoint("hyco").connect(Apps()), HybridConnectionRefused
        )

    def test_start_again(self) -> None:
        """A port that was stopped can be started again; twice is once."""
        servers = Apps(Echo)
        port = self.serve(servers)
        self.done(port.stopListening())  # type: ignore[arg-type]
        port.startListening()
        port.startListening()
        self.assertEqual(servers.starts, 1)
        self.flush()
        self.done(self.relay.client_endpoint("hyco").connect(Apps()))

    def test_stop_with_tunnels(self) -> None:
        """Tunnels have C{drain_timeout} to end; then they are closed with 1001."""
        server, client = self.join(Echo)
        stopped = self.port.stopListening()
        self.network.advance(4)
        client.wire.write(b"still here")
        self.flush()
        self.assertEqual(client.received, b"still here")
        self.assertNoResult(stopped)
        self.network.advance(1)
        self.assertIn("1001", self.assertLost(client, TunnelClosed))
        self.network.advance(5)
        self.assertIsNotNone(server.lost)
        self.done(stopped)  # type: ignore[arg-type]
        self.assertEqual(self.servers.starts, 0)

    def test_stop_when_tunnels_end(self) -> None:
        """It does not wait longer than the tunnels do."""
        _, client = self.join()
        stopped = self.port.stopListening()
        self.flush()
        client.wire.loseConnection()
        self.done(stopped)  # type: ignore[arg-type]

    def test_two_ports(self) -> None:
        """Several ports share the senders of one hybrid connection."""
        one, two = Apps(Echo), Apps(Echo)
        self.serve(one)
        self.serve(two)
        for _ in range(20):
            self.done(self.relay.client_endpoint("hyco").connect(Apps()))
        self.assertEqual(len(one.made) + len(two.made), 20)
        self.assertTrue(one.made and two.made)
