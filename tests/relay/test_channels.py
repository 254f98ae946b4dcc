"""Control channels and tunnels once they are open."""

from __future__ import annotations

import json
import struct
from typing import Any

from hybridconn.core.entities import Claim, HybridConnection
from hybridconn.core.listeners import ListenerRef, SenderRequest
from hybridconn.interfaces import ILoadBalancer
from hybridconn.relay.control import ControlChannel
from hybridconn.relay.handler import RelayHandler
from hybridconn.relay.service import RelayService
from hybridconn.testing.frames import BINARY, CONTINUATION, PING, PONG, TEXT
from hybridconn.testing.relay import MemoryRelay
from hybridconn.testing.ws_peer import WsPeer
from tests.relay.scene import LIMITS, RelayTestCase


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


class BalancingTests(RelayTestCase):
    """Which listener is asked, and what the load balancer learns."""

    def test_what_a_balancer_sees(self) -> None:
        """Candidates in the order in which they came, with their load."""
        seen: list[tuple[list[ListenerRef], SenderRequest]] = []

        class Recording:
            def choose(self, candidates: Any, request: SenderRequest) -> ListenerRef:
                seen.append((list(candidates), request))
                first: ListenerRef = candidates[0]
                return first

        balancer: Any = Recording()
        self.relay = MemoryRelay(["hyco"], limits=LIMITS, balancer=balancer)
        self.network = self.relay.network
        first = self.listen(query="sb-hc-id=one&")
        self.network.advance(7)
        self.listen(query="sb-hc-id=two&")
        self.connect("hyco/x", "q=1&", {"X-App": "shop"})
        self.rendezvous(self.accepts(first)[0])
        self.connect()
        (candidates, request), (later, _) = seen
        self.assertEqual([ref.sb_hc_id for ref in candidates], ["one", "two"])
        self.assertEqual([ref.connections for ref in candidates], [0, 0])
        self.assertEqual([ref.connections for ref in later], [1, 0])
        ages = [ref.connected_since for ref in candidates]
        self.assertEqual(ages[1] - ages[0], 7)
        self.assertEqual(len({ref.id for ref in candidates}), 2)
        self.assertEqual(request.headers["X-App"], "shop")
        self.assertEqual((request.entity_path, request.query), ("hyco", "q=1"))
        self.assertNotIn("ServiceBusAuthorization", request.headers)

    def test_wrong_choice(self) -> None:
        """A balancer that chooses nobody is named in the log; the sender is served."""

        class Wrong:
            def choose(self, candidates: Any, request: SenderRequest) -> None:
                return None

        balancer: Any = Wrong()
        self.relay = MemoryRelay(["hyco"], limits=LIMITS, balancer=balancer)
        self.network = self.relay.network
        self.tunnel()

    def test_random_is_fair(self) -> None:
        """Over 1,000 senders 4 listeners are asked alike (chi-squared, p 0.001)."""
        listeners = [self.listen() for _ in range(4)]
        for _ in range(1000):
            self.connect().abort()
            self.flush()
        counts = [len(one.messages) for one in listeners]
        self.assertEqual(sum(counts), 1000)
        self.assertLess(sum((n - 250) ** 2 / 250 for n in counts), 16.27, counts)


class SubclassTests(RelayTestCase):
    """The framework's classes are there to be subclassed."""

    def test_own_channel(self) -> None:
        """A control channel of one's own sees each command."""
        commands: list[object] = []

        class OwnChannel(ControlChannel):
            def command_received(self, command: object) -> None:
                commands.append(command)
                super().command_received(command)

        class OwnHandler(RelayHandler):
            channel_class = OwnChannel

        self.patch(RelayService, "handler_class", OwnHandler)
        self.restart()
        self.listen().text('{"hello": 1}')
        self.flush()
        self.assertEqual(len(commands), 1)

    def test_interfaces(self) -> None:
        """The strategy in use provides its interface."""
        from hybridconn.balancers.randomchoice import RandomBalancer

        self.assertTrue(ILoadBalancer.implementedBy(RandomBalancer))
        self.assertEqual(HybridConnection("hyco").segments, ("hyco",))
