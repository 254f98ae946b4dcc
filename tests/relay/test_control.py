"""Control channels once they are open."""

from __future__ import annotations

import json
from typing import Any

from hybridconn.core.entities import Claim
from hybridconn.testing.frames import CONTINUATION, PING, PONG, TEXT
from hybridconn.testing.ws_peer import WsPeer
from tests.relay.scene import RelayTestCase


class RenewalTests(RelayTestCase):
    """Tokens on an open control channel (sections 5.3 and 5.4)."""

    def renew(self, listener: WsPeer, token: Any) -> None:
        listener.text(json.dumps({"renewToken": {"token": token}}))
        self.flush()

    def test_expiry(self) -> None:
        """An expired token closes the channel with 1008 within 5 s (F18)."""
        listener = self.listen(lifetime=10)
        self.network.advance(9.5)
        self.assertIsNone(listener.close_frame)
        self.network.advance(5.5)
        assert listener.close_frame is not None
        self.assertEqual(listener.close_frame[0], 1008)
        self.assertIn("token is expired", listener.close_frame[1])

    def test_tunnels_outlive_the_token(self) -> None:
        """What runs goes on when the listener's token ends."""
        control = self.listen(lifetime=10)
        sender = self.connect()
        listener = self.rendezvous(self.accepts(control)[0])
        self.network.advance(20)
        self.assertIsNotNone(control.close_frame)
        sender.text("still here")
        self.flush()
        self.assertEqual(listener.messages, ["still here"])
        self.assertEqual(self.connect().status, 404)

    def test_renewed(self) -> None:
        """A good new token keeps the channel, and is not answered."""
        self.restart(ping_interval=1000.0)
        listener = self.listen(lifetime=10)
        self.renew(listener, self.token(Claim.LISTEN, lifetime=60))
        self.network.advance(40)
        self.assertIsNone(listener.close_frame)
        self.assertEqual(listener.messages, [])
        self.network.advance(30)
        self.assertIsNotNone(listener.close_frame)

    def test_bad_renewals(self) -> None:
        """Anything but a good token for this entity closes with 1008."""
        for token in (
            "rubbish",
            "",
            5,
            None,
            self.token(Claim.SEND),
            self.token(Claim.LISTEN, "other"),
            self.token(Claim.LISTEN, lifetime=-1),
        ):
            listener = self.listen()
            self.renew(listener, token)
            assert listener.close_frame is not None, token
            self.assertEqual(listener.close_frame[0], 1008, token)
            self.assertNotIn("sig=", listener.close_frame[1])
            self.assertEqual(self.connect().status, 404)


class ControlChannelTests(RelayTestCase):
    """What a listener may and may not do on its control channel."""

    def assert_online(self, listener: WsPeer) -> None:
        self.assertIsNone(listener.close_frame)
        before = len(self.accepts(listener))
        self.connect().abort()
        self.flush()
        self.assertEqual(len(self.accepts(listener)), before + 1)

    def test_nonsense_is_ignored(self) -> None:
        """Unknown and unreadable commands are ignored, the channel goes on."""
        listener = self.listen()
        for text in ("", "x", "{}", "[]", '{"a":1}', '{"a":1,"b":2}', "[" * 30000):
            listener.text(text)
        listener.binary(b"\x00\xff")
        self.flush()
        self.assert_online(listener)

    def test_close_is_echoed(self) -> None:
        """A listener that closes gets its code back and is asked no more."""
        listener = self.listen()
        listener.close(1000, b"bye")
        self.flush()
        self.assertEqual(listener.close_frame, (1000, "bye"))
        self.assertIsNotNone(listener.lost)
        self.assertEqual(self.connect().status, 404)

    def test_ping(self) -> None:
        """A ping is answered; a pong that nobody asked for is fine."""
        listener = self.listen()
        listener.frame(PING, b"hi")
        listener.frame(PONG, b"unsolicited")
        self.flush()
        self.assertEqual(
            [(f.opcode, f.payload) for f in listener.frames], [(PONG, b"hi")]
        )
        self.assert_online(listener)

    def test_dead_listener(self) -> None:
        """One that answers no ping is dropped, and is asked no more (T19)."""
        listener = self.listen()
        self.network.advance(40)
        self.assertIn(PING, [frame.opcode for frame in listener.frames])
        self.network.advance(20)
        self.assertIsNotNone(listener.lost)
        self.assertEqual(self.connect().status, 404)

    def test_ponging_listener_lives_for_ever(self) -> None:
        """A silent listener that answers pings is healthy."""
        listener = self.listen(lifetime=10_000_000)
        for _ in range(200):
            self.network.advance(10)
            for frame in listener.frames:
                if frame.opcode == PING:
                    listener.frame(PONG, frame.payload)
            listener.frames.clear()
        self.assertIsNone(listener.lost)
        self.assert_online(listener)

    def test_too_many_control_frames(self) -> None:
        """More pings than anybody needs end with 1008 (T17)."""
        listener = self.listen()
        for _ in range(200):
            listener.frame(PING)
        self.flush()
        self.assertEqual(listener.close_frame, (1008, "too many control frames"))
        self.assertLess(len(listener.frames), 110)

    def test_too_many_fragments(self) -> None:
        """A command in more than 1,024 frames is 1008, empty ones count (T17)."""
        listener = self.listen()
        listener.frame(TEXT, b"{", final=False)
        for _ in range(1100):
            listener.frame(CONTINUATION, b"", final=False)
        self.flush()
        assert listener.close_frame is not None
        self.assertEqual(listener.close_frame[0], 1008)

    def test_too_long_a_command(self) -> None:
        """A command of more than 64 kB is 1009."""
        listener = self.listen()
        listener.text("x" * 70_000)
        self.flush()
        assert listener.close_frame is not None
        self.assertEqual(listener.close_frame[0], 1009)

    def test_listener_that_does_not_read(self) -> None:
        """One that takes no commands is asked no more, and dropped after 10 s."""
        self.restart(pending_per_entity=10_000, accept_retry=0.0)
        listener = self.listen()
        listener.pause()
        headers = {f"X-{n}": "x" * 7000 for n in range(4)}
        statuses = [self.connect(headers=headers).status for _ in range(60)]
        self.assertEqual((statuses[0], statuses[-1]), (0, 404))
        self.network.advance(25)
        listener.resume()
        self.flush()
        self.assertIsNotNone(listener.close_frame)

    def test_unmasked_frame(self) -> None:
        """A client's frame without a mask is 1002."""
        listener = self.listen()
        listener.frame(TEXT, b"{}", masked=False)
        self.flush()
        assert listener.close_frame is not None
        self.assertEqual(listener.close_frame[0], 1002)
