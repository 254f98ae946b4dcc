"""Tests for L{hybridconn.websocket.splice}: the data phase at the relay."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

from twisted.internet.error import ConnectionDone, ConnectionLost

from hybridconn.testing import Connection, WsPeer, one_protocol
from hybridconn.testing.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from hybridconn.websocket.server import TunnelServerFactory
from hybridconn.websocket.splice import Ending, Splice
from hybridconn.websocket.upkeep import Liveness, Upkeep
from tests.websocket.scene import WebSocketTestCase


class SpliceTestCase(WebSocketTestCase):
    """A sender and a listener, both made of bytes, and the relay's splice."""

    def setUp(self) -> None:
        super().setUp()
        self.begin()

    def begin(self, **limits: Any) -> None:
        """Make a tunnel whose ends are still to dial."""
        self.limit(**limits)
        self.endings: list[Ending] = []
        factory = TunnelServerFactory(self.clock, self.limits, self.data_path)
        self.sender_leg, self.listener_leg = factory.build(), factory.build()
        self.splice = Splice(
            self.sender_leg, self.listener_leg, self.limits, self._ended
        )
        self.sender, self.listener = WsPeer.client("/"), WsPeer.client("/")
        self.upkeep = Upkeep(self.clock, 1.0)
        self.upkeep.add(self.splice)

    def _ended(self, ending: Ending) -> None:
        self.endings.append(ending)
        self.upkeep.discard(self.splice)

    def join_listener(self) -> None:
        """The listener dials first."""
        self.attach(self.listener_leg, self.listener)

    def join_sender(self) -> None:
        """The sender gets its 101 after it."""
        self.attach(self.sender_leg, self.sender)
        self.splice.wire()

    def attach(self, leg: Any, peer: WsPeer) -> None:
        port = self.network.listen("relay.test", 0, one_protocol(leg))
        peer.dial(self.network, "relay.test", port.getHost().port)
        self.flush()
        port.stopListening()

    def tunnel(self, **limits: Any) -> tuple[WsPeer, WsPeer]:
        """A whole tunnel that is looked after."""
        if limits:
            self.begin(**limits)
        self.join_listener()
        self.listener_wire = self.connection
        self.join_sender()
        self.sender_wire = self.connection
        self.upkeep.startService()
        return self.sender, self.listener

    def ended(self) -> Ending:
        """Check that the tunnel is over; returns how it ended."""
        self.upkeep.stopService()
        self.quiet()
        (ending,) = self.endings
        return ending


