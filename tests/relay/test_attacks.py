"""What a peer may try, with or without a right of its own."""

from __future__ import annotations

from typing import Any

from attrs import evolve

from hybridconn.core.entities import (
    AuthorizationRule,
    Claim,
    HybridConnection,
    Namespace,
)
from hybridconn.core.listeners import ListenerRef, SenderRequest
from hybridconn.core.sas import audience_of, sign
from hybridconn.relay.connecting import PublicUrl
from hybridconn.relay.control import ControlChannel
from hybridconn.relay.handler import RelayHandler
from hybridconn.testing.relay import MemoryRelay
from hybridconn.testing.ws_peer import WsPeer
from tests.relay.scene import LIMITS, RelayTestCase, watch_log

#: None of these can be the name of a sub-protocol.
NO_TOKENS = ("x\x81y", "two words", "caf\xe9")


class SubprotocolTests(RelayTestCase):
    """Sub-protocols that are no tokens leave nothing behind."""

    def test_at_a_control_channel(self) -> None:
        """A listener is online without it, and gone when its connection is."""
        for word in NO_TOKENS:
            headers = {
                "ServiceBusAuthorization": self.token(Claim.LISTEN),
                "Sec-WebSocket-Protocol": word,
            }
            peer = self.dial("/$hc/hyco?sb-hc-action=listen", headers)
            self.assertEqual(peer.status, 400, word)
            self.assertTrue(self.relay.service.desk.idle)

    def test_at_a_tunnel(self) -> None:
        """A sender that offers one is refused before it costs anything."""
        control = self.listen()
        for word in NO_TOKENS:
            sender = self.connect(headers={"Sec-WebSocket-Protocol": word})
            self.assertEqual(sender.status, 400, word)
        self.assertEqual(control.messages, [])

    def test_at_a_rendezvous(self) -> None:
        """A listener that asks for one is answered 400, and its sender too."""
        for word in NO_TOKENS:
            control = self.listen()
            sender = self.connect(headers={"Sec-WebSocket-Protocol": "chat"})
            (accept,) = self.accepts(control)
            listener = self.rendezvous(
                accept, headers={"Sec-WebSocket-Protocol": f"chat, {word}"}
            )
            self.assertEqual((listener.status, sender.status), (400, 404), word)
            control.abort()
            self.flush()
            self.assertTrue(self.relay.service.desk.idle)


class BrokenBalancerTests(RelayTestCase):
    """A load balancer of somebody else's that fails."""

    def test_raises(self) -> None:
        """Its mistake is logged; the sender is served, and no other one harmed."""

        class Broken:
            def choose(self, candidates: Any, request: SenderRequest) -> ListenerRef:
                raise ZeroDivisionError

        balancer: Any = Broken()
        self.relay = MemoryRelay(["hyco"], limits=LIMITS, balancer=balancer)
        self.network = self.relay.network
        self.tunnel()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_answers_nonsense(self) -> None:
        """So it is with an answer that cannot even be looked up."""

        class Nonsense:
            def choose(self, candidates: Any, request: SenderRequest) -> Any:
                return [candidates[0]]

        balancer: Any = Nonsense()
        self.relay = MemoryRelay(["hyco"], limits=LIMITS, balancer=balancer)
        self.network = self.relay.network
        self.tunnel()
        self.assertEqual(len(self.flushLoggedErrors(TypeError)), 1)


class BrokenChannelTests(RelayTestCase):
    """A control channel of somebody's own that fails."""

    def test_command(self) -> None:
        """The listener is told 1011, and the mistake is logged (section 5.4)."""

        class Broken(ControlChannel):
            def command_received(self, command: object) -> None:
                raise ZeroDivisionError

        self.patch(RelayHandler, "channel_class", Broken)
        listener = self.listen()
        listener.text('{"hello": 1}')
        self.flush()
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
        self.assertEqual(listener.close_frame, (1011, "internal error"))
        self.assertTrue(self.relay.service.desk.idle)


