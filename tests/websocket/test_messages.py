"""Tests for L{hybridconn.websocket.messages}: whole messages, of bounded size."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.interfaces import ITunnelSink
from hybridconn.testing import RecordingTunnel
from hybridconn.websocket.messages import MessageSink


class _Recorder(MessageSink):
    """Remembers messages."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self.messages: list[tuple[bytes, bool]] = []

    def message_received(self, message: bytes, binary: bool) -> None:
        self.messages.append((message, binary))


class MessageSinkTests(SynchronousTestCase):
    """What a control channel gets to see."""

    def setUp(self) -> None:
        self.sink, self.tunnel = _Recorder(10), RecordingTunnel()
        self.sink.tunnel = self.tunnel

    def test_gathers(self) -> None:
        """Pieces become messages of their type."""
        self.assertTrue(verifyObject(ITunnelSink, self.sink))
        self.sink.piece_received(b"one", False, False)
        self.sink.piece_received(b"two", False, True)
        self.sink.piece_received(b"", True, True)
        self.assertEqual(self.sink.messages, [(b"onetwo", False), (b"", True)])

    def test_largest(self) -> None:
        """A message of the largest size passes, and the next begins at zero."""
        for _ in range(2):
            self.sink.piece_received(b"12345", False, False)
            self.sink.piece_received(b"67890", False, True)
        self.assertEqual(self.sink.messages, [(b"1234567890", False)] * 2)
        self.assertEqual(self.tunnel.calls, [])

    def test_too_big(self) -> None:
        """A message over it ends the tunnel with 1009, before it is complete."""
        self.sink.piece_received(b"1234567890", False, False)
        self.sink.piece_received(b"1", False, False)
        self.assertEqual(self.tunnel.calls, [("finish", 1009, b"message too big")])
        self.assertEqual(self.sink.messages, [])

    def test_close(self) -> None:
        """A Close is answered with its own code: both halves end together."""
        self.sink.close_received(4001, b"bye")
        self.sink.close_received(None, b"")
        self.assertEqual(
            self.tunnel.calls, [("send_close", 4001, b"bye"), ("send_close", None, b"")]
        )

    def test_lost(self) -> None:
        """A loss in the middle of a message is no message."""
        self.sink.piece_received(b"half", False, False)
        self.sink.tunnel_lost(Failure(ConnectionDone()))
        self.assertEqual(self.sink.messages, [])