class DataTests(SpliceTestCase):
    """Messages both ways."""

    def test_messages(self) -> None:
        """Type, boundaries and order stay, both ways, empty messages too."""
        sender, listener = self.tunnel()
        for source, target in ((sender, listener), (listener, sender)):
            source.text("hé")
            source.binary(bytes(range(256)))
            source.binary(b"")
            source.text("")
            source.binary(bytes(200_000))
            self.flush()
            self.assertEqual(
                target.messages, ["hé", bytes(range(256)), b"", "", bytes(200_000)]
            )
            self.assertLessEqual(max(len(f.payload) for f in target.frames), 65536)
            self.assertEqual(
                {f.masked for f in target.frames}, {False}, "the relay is a server"
            )

    def test_fragments_as_they_come(self) -> None:
        """A fragment goes on at once: a message may be endless."""
        sender, listener = self.tunnel()
        sender.frame(TEXT, b"one", False)
        self.flush()
        self.assertEqual(
            [(f.opcode, f.payload, f.final) for f in listener.frames],
            [(TEXT, b"one", False)],
        )
        sender.frame(CONTINUATION, b"two")
        self.flush()
        self.assertEqual(listener.messages, ["onetwo"])

    def test_any_cut(self) -> None:
        """However small the reads are, the messages are the same."""
        sender, listener = self.tunnel()
        random = Random(7)
        sent: list[str | bytes] = [random.randbytes(n) for n in (0, 1, 125, 126, 3000)]
        for piece_bytes in (1, 2, 3, 7, 64, 1000):
            self.sender_wire.split(piece_bytes)
            self.listener_wire.split(piece_bytes)
            listener.messages.clear()
            for message in sent:
                assert isinstance(message, bytes)
                sender.binary(message)
            self.flush()
            self.assertEqual(listener.messages, sent)

    def test_pings_end_here(self) -> None:
        """Pings and pongs are not passed on: each hop has its own."""
        sender, listener = self.tunnel()
        sender.frame(PING, b"hop")
        sender.frame(PONG, b"by the way")
        self.flush()
        self.assertEqual(
            [(f.opcode, f.payload) for f in sender.frames], [(PONG, b"hop")]
        )
        self.assertEqual(listener.frames, [])

    def test_data_before_the_senders_101(self) -> None:
        """What a listener sends at once waits for the sender's 101."""
        self.join_listener()
        self.listener.text("early")
        self.listener.frame(BINARY, b"half", False)
        self.flush()
        self.assertIsNone(self.listener.lost)
        self.join_sender()
        self.listener.frame(CONTINUATION, b"whole")
        self.flush()
        self.assertEqual(self.sender.messages, ["early", b"halfwhole"])

    def test_close_before_the_senders_101(self) -> None:
        """A listener that says all it has and closes at once is heard in full."""
        self.join_listener()
        self.listener.text("early")
        self.listener.close(4000, b"that is all")
        self.flush()
        self.join_sender()
        self.assertEqual(self.sender.messages, ["early"])
        self.assertEqual(self.sender.close_frame, (4000, "that is all"))

    def test_loss_before_the_senders_101(self) -> None:
        """
        A listener that is lost, or breaks a rule, before the sender's 101 takes
        the sender along, which gets what was sent for it.
        """
        for end_it in (
            WsPeer.hang_up,
            WsPeer.abort,
            lambda listener: listener.frame(3),
        ):
            self.begin()
            self.join_listener()
            self.listener.text("early")
            self.flush()
            end_it(self.listener)
            self.flush()
            self.join_sender()
            self.assertEqual(self.sender.messages, ["early"])
            self.assertIsNone(self.sender.close_frame)
            self.assertIsNotNone(self.sender.lost)
            self.assertEqual(self.ended().ended_by, "listener")


class BackpressureTests(SpliceTestCase):
    """A reader that stops stops the writer."""

    def stalled(self, source: WsPeer, target: WsPeer, held: Connection) -> None:
        target.pause()
        pipe = held.to_server
        digest, total = hashlib.sha256(), 0
        for number in range(64):
            piece = bytes([number]) * 32768
            source.frame(BINARY if not number else CONTINUATION, piece, False)
            digest.update(piece)
            total += len(piece)
        self.advance(30.0)
        # One read and one write buffer are in the relay; the rest is with the writer.
        self.assertGreater(pipe.unread, total - 4 * 65536)
        target.resume()
        source.frame(CONTINUATION, b"")
        self.flush()
        (whole,) = target.messages
        assert isinstance(whole, bytes)
        self.assertEqual(hashlib.sha256(whole).digest(), digest.digest())
        self.assertEqual(self.endings, [])

    def test_to_listener(self) -> None:
        """A listener that reads nothing holds the sender; then all arrives."""
        sender, listener = self.tunnel()
        self.stalled(sender, listener, self.sender_wire)

    def test_to_sender(self) -> None:
        """A sender that reads nothing holds the listener; then all arrives."""
        sender, listener = self.tunnel()
        self.stalled(listener, sender, self.listener_wire)

    def test_other_way_flows(self) -> None:
        """One direction that is held does not hold the other."""
        sender, listener = self.tunnel()
        listener.pause()
        sender.binary(bytes(300_000))
        listener.binary(bytes(300_000))
        self.advance(10.0)
        self.assert_messages(sender, [bytes(300_000)])

    def test_write_stall(self) -> None:
        """Data that cannot be written for 60 s ends both legs, without a Close."""
        sender, listener = self.tunnel()
        listener.pause()
        sender.binary(bytes(500_000))
        self.advance(59.0)
        self.assertEqual(self.endings, [])
        self.advance(3.0)
        ending = self.endings[0]
        self.assertEqual((ending.ended_by, ending.ended_in), ("relay", "data"))
        self.assertEqual(ending.why, "sender's data could not be written")
        self.assertIsNone(sender.close_frame)
        assert sender.lost is not None
        sender.lost.trap(ConnectionLost)
        listener.resume()
        self.flush()
        self.ended()

    def test_slow_is_not_stalled(self) -> None:
        """A reader that takes a little now and then is left alone."""
        sender, listener = self.tunnel()
        listener.pause()
        sender.binary(bytes(1_500_000))
        for _ in range(8):
            self.advance(50.0)
            listener.resume()
            self.flush()
            sender.binary(bytes(500_000))
            listener.pause()
        self.assertEqual(self.endings, [])

    def test_no_stall_limit(self) -> None:
        """With a limit of 0 a stalled reader is borne for ever."""
        sender, listener = self.tunnel(write_stall_timeout=0.0)
        listener.pause()
        sender.binary(bytes(500_000))
        self.advance(10_000.0)
        self.assertEqual(self.endings, [])
        listener.resume()
        self.flush()
        self.assert_messages(listener, [bytes(500_000)])