class AuthorizationHeaderTests(RelayTestCase):
    """The header C{Authorization} is the application's, unless it was the token."""

    entities = ("hyco", HybridConnection("open", False))

    def test_open_entity(self) -> None:
        """Where no token is asked for, it reaches the listener (section 3.1)."""
        listener = self.listen("open")
        self.dial(
            "/$hc/open?sb-hc-action=connect", {"Authorization": "Bearer of-the-app"}
        )
        (accept,) = self.accepts(listener)
        self.assertEqual(accept["connectHeaders"]["Authorization"], "Bearer of-the-app")

    def test_beside_a_token(self) -> None:
        """So it does beside the header that holds the token."""
        listener = self.listen()
        self.connect(headers={"Authorization": "Bearer of-the-app"})
        (accept,) = self.accepts(listener)
        self.assertIn("Authorization", accept["connectHeaders"])

    def test_as_the_token(self) -> None:
        """The token itself goes no further."""
        listener = self.listen()
        self.dial(
            "/$hc/hyco?sb-hc-action=connect", {"Authorization": self.token(Claim.SEND)}
        )
        (accept,) = self.accepts(listener)
        self.assertNotIn("Authorization", accept["connectHeaders"])


class RuleHeaderTests(RelayTestCase):
    """By which rule a sender came in (section 5.1)."""

    entities = ("hyco", HybridConnection("open", False))

    def test_told(self) -> None:
        """The relay says so, whatever the sender says."""
        listener = self.listen()
        self.connect(headers={"hybridconn-RULE": "root", "X-App": "1"})
        (accept,) = self.accepts(listener)
        headers = accept["connectHeaders"]
        told = {k: v for k, v in headers.items() if k.lower() == "hybridconn-rule"}
        self.assertEqual(list(told), ["HybridConn-Rule"])
        self.assertNotEqual(told["HybridConn-Rule"], "root")
        self.assertEqual(headers["X-App"], "1")

    def test_no_rule(self) -> None:
        """Where no token is asked for there is none, and nobody can say otherwise."""
        listener = self.listen("open")
        self.dial("/$hc/open?sb-hc-action=connect", {"HybridConn-Rule": "root"})
        (accept,) = self.accepts(listener)
        names = [name.lower() for name in accept["connectHeaders"]]
        self.assertNotIn("hybridconn-rule", names)


class TenantTests(RelayTestCase):
    """Two namespaces on one relay (T8, T10)."""

    def setUp(self) -> None:
        super().setUp()
        rules = (
            AuthorizationRule("L", {Claim.LISTEN}, self.relay.key(Claim.LISTEN)),
            AuthorizationRule("S", {Claim.SEND}, self.relay.key(Claim.SEND)),
        )
        other = Namespace("other", ("other.test",), rules, (HybridConnection("hyco"),))
        self.relay.store.put_namespace(other)

    def at_other(self, action: str, claim: Claim) -> WsPeer:
        """Ask for the other namespace's entity of the same name."""
        token = sign(
            audience_of("other.test", "hyco"),
            claim.value[0],
            self.relay.key(claim).reveal(),
            int(self.relay.wall() + 60),
        )
        return self.dial(
            f"/$hc/hyco?sb-hc-action={action}",
            {"Host": "other.test", "ServiceBusAuthorization": token},
        )

    def test_apart(self) -> None:
        """A sender reaches its own namespace's listener, and no other one."""
        ours = self.listen()
        self.assertEqual(self.at_other("connect", Claim.SEND).status, 404)
        theirs = self.at_other("listen", Claim.LISTEN)
        self.at_other("connect", Claim.SEND)
        self.connect()
        self.assertEqual((len(ours.messages), len(theirs.messages)), (1, 1))

    def test_one_deleted(self) -> None:
        """When a namespace goes, what is at the other's entity stays."""
        ours = self.listen()
        theirs = self.at_other("listen", Claim.LISTEN)
        self.relay.store.delete_namespace("OTHER")
        self.flush()
        assert theirs.close_frame is not None
        self.assertEqual(theirs.close_frame[0], 1001)
        self.assertIsNone(ours.close_frame)

    def test_rendezvous_by_another_host(self) -> None:
        """
        Listeners of every namespace come by the one public address: the secret
        says whose they are, not the C{Host}.
        """
        handler = self.relay.service.handler
        public = PublicUrl("front.test:443", True)
        handler._around = evolve(handler._around, public_url=public)
        control = self.listen()
        sender = self.connect()
        (accept,) = self.accepts(control)
        self.assertTrue(accept["address"].startswith("wss://front.test:443/"))
        listener = self.rendezvous(accept, headers={"Host": "front.test:443"})
        self.assertEqual((listener.status, sender.status), (101, 101))


