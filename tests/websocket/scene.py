"""Ends of WebSockets under test, each with a peer made of plain bytes."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.limits import Limits
from hybridconn.testing import (
    Connection,
    MemoryNetwork,
    RecordingSink,
    WsPeer,
    one_protocol,
)
from hybridconn.websocket.autobahn_frames import DataPath
from hybridconn.websocket.client import TunnelClientProtocol, connect_websocket
from hybridconn.websocket.server import TunnelServerFactory, TunnelServerProtocol

URL = "wss://relay.test/$hc/hyco?sb-hc-action=listen"


class WebSocketTestCase(SynchronousTestCase):
    """
    A network, limits that a test may set, and makers of ends.

    @cvar data_path: who reads and writes the frames of the ends.
    """

    data_path: DataPath = "slim"

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.clock = self.network.clock
        self.limits = Limits()

    def limit(self, **limits: Any) -> None:
        """Set limits for the ends that are made from now on."""
        self.limits = evolve(self.limits, **limits)

    def flush(self) -> None:
        """Let all bytes arrive."""
        self.network.flush()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.network.advance(seconds)

    def server(
        self, sink: Any = None, peer: WsPeer | None = None, control: bool = False
    ) -> tuple[TunnelServerProtocol, WsPeer]:
        """A relay's end, and the client peer that dialled it."""
        factory = TunnelServerFactory(self.clock, self.limits, self.data_path)
        end = factory.build(control)
        if sink is not None:
            end.attach(sink)
        port = self.network.listen("relay.test", 0, one_protocol(end))
        peer = peer or WsPeer.client("/")
        peer.dial(self.network, "relay.test", port.getHost().port)
        self.flush()
        port.stopListening()
        return end, peer

    def dial(
        self,
        peer: WsPeer | None,
        sink: Any = None,
        url: str = URL,
        **more: Any,
    ) -> Deferred[TunnelClientProtocol]:
        """Dial C{peer} as a listener or sender does; L{None} answers nothing."""
        if peer is not None:
            port = self.network.listen("relay.test", 443, one_protocol(peer))
        dialled = connect_websocket(
            self.network.dialer(),
            self.clock,
            self.limits,
            url,
            sink=sink,
            data_path=self.data_path,
            **more,
        )
        self.flush()
        if peer is not None:
            port.stopListening()
        return dialled

    def client(self, sink: Any = None) -> tuple[TunnelClientProtocol, WsPeer]:
        """An open end of a listener or sender, and the server peer it dialled."""
        peer = WsPeer.server()
        return self.successResultOf(self.dial(peer, sink)), peer

    @property
    def connection(self) -> Connection:
        """The connection that was made last."""
        return self.network.connections[-1]

    def quiet(self) -> None:
        """Check that no connection and no timer is left."""
        self.assertEqual(self.network.connections, ())
        self.assertEqual(list(self.clock.getDelayedCalls()), [])

    def assert_messages(
        self, end: WsPeer | RecordingSink, expected: list[str | bytes]
    ) -> None:
        """Check what arrived, without showing megabytes when it is not that."""
        if end.messages != expected:
            lengths = [len(message) for message in end.messages]
            self.fail(f"messages of {lengths} bytes, or others, arrived")

    def lost(self, sink: RecordingSink, why: type[Exception]) -> str:
        """Check that a sink heard of the loss, and why; returns the words."""
        assert sink.lost is not None
        self.assertTrue(sink.lost.check(why), sink.lost)
        return str(sink.lost.getErrorMessage())