class CloseTests(SpliceTestCase):
    """Close is a half-close (relay-protocol section 6.4)."""

    def test_half_close(self) -> None:
        """After one side's Close the other may send on, as long as it does."""
        for first, second in (("sender", "listener"), ("listener", "sender")):
            self.begin()
            self.tunnel()
            one, other = getattr(self, first), getattr(self, second)
            one.binary(b"request")
            one.close(1000, b"Shutdown")
            self.flush()
            self.assertEqual(other.messages, [b"request"])
            self.assertEqual(other.close_frame, (1000, "Shutdown"))
            self.assertIsNone(one.close_frame, "the relay must not answer it")
            for _ in range(10):
                other.binary(b"answer")
                self.advance(30.0)
            self.assertEqual(one.messages, [b"answer"] * 10)
            other.close(4001, b"done")
            self.flush()
            self.assertEqual(one.close_frame, (4001, "done"))
            for peer in (one, other):
                assert peer.lost is not None
                peer.lost.trap(ConnectionDone)
            ending = self.ended()
            self.assertEqual((ending.ended_by, ending.ended_in), (first, "close"))
            self.assertEqual(ending.why, "1000 Shutdown")
            counts = {first: 7, second: 60}
            self.assertEqual(ending.sender_bytes, counts["sender"])
            self.assertEqual(ending.listener_bytes, counts["listener"])

    def test_codes(self) -> None:
        """Code and reason are passed on as they are, none as none."""
        for code, reason in (
            (1000, b"bye"),
            (1001, b""),
            (1011, b"oops"),
            (4999, "é".encode()),
            (None, b""),
        ):
            self.begin()
            sender, listener = self.tunnel()
            sender.close(code, reason)
            self.flush()
            listener.close(code, reason)
            self.flush()
            self.assertEqual(listener.close_frame, (code, reason.decode()))
            self.assertEqual(sender.close_frame, (code, reason.decode()))
            self.assertEqual(self.ended().ended_in, "close")

    def test_close_within_a_message(self) -> None:
        """A Close in the middle of a message is passed on as that."""
        sender, listener = self.tunnel()
        sender.frame(BINARY, b"unfinish", False)
        sender.close(1000)
        self.flush()
        self.assertEqual([f.opcode for f in listener.frames], [BINARY, CLOSE])
        self.assertEqual(listener.messages, [])

    def test_crossing(self) -> None:
        """Two Closes that cross end it, each side with the other's code."""
        sender, listener = self.tunnel()
        sender.close(4001)
        listener.close(4002)
        self.flush()
        self.assertEqual(listener.close_frame, (4001, ""))
        self.assertEqual(sender.close_frame, (4002, ""))
        self.assertEqual(self.ended().ended_in, "close")

    def test_close_behind_stalled_data(self) -> None:
        """A Close waits its turn behind data, and data is not lost by it."""
        sender, listener = self.tunnel()
        listener.pause()
        sender.binary(bytes(500_000))
        sender.close(1000, b"Shutdown")
        self.advance(20.0)
        listener.close(1000)
        self.advance(20.0)
        listener.resume()
        self.flush()
        self.assert_messages(listener, [bytes(500_000)])
        self.assertEqual(listener.close_frame, (1000, "Shutdown"))
        self.assertEqual(self.ended().ended_in, "close")

    def test_second_half_in_time(self) -> None:
        """A second half that stays silent for 60 s is ended, without a Close."""
        sender, listener = self.tunnel()
        sender.close(1000)
        self.advance(59.0)
        self.assertEqual(self.endings, [])
        self.advance(3.0)
        self.assertIsNone(sender.close_frame)
        ending = self.ended()
        self.assertEqual((ending.ended_by, ending.ended_in), ("sender", "data"))
        self.assertIsNotNone(listener.lost)

    def test_second_half_waits_for_a_slow_reader(self) -> None:
        """While the data of the second half waits for its reader it is not late."""
        sender, listener = self.tunnel(write_stall_timeout=0.0, half_close_timeout=10.0)
        sender.close(1000)
        sender.pause()
        listener.binary(bytes(500_000))
        self.advance(300.0)
        self.assertEqual(self.endings, [])
        sender.resume()
        self.flush()
        self.assert_messages(sender, [bytes(500_000)])

    def test_from_the_relay(self) -> None:
        """close() closes both ends with its code, and takes no data any more."""
        sender, listener = self.tunnel()
        self.splice.close(1001, b"the endpoint was deleted")
        sender.binary(b"too late")
        self.flush()
        for peer in (sender, listener):
            self.assertEqual(peer.close_frame, (1001, "the endpoint was deleted"))
            peer.close(1001)
        self.flush()
        self.assertEqual(listener.messages, [])
        ending = self.ended()
        self.assertEqual(ending.ended_by, "relay")
        self.assertEqual(ending.why, "1001 the endpoint was deleted")

    def test_from_the_relay_in_vain(self) -> None:
        """Peers that do not answer are dropped in 5 s, stalled ones at last."""
        sender, listener = self.tunnel()
        listener.pause()
        sender.binary(bytes(500_000))
        self.flush()
        self.splice.close(1001, b"bye")
        self.advance(5.1)
        self.assertIsNotNone(sender.lost)
        self.advance(61.0)
        self.assertEqual(len(self.endings), 1)
        listener.resume()
        self.flush()
        self.ended()

    def test_from_the_relay_half_closed(self) -> None:
        """close() of a tunnel of which one half is closed ends the other."""
        sender, listener = self.tunnel()
        sender.close(1000)
        self.flush()
        self.splice.close(1001, b"bye")
        self.flush()
        self.assertEqual(sender.close_frame, (1001, "bye"))
        self.assertEqual(listener.close_frame, (1000, ""))
        listener.close(1000)
        self.flush()
        self.ended()


