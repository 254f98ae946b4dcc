"""Tests of L{hybridconn.websocket.reuse}; the whole way: L{tests.sender.test_reuse}."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.frames import Piece
from hybridconn.core.limits import Limits
from hybridconn.core.reuse import End, Opened, encode
from hybridconn.websocket.reuse import HOLD, Carrier

OPENED = (encode(Opened()), False, True)


class Socket:
    """Records what is written in one go."""

    read_sizes = None
    close_received = False
    limits = Limits()

    def __init__(self) -> None:
        self.clock = Clock()
        self.written: list[tuple[Piece, ...]] = []

    def send_pieces(self, pieces: Sequence[Piece]) -> None:
        self.written.append(tuple(pieces))

    def nothing(self, *arguments: object) -> None:
        """Not looked at here."""

    resume = unregister_producer = nothing


class HoldTests(SynchronousTestCase):
    """A message waits for a moment, so that bytes can go out with it."""

    def setUp(self) -> None:
        self.socket = Socket()
        self.lost: list[Carrier] = []
        socket: Any = self.socket
        self.carrier = Carrier(socket, self.lost.append)
        self.stream = self.carrier.begin()
        self.carrier.send_soon(Opened())

    def test_with_bytes(self) -> None:
        """It goes in front of the next bytes, in the same write, and only once."""
        self.assertEqual(self.socket.written, [])
        self.stream.send_piece(b"data", True, True)
        data = (b"data", True, True)
        self.assertEqual(self.socket.written, [(OPENED, data)])
        self.stream.send_piece(b"data", True, True)
        self.socket.clock.advance(1)
        self.assertEqual(self.socket.written, [(OPENED, data), (data,)])

    def test_alone(self) -> None:
        """Without any it goes by itself."""
        self.socket.clock.advance(HOLD)
        self.assertEqual(self.socket.written, [(OPENED,)])
        self.assertEqual(self.socket.clock.getDelayedCalls(), [])

    def test_order(self) -> None:
        """No other message overtakes it."""
        self.stream.send_close(None, b"")
        end = (encode(End()), False, True)
        self.assertEqual(self.socket.written, [(OPENED, end)])

    def test_lost(self) -> None:
        """Nothing is left behind when the WebSocket is lost."""
        self.carrier.tunnel_lost(Failure(ConnectionError()))
        self.assertEqual(self.socket.clock.getDelayedCalls(), [])
        self.assertEqual(self.lost, [self.carrier])
