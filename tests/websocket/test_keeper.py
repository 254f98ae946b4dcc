"""Tests for L{hybridconn.websocket.keeper}: pings from a listener or sender."""

from __future__ import annotations

from twisted.internet.error import ConnectionAborted

from hybridconn.testing import RecordingSink
from hybridconn.testing.frames import PING, PONG
from hybridconn.websocket.keeper import Keeper
from tests.websocket.scene import WebSocketTestCase


class KeeperTests(WebSocketTestCase):
    """Is the relay still there?"""

    def setUp(self) -> None:
        super().setUp()
        self.keeper = Keeper(self.clock, 30.0, 60.0)

    def test_silent_relay(self) -> None:
        """A relay that is silent is pinged, and dropped within dead_after."""
        sink = RecordingSink()
        socket, peer = self.client(sink)
        self.keeper.watch(socket, "control channel")
        self.advance(29.0)
        self.assertEqual(peer.frames, [])
        self.advance(10.0)
        self.assertEqual([frame.opcode for frame in peer.frames], [PING])
        self.advance(21.0)
        self.lost(sink, ConnectionAborted)
        self.keeper.forget(socket)
        self.quiet()

    def test_living_relay(self) -> None:
        """One that answers, or sends anything at all, is kept for ever."""
        socket, peer = self.client(RecordingSink())
        self.keeper.watch(socket, "control channel")
        for round in range(40):
            if round % 2:
                peer.frame(PONG)
            else:
                peer.text("a command")
            self.advance(40.0)
        self.assertIsNone(peer.lost)
        self.keeper.forget(socket)

    def test_timer(self) -> None:
        """Its timer runs only while there is something to watch."""
        self.assertEqual(list(self.clock.getDelayedCalls()), [])
        one, _ = self.client(RecordingSink())
        two, _ = self.client(RecordingSink())
        self.keeper.watch(one, "one")
        self.keeper.watch(two, "two")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.keeper.forget(one)
        self.keeper.forget(one)
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.keeper.forget(two)
        self.assertEqual(list(self.clock.getDelayedCalls()), [])
        self.keeper.watch(one, "again")
        self.assertEqual(len(self.clock.getDelayedCalls()), 1)
        self.keeper.forget(one)