class LossTests(SpliceTestCase):
    """A leg that ends without a Close."""

    def test_loss(self) -> None:
        """The other leg is dropped without a Close, after what was sent for it."""
        for how in (WsPeer.abort, WsPeer.hang_up):
            for first, second in (("sender", "listener"), ("listener", "sender")):
                self.begin()
                self.tunnel()
                one, other = getattr(self, first), getattr(self, second)
                one.binary(b"last words")
                self.flush()
                how(one)
                self.flush()
                self.assertEqual(other.messages, [b"last words"])
                self.assertIsNone(other.close_frame)
                self.assertIsNotNone(other.lost)
                ending = self.ended()
                self.assertEqual((ending.ended_by, ending.ended_in), (first, "data"))

    def test_loss_flushes(self) -> None:
        """What is queued for a slow reader still arrives."""
        sender, listener = self.tunnel()
        listener.pause()
        sender.binary(bytes(100_000))
        self.flush()
        sender.hang_up()
        self.advance(30.0)
        listener.resume()
        self.flush()
        self.assert_messages(listener, [bytes(100_000)])
        self.assertIsNone(listener.close_frame)
        self.ended()

    def test_violation_behind_stalled_data(self) -> None:
        """A violation found while the other leg is held: its data still arrives."""
        sender, listener = self.tunnel()
        listener.pause()
        sender.binary(bytes(100_000))
        sender.frame(3)
        self.advance(30.0)
        listener.resume()
        self.flush()
        self.assert_messages(listener, [bytes(100_000)])
        self.assertIsNone(listener.close_frame)
        self.assertEqual(self.ended().ended_by, "sender")

    def test_loss_of_a_stalled_writer(self) -> None:
        """A sender that vanishes while it is held is noticed when it is read."""
        sender, listener = self.tunnel()
        listener.pause()
        sender.binary(bytes(500_000))
        self.flush()
        sender.abort()
        self.advance(30.0)
        listener.resume()
        self.flush()
        self.assertEqual(listener.messages, [])
        self.assertEqual(self.ended().ended_in, "data")

    def test_violation(self) -> None:
        """A leg that breaks the protocol is told so; the other sees no Close."""
        sender, listener = self.tunnel()
        sender.frame(3)
        self.flush()
        assert sender.close_frame is not None
        self.assertEqual(sender.close_frame[0], 1002)
        self.assertIsNone(listener.close_frame)
        self.assertIsNotNone(listener.lost)
        ending = self.ended()
        self.assertEqual((ending.ended_by, ending.ended_in), ("sender", "data"))
        self.assertIn("reserved opcode 3", ending.why)

    def test_loss_after_one_close(self) -> None:
        """A loss after one Close is a loss: the first to close gets none."""
        sender, listener = self.tunnel()
        sender.close(1000)
        self.flush()
        listener.abort()
        self.flush()
        self.assertIsNone(sender.close_frame)
        self.assertIsNotNone(sender.lost)
        self.assertEqual(self.ended().ended_in, "data")

    def test_closer_leaves(self) -> None:
        """One that closes its half and then goes away altogether is a loss."""
        sender, listener = self.tunnel()
        sender.close(1000)
        sender.hang_up()
        self.flush()
        self.assertEqual(listener.close_frame, (1000, ""))
        self.assertIsNotNone(listener.lost)
        self.assertEqual(self.ended().ended_by, "sender")

    def test_cut_wires(self) -> None:
        """Both connections cut at once is one end, told once."""
        self.tunnel()
        self.sender_wire.cut()
        self.listener_wire.cut()
        self.flush()
        self.assertEqual(self.ended().ended_in, "data")


