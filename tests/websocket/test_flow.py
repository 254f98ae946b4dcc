"""Tests for L{hybridconn.websocket.flow}: what is taken, and how often."""

from __future__ import annotations

from twisted.internet.interfaces import IPushProducer
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.testing import RecordingSink
from hybridconn.websocket.flow import Flow, FrameBudget
from tests.testing.recording import PushRecorder
from tests.websocket.scene import WebSocketTestCase


class FlowTests(SynchronousTestCase):
    """The meter between a transport and a producer."""

    def test_passes_on(self) -> None:
        """The producer hears what the transport says; the meter knows too."""
        flow, producer = Flow(), PushRecorder()
        self.assertTrue(verifyObject(IPushProducer, flow))
        flow.drive(producer)
        flow.pauseProducing()
        self.assertEqual((flow.blocked, flow.turns), (True, 1))
        flow.resumeProducing()
        self.assertEqual((flow.blocked, flow.turns), (False, 2))
        flow.stopProducing()
        self.assertEqual(producer.calls, ["pause", "resume", "stop"])

    def test_released(self) -> None:
        """Once released nothing is passed on, and nothing counts as blocked."""
        flow, producer = Flow(), PushRecorder()
        flow.drive(producer)
        flow.pauseProducing()
        flow.release()
        self.assertFalse(flow.blocked)
        flow.resumeProducing()
        flow.pauseProducing()
        flow.stopProducing()
        self.assertEqual(producer.calls, ["pause"])


class FrameBudgetTests(SynchronousTestCase):
    """The token bucket."""

    def test_burst_and_rate(self) -> None:
        """A burst is there at once, then as many as the rate gives."""
        budget = FrameBudget(10.0, 5.0)
        self.assertEqual([budget.spend(0.0) for _ in range(6)], [True] * 5 + [False])
        self.assertEqual([budget.spend(0.1), budget.spend(0.1)], [True, False])
        self.assertTrue(budget.spend(0.3))

    def test_never_more_than_the_burst(self) -> None:
        """A long rest saves up no more than one burst."""
        budget = FrameBudget(10.0, 3.0)
        self.assertTrue(budget.spend(0.0))
        self.assertEqual(
            [budget.spend(1e6) for _ in range(4)], [True, True, True, False]
        )


class ProducerTests(WebSocketTestCase):
    """A producer that feeds a WebSocket."""

    def test_paused_and_resumed(self) -> None:
        """A reader that stops pauses the producer; bytes and frames stay whole."""
        end, peer = self.server(RecordingSink())
        producer = PushRecorder()
        end.register_producer(producer, True)
        peer.pause()
        for _ in range(3):
            end.send_piece(bytes(40_000), True, True)
        self.flush()
        self.assertEqual(producer.calls[0], "pause")
        self.assertNotIn("resume", producer.calls)
        self.assertTrue(end.flow.blocked)
        peer.resume()
        self.flush()
        self.assertEqual(producer.calls[-1], "resume")
        self.assertFalse(end.flow.blocked)
        self.assertEqual(peer.messages, [bytes(40_000)] * 3)

    def test_stopped(self) -> None:
        """A lost connection stops the producer."""
        end, peer = self.server(RecordingSink())
        producer = PushRecorder()
        end.register_producer(producer, True)
        peer.abort()
        self.flush()
        self.assertEqual(producer.calls, ["stop"])

    def test_unregistered(self) -> None:
        """A producer that was unregistered hears nothing more; twice is fine."""
        end, peer = self.server(RecordingSink())
        producer = PushRecorder()
        end.register_producer(producer, True)
        end.unregister_producer()
        end.unregister_producer()
        peer.pause()
        end.send_piece(bytes(100_000), True, True)
        self.flush()
        peer.resume()
        peer.abort()
        self.flush()
        self.assertEqual(producer.calls, [])

    def test_pull(self) -> None:
        """A pull producer is asked each time that all is written."""

        class Pull:
            left = 3

            def resumeProducing(self) -> None:
                if self.left:
                    self.left -= 1
                    end.send_piece(b"x", True, True)

            def stopProducing(self) -> None:
                """Nothing to stop."""

        end, peer = self.server(RecordingSink())
        end.register_producer(Pull(), False)
        self.flush()
        self.assertEqual(peer.messages, [b"x"] * 3)
