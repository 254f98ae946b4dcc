"""A sender that takes its answer slowly, and our own listener behind the relay."""

from __future__ import annotations

from attrs import evolve

from hybridconn.core.entities import Claim
from hybridconn.core.limits import Limits
from hybridconn.testing.ws_peer import one_protocol
from tests.listener.test_serving import ServingCase
from tests.relay.http_peer import HttpPeer


class SlowSenderTests(ServingCase):
    """The listener has written all of an answer long before the sender has it."""

    limits = evolve(Limits(), write_stall_timeout=1000.0)

    def setUp(self) -> None:
        super().setUp()
        self.peer = HttpPeer()
        relay = self.relay
        endpoint = relay.network.client_endpoint(relay.host, relay.port, secure=True)
        endpoint.connect(one_protocol(self.peer))
        self.flush()
        self.peer.transport.pauseProducing()
        head = (
            f"GET /web/app/large HTTP/1.1\r\nHost: {relay.host}\r\n"
            f"ServiceBusAuthorization: {relay.token('web/app', Claim.SEND)}\r\n\r\n"
        )
        self.peer.transport.write(head.encode())

    def test_takes_all(self) -> None:
        """However long it takes, the answer is complete, and nothing stays open."""
        for _ in range(60):
            self.relay.network.advance(5)
        self.peer.transport.resumeProducing()
        self.relay.network.advance(1)
        answer = self.peer.answer()
        assert answer is not None
        self.assertEqual((len(answer.body), answer.complete), (300_000, True))
        stopped = self.listener.stopService()
        self.flush()
        self.successResultOf(stopped)

    def test_listener_stops(self) -> None:
        """A listener that stops waits for it as long as for a tunnel."""
        self.relay.network.advance(1)
        stopped = self.listener.stopService()
        self.relay.network.advance(4)
        self.assertNoResult(stopped)
        for _ in range(15):
            self.relay.network.advance(5)
        self.successResultOf(stopped)
        self.peer.transport.resumeProducing()
        self.flush()
        answer = self.peer.answer()
        assert answer is not None
        self.assertFalse(answer.complete)