class LimitTests(RelayTestCase):
    """Limits that are set lower than usual."""

    def test_listener_before_quota(self) -> None:
        """Where nobody listens that is the answer, not a quota (section 3.3)."""
        self.restart(connections_per_namespace=1)
        self.relay.add("silent")
        self.tunnel()
        self.assertEqual(self.connect().status, 503)
        self.assertEqual(self.connect("silent").status, 404)

    def test_max_command_bytes(self) -> None:
        """A sender whose command would be longer than the limit gets 431."""
        self.restart(max_command_bytes=4096)
        self.listen()
        self.assertEqual(self.connect().status, 0)
        self.assertEqual(self.connect(headers={"X": "y" * 5000}).status, 431)


class StoppingTests(RelayTestCase):
    """Who comes while the relay shuts down."""

    def test_late_head(self) -> None:
        """A request that was half read when the relay stopped is answered 503."""
        late = []
        for action, claim in (("listen", Claim.LISTEN), ("connect", Claim.SEND)):
            whole = WsPeer.client(
                f"/$hc/hyco?sb-hc-action={action}",
                headers={"ServiceBusAuthorization": self.token(claim)},
            )
            opening = whole._opening
            peer = WsPeer(opening[:-2], masks=True, answers=False)
            peer.dial(self.network, self.relay.host, self.relay.port, secure=True)
            late.append(peer)
        self.flush()
        stopped = self.relay.service.stopService()
        for peer in late:
            transport: Any = peer.transport
            transport.write(b"\r\n")
        self.flush()
        for peer in late:
            self.assertEqual(peer.status, 503)
            self.assertTrue(peer.headers["retry-after"].isdigit())
        self.network.advance(1)
        self.successResultOf(stopped)

    def test_again(self) -> None:
        """A relay that was started again lets everybody in."""
        self.relay.stop()
        self.relay.start()
        self.tunnel()

    def test_no_delay(self) -> None:
        """A sender that waits is told at once, whatever its address did before."""
        self.restart(exempt_networks=())
        self.listen()
        for _ in range(6):
            self.dial("/$hc/hyco?sb-hc-action=connect")
        sender = self.connect()
        self.relay.service.stopService()
        self.flush()
        self.assertEqual(sender.status, 503)


class LogTests(RelayTestCase):
    """What the relay writes down about refusals."""

    def setUp(self) -> None:
        super().setUp()
        self.events = watch_log(self)

    def test_first_segment(self) -> None:
        """What stands in a path's place but can be no entity is not logged (T7)."""
        self.dial("/$hc/sig%3DsecretAAAA%2B%26x?sb-hc-action=connect")
        self.dial("/$hc/nope?sb-hc-action=connect")
        text = "\n".join(self.events)
        self.assertNotIn("secret", text)
        self.assertIn("nope", text)

    def test_foreign_id(self) -> None:
        """A sender's own id is logged beside ours if it is a simple name (13.3)."""
        self.listen()
        for given in ("job-17", "sig%3DsecretAAAA%3D", "x" * 65):
            self.connect(query=f"sb-hc-id={given}&")
        (line,) = [e for e in self.events if "no GUID" in e]
        self.assertIn("the sender's id job-17 is no GUID", line)

    def test_why_a_channel_ends(self) -> None:
        """The relay says why it closed a control channel, without the token."""
        listener = self.listen()
        listener.text('{"renewToken": {"token": "rubbish"}}')
        self.flush()
        (line,) = [e for e in self.events if "is closed" in e]
        self.assertIn("of hyco is closed: 1008 The token is malformed", line)
        self.assertNotIn("rubbish", line)

    def test_flood(self) -> None:
        """One source and cause has ten lines a minute, then a count (section 5)."""
        for _ in range(50):
            self.dial("/$hc/hyco?sb-hc-action=connect")
        lines = [e for e in self.events if "token is missing" in e]
        self.assertEqual(len(lines), 10)
        self.network.advance(70)
        self.assertTrue(any("40 more" in e for e in self.events), self.events[-3:])
