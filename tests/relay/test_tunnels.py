"""Tunnels once they are open."""

from __future__ import annotations

import struct
from typing import Any

from hybridconn.testing.frames import BINARY, CONTINUATION, PING, PONG
from tests.relay.scene import RelayTestCase


class TunnelTests(RelayTestCase):
    """The data phase, seen from outside (section 6.4)."""

    def test_close_codes(self) -> None:
        """Code and reason of a Close go through, both ways, in both orders."""
        for code, reason in ((1000, b"bye"), (4001, b"x"), (None, b""), (1013, b"")):
            for swap in (False, True):
                pair = self.tunnel()
                first, second = reversed(pair) if swap else pair
                first.close(code, reason)
                self.flush()
                self.assertEqual(second.close_frame, (code, reason.decode()))
                self.assertIsNone(first.close_frame)
                second.close(code, reason)
                self.flush()
                self.assertEqual(first.close_frame, (code, reason.decode()))
                self.assertIsNotNone(first.lost)
                self.assertIsNotNone(second.lost)
                self.control.abort()
                self.flush()

    def test_half_close(self) -> None:
        """After one side's Close the other side's data still arrives."""
        sender, listener = self.tunnel()
        sender.close(1000, b"Shutdown")
        self.flush()
        for _ in range(20):
            listener.binary(b"z" * 100_000)
            self.network.advance(30)
        self.assertEqual(sum(map(len, sender.messages)), 2_000_000)
        listener.close(1000, b"done")
        self.flush()
        self.assertEqual(sender.close_frame, (1000, "done"))

    def test_half_close_is_not_for_ever(self) -> None:
        """If nothing comes for 60 s after the first Close both are dropped."""
        self.restart(ping_interval=1000.0)
        sender, listener = self.tunnel()
        sender.close()
        self.network.advance(59)
        self.assertIsNone(sender.lost)
        self.network.advance(10)
        self.assertIsNotNone(sender.lost)
        self.assertIsNotNone(listener.lost)
        self.assertIsNone(sender.close_frame)

    def test_abnormal_loss(self) -> None:
        """A side that vanishes drops the other without a Close: it sees 1006."""
        for index in (0, 1):
            pair = self.tunnel()
            lost, other = pair[index], pair[1 - index]
            lost.binary(b"last words")
            lost.abort() if index else lost.hang_up()
            self.flush()
            self.assertIsNone(other.close_frame)
            self.assertIsNotNone(other.lost)
            self.control.abort()
            self.flush()

    def test_last_words(self) -> None:
        """What came before the loss is delivered."""
        sender, listener = self.tunnel()
        sender.binary(b"last words")
        sender.hang_up()
        self.flush()
        self.assertEqual(listener.messages, [b"last words"])

    def test_protocol_error(self) -> None:
        """A side that breaks RFC 6455 is told 1002; the other is dropped."""
        for opcode, more in (
            (3, {}),
            (11, {}),
            (BINARY, {"rsv": 4}),
            (BINARY, {"masked": False}),
            (CONTINUATION, {}),
            (PING, {"final": False}),
            (BINARY, {"payload": b"x", "wide": 2}),
        ):
            sender, listener = self.tunnel()
            arguments: dict[str, Any] = dict(more)
            sender.frame(opcode, arguments.pop("payload", b""), **arguments)
            self.flush()
            assert sender.close_frame is not None, (opcode, more)
            self.assertEqual(sender.close_frame[0], 1002, (opcode, more))
            self.assertIsNone(listener.close_frame)
            self.assertIsNotNone(listener.lost)
            self.control.abort()
            self.flush()

    def test_wrong_close_codes(self) -> None:
        """Codes that may not go over the wire are 1002, and not forwarded."""
        for code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535):
            sender, listener = self.tunnel()
            sender.frame(8, struct.pack("!H", code))
            self.flush()
            assert sender.close_frame is not None, code
            self.assertEqual(sender.close_frame[0], 1002, code)
            self.assertIsNone(listener.close_frame)
            self.control.abort()
            self.flush()

    def test_pings_end_at_the_relay(self) -> None:
        """Each hop answers for itself; nothing is forwarded."""
        sender, listener = self.tunnel()
        sender.frame(PING, b"a")
        self.flush()
        self.assertEqual([f.opcode for f in sender.frames], [PONG])
        self.assertEqual(listener.frames, [])

    def test_ping_inside_a_message(self) -> None:
        """A ping in the middle of a message is answered in its middle."""
        sender, listener = self.tunnel()
        sender.frame(BINARY, b"one", final=False)
        sender.frame(PING, b"now")
        sender.frame(CONTINUATION, b"two", final=True)
        self.flush()
        self.assertEqual([f.opcode for f in sender.frames], [PONG])
        self.assertEqual(listener.messages, [b"onetwo"])

    def test_dead_leg(self) -> None:
        """A leg that answers no ping is dropped, and so is the other."""
        sender, listener = self.tunnel()
        self.network.advance(60)
        self.assertIsNotNone(sender.lost)
        self.assertIsNotNone(listener.lost)

    def test_entity_deleted(self) -> None:
        """Everything at a deleted entity is closed with 1001; the rest stays."""
        self.relay.add("other")
        spared = self.listen("other")
        sender, listener = self.tunnel()
        waiting = self.connect()
        self.relay.remove("hyco")
        self.flush()
        for peer in (sender, listener, self.control):
            assert peer.close_frame is not None
            self.assertEqual(peer.close_frame[0], 1001)
        self.assertEqual(waiting.status, 404)
        self.assertIsNone(spared.close_frame)
        self.assertTrue(self.relay.service.desk.keys)

    def test_shutdown(self) -> None:
        """A relay that stops closes all with 1001 and waits for no one for long."""
        sender, listener = self.tunnel()
        waiting = self.connect()
        self.relay.stop()
        for peer in (sender, listener, self.control):
            assert peer.close_frame is not None
            self.assertEqual(peer.close_frame[0], 1001)
        self.assertEqual(waiting.status, 503)

    def test_shutdown_waits_for_the_closes(self) -> None:
        """The end is not reported before an idle listener has its 1001."""
        listener = self.listen()
        stopped = self.relay.service.stopService()
        self.assertNoResult(stopped)
        self.flush()
        self.assertEqual(listener.close_frame, (1001, "the relay is shutting down"))
        listener.close(1001)
        self.network.advance(1)
        self.successResultOf(stopped)
        self.assertIsNotNone(listener.lost)

    def test_nothing_is_left(self) -> None:
        """After all went away the relay remembers nothing and no timer runs."""
        for _ in range(3):
            sender, listener = self.tunnel()
            sender.close()
            listener.close()
            self.control.close()
            self.flush()
        self.connect().abort()
        self.flush()
        self.assertTrue(self.relay.service.desk.idle)
        self.relay.stop()
        self.assertEqual(self.relay.clock.getDelayedCalls(), [])
