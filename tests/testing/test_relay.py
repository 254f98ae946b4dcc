"""Tests for L{hybridconn.testing.relay}: a relay for other people's tests."""

from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IListeningPort
from twisted.trial.unittest import SynchronousTestCase

from hybridconn import (
    Accept,
    ChannelStatus,
    ConnectionString,
    HybridConnectionError,
    Reject,
)
from hybridconn.core.entities import HybridConnection
from hybridconn.core.limits import Limits
from hybridconn.testing import (
    Claim,
    MemoryNetwork,
    MemoryRelay,
    WsPeer,
    one_protocol,
)
from tests.testing.recording import Recorder


class MemoryRelayTests(SynchronousTestCase):
    """What a test of an app needs of it."""

    def setUp(self) -> None:
        self.relay = MemoryRelay(["hyco"])
        self.network = self.relay.network
        self.addCleanup(self.relay.stop)

    def serve(self, path: str, protocol: Recorder) -> IListeningPort:
        endpoint = self.relay.server_endpoint(path, source="192.0.2.10")
        listening: Deferred[IListeningPort] = endpoint.listen(one_protocol(protocol))
        self.network.flush()
        return self.successResultOf(listening)

    def dial(self, path: str, protocol: Recorder) -> Deferred[Recorder]:
        endpoint = self.relay.client_endpoint(path, source="192.0.2.20")
        dialled: Deferred[Recorder] = endpoint.connect(one_protocol(protocol))
        self.network.flush()
        return dialled

    def test_end_to_end(self) -> None:
        """Two protocols talk through the relay and end in order."""
        server, client = Recorder(), Recorder()
        port = self.serve("hyco", server)
        self.assertIs(self.successResultOf(self.dial("hyco", client)), client)
        client.wire.write(b"question")
        server.wire.write(b"answer")
        self.network.flush()
        self.assertEqual((server.data, client.data), (b"question", b"answer"))
        client.wire.loseConnection()
        self.network.flush()
        for end in (server, client):
            assert end.lost is not None
            end.lost.trap(ConnectionDone)
        stopped = port.stopListening()
        self.network.flush()
        self.successResultOf(stopped)  # type: ignore[arg-type]  # never None here
        self.network.advance(120.0)
        self.assertEqual(self.network.connections, ())

    def test_refusal(self) -> None:
        """A sender learns the relay's reason."""
        failure = self.failureResultOf(self.dial("hyco", Recorder()))
        failure.trap(HybridConnectionError)
        self.assertIn("no listeners connected", failure.getErrorMessage())

    def test_listener(self) -> None:
        """A listener of one's own class runs against it."""

        class Choosy:
            def connect(self, accept: Accept) -> Deferred[Recorder]:
                if accept.header("X-Word") != "please":
                    raise Reject(403, "Say please")
                return succeed(Recorder())

        listener = self.relay.listener("hyco", Choosy())  # type: ignore[arg-type]
        listener.startService()
        self.network.flush()
        self.assertIs(listener.status, ChannelStatus.ONLINE)
        rude = self.dial("hyco", Recorder())
        self.assertIn("Say please", str(self.failureResultOf(rude).value))
        endpoint = self.relay.client_endpoint("hyco", headers={"X-Word": "please"})
        polite = endpoint.connect(one_protocol(Recorder()))
        self.network.flush()
        self.successResultOf(polite)
        stopped = listener.stopService()
        self.network.advance(10.0)
        self.successResultOf(stopped)

    def test_lives_long(self) -> None:
        """Tokens are in step with the clock: a listener outlives them."""
        self.serve("hyco", Recorder())
        self.network.advance(4 * 3600.0)
        self.successResultOf(self.dial("hyco", Recorder()))

    def test_stop_and_start(self) -> None:
        """A listener comes back when the relay does."""
        self.serve("hyco", Recorder())
        self.relay.stop()
        self.failureResultOf(self.dial("hyco", Recorder()))
        self.relay.start()
        self.network.advance(40.0)
        self.successResultOf(self.dial("hyco", Recorder()))

    def test_fault(self) -> None:
        """A listener whose connection is cut dials again."""
        self.serve("hyco", Recorder())
        (channel,) = self.network.connections
        channel.cut()
        self.network.advance(5.0)
        self.assertNotIn(channel, self.network.connections)
        self.successResultOf(self.dial("hyco", Recorder()))

    def test_entities(self) -> None:
        """Entities come, go and have properties."""
        self.relay.add(HybridConnection("open", requires_client_authorization=False))
        self.relay.add("a/b")
        self.serve("a/b", Recorder())
        self.successResultOf(self.dial("a/b", Recorder()))
        self.relay.remove("a/b")
        failure = self.failureResultOf(self.dial("a/b", Recorder()))
        self.assertIn("Endpoint does not exist", failure.getErrorMessage())

    def test_connection_string(self) -> None:
        """Connection strings are complete and of one rule each."""
        string = ConnectionString.parse(
            self.relay.connection_string("hyco", Claim.SEND)
        )
        self.assertEqual((string.host, string.port), ("relay.test", 443))
        self.assertEqual((string.entity_path, string.key_name), ("hyco", "Send"))
        self.assertEqual(string.key, self.relay.key(Claim.SEND))
        self.assertNotEqual(self.relay.key(Claim.SEND), self.relay.key(Claim.LISTEN))

    def test_tokens(self) -> None:
        """Tokens open what they are for, as long as they are said to."""
        listen = "/$hc/hyco?sb-hc-action=listen"
        for claim, lifetime, status in (
            (Claim.LISTEN, 60.0, 101),
            (Claim.MANAGE, 60.0, 101),
            (Claim.SEND, 60.0, 403),
            (Claim.LISTEN, -1.0, 401),
        ):
            token = self.relay.token("hyco", claim, lifetime)
            peer = WsPeer.client(listen, headers={"ServiceBusAuthorization": token})
            peer.dial(self.network, "relay.test", 443, secure=True)
            self.network.advance(5.0)
            self.assertEqual(peer.status, status, (claim, lifetime))

    def test_same_every_time(self) -> None:
        """Two runs with one seed send the same bytes; another seed other ones."""
        runs = []
        for seed in (1, 1, 2):
            relay = MemoryRelay(["hyco"], seed=seed)
            token = relay.token("hyco", Claim.LISTEN)
            peer = WsPeer.client(
                "/$hc/hyco?sb-hc-action=listen",
                headers={"ServiceBusAuthorization": token},
            )
            peer.dial(relay.network, relay.host, relay.port, secure=True)
            relay.network.flush()
            dialled = relay.client_endpoint("hyco").connect(one_protocol(Recorder()))
            relay.network.flush()
            runs.append(peer.messages)
            relay.stop()
            self.failureResultOf(dialled)
        # What an Autobahn client chooses for itself is not in our hand.
        keys = [str(run).partition('"connectHeaders"')[0] for run in runs]
        self.assertEqual(keys[0], keys[1])
        self.assertNotEqual(keys[0], keys[2])

    def test_not_secure(self) -> None:
        """A relay without TLS gives out addresses without TLS."""
        relay = MemoryRelay(["hyco"], MemoryNetwork(), port=80, secure=False)
        self.relay, self.network = relay, relay.network
        self.serve("hyco", Recorder())
        self.successResultOf(self.dial("hyco", Recorder()))
        self.assertFalse(any(c.secure for c in self.network.connections))
        relay.stop()

    def test_limits(self) -> None:
        """The relay's limits are the test's."""
        relay = MemoryRelay(["hyco"], limits=Limits(listeners_per_entity=1))
        self.relay, self.network = relay, relay.network
        self.serve("hyco", Recorder())
        second = relay.server_endpoint("hyco").listen(one_protocol(Recorder()))
        relay.network.advance(1.0)
        self.assertIn("quota", self.failureResultOf(second).getErrorMessage())
        relay.stop()