class LivenessTests(SpliceTestCase):
    """Pings on the legs, with real sockets."""

    def watch(self) -> None:
        for leg in (self.sender_leg, self.listener_leg):
            self.upkeep.add(Liveness(leg, 30.0, 15.0, "leg"))

    def test_answering(self) -> None:
        """Idle ends that answer pings are kept for ever."""
        sender, listener = self.tunnel()
        self.watch()
        for _ in range(20):
            self.advance(32.0)
            for peer in (sender, listener):
                self.assertEqual(peer.frames.pop().opcode, PING)
                peer.frame(PONG)
        self.assertEqual(self.endings, [])

    def test_silent(self) -> None:
        """A leg that vanished while TCP stays up is found, and both legs end."""
        _, listener = self.tunnel()
        self.watch()
        self.sender_wire.silence()
        for _ in range(48):
            if any(frame.opcode == PING for frame in listener.frames):
                listener.frames.clear()
                listener.frame(PONG)
            self.advance(1.0)
        self.assertIsNotNone(listener.lost)
        self.assertIsNone(listener.close_frame)
        self.assertEqual(self.endings[0].ended_by, "sender")

    def test_held_is_excused(self) -> None:
        """A leg that is not read, as the other end stalls, is not taken for dead."""
        sender, listener = self.tunnel(write_stall_timeout=0.0)
        self.watch()
        listener.pause()
        sender.binary(bytes(500_000))
        for _ in range(10):
            self.advance(40.0)
        self.assertEqual(self.endings, [])

    def test_closed_is_excused(self) -> None:
        """A leg that closed its half cannot answer pings, and need not."""
        sender, listener = self.tunnel()
        self.watch()
        sender.close(1000)
        for _ in range(60):
            listener.binary(b"on and on")
            self.advance(10.0)
        self.assertEqual(self.endings, [])
