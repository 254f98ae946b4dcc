"""Tests for L{hybridconn.testing.fakes}."""

from __future__ import annotations

from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.core.http import RequestHead
from hybridconn.core.refusals import EndpointNotFound
from hybridconn.interfaces import IHeldRequest, ITunnel, ITunnelSink
from hybridconn.testing import (
    Answer,
    FakeHeldRequest,
    RecordingSink,
    RecordingTunnel,
    Upgrade,
)


class RecordingTests(SynchronousTestCase):
    """Sinks and tunnels that remember."""

    def test_sink(self) -> None:
        """A sink joins pieces to messages and keeps the end."""
        sink = RecordingSink()
        self.assertTrue(verifyObject(ITunnelSink, sink))
        sink.piece_received(b"to", True, False)
        sink.piece_received(b"gether", True, True)
        sink.piece_received("é".encode(), False, True)
        self.assertEqual(sink.messages, [b"together", "é"])
        self.assertEqual(sink.pieces[0], (b"to", True, False))
        sink.close_received(1000, b"bye")
        self.assertEqual(sink.closed, (1000, b"bye"))
        sink.tunnel_lost(Failure(ConnectionDone()))
        self.assertIsNotNone(sink.lost)

    def test_sink_is_strict(self) -> None:
        """What may not come is an error of the tunnel's."""
        sink = RecordingSink()
        sink.close_received(None, b"")
        self.assertRaises(AssertionError, sink.piece_received, b"", True, True)
        self.assertRaises(AssertionError, sink.close_received, None, b"")
        why = Failure(ConnectionDone())
        sink.tunnel_lost(why)
        self.assertRaises(AssertionError, sink.tunnel_lost, why)

    def test_tunnel(self) -> None:
        """A tunnel keeps the calls, and its sink for the test to call."""
        tunnel, sink, producer = RecordingTunnel(), RecordingSink(), object()
        self.assertTrue(verifyObject(ITunnel, tunnel))
        tunnel.attach(sink)
        tunnel.register_producer(producer, True)
        self.assertIs(tunnel.producer, producer)
        tunnel.send_piece(b"x", True, True)
        tunnel.pause()
        tunnel.resume()
        tunnel.unregister_producer()
        tunnel.send_close(1000, b"")
        tunnel.finish(1001, b"")
        tunnel.drop()
        tunnel.abort()
        self.assertIs(tunnel.sink, sink)
        self.assertEqual(tunnel.sent, [(b"x", True, True)])
        names = [call[0] for call in tunnel.calls]
        self.assertEqual(names[1:4], ["send_piece", "pause", "resume"])
        self.assertEqual(
            tunnel.calls[-3:], [("finish", 1001, b""), ("drop",), ("abort",)]
        )


class HeldRequestTests(SynchronousTestCase):
    """Requests without a connection."""

    def setUp(self) -> None:
        self.request = FakeHeldRequest(RequestHead("GET", "/$hc/hyco"))
        self.gone: list[str] = []
        self.request.on_gone(lambda: self.gone.append("gone"))

    def test_outcomes(self) -> None:
        """The one answer is kept as what it is."""
        self.assertTrue(verifyObject(IHeldRequest, self.request))
        self.request.answer(200, "OK", [("A", "b")], b"body")
        self.assertEqual(
            self.request.outcome, Answer(200, "OK", (("A", "b"),), b"body")
        )
        refused = FakeHeldRequest(self.request.head)
        refusal = EndpointNotFound()
        refused.refuse(refusal)
        self.assertIs(refused.outcome, refusal)
        upgraded = FakeHeldRequest(self.request.head)
        upgraded.authenticated()
        upgraded.upgrade("protocol", "chat")
        self.assertEqual(upgraded.outcome, Upgrade("protocol", "chat", ()))
        self.assertTrue(upgraded.is_authenticated)

    def test_one_answer(self) -> None:
        """A second answer is an error of the handler's."""
        self.request.refuse(EndpointNotFound())
        self.assertRaises(AssertionError, self.request.answer, 200, "OK")
        self.request.leave()
        self.assertEqual(self.gone, [])

    def test_leaves(self) -> None:
        """Watchers hear of a client that leaves; answers are then for nobody."""
        self.request.leave()
        self.request.on_gone(lambda: self.gone.append("late"))
        self.request.answer(200, "OK")
        self.assertEqual(self.gone, ["gone", "late"])
        self.assertIsNone(self.request.outcome)
