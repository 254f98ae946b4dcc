"""What goes on at a relay, shown and ended; and from where it may be reached."""

from __future__ import annotations

import json
from typing import Any

from attrs import evolve

from hybridconn.core.access import Access
from hybridconn.core.entities import Claim, HybridConnection
from hybridconn.core.live import Counts, LiveTunnel
from hybridconn.testing.relay import WALL_START, MemoryRelay
from hybridconn.testing.ws_peer import WsPeer
from tests.relay.http_peer import HttpCase
from tests.relay.scene import RelayTestCase, watch_log

KEY = ("testing", "hyco")
GUID = "5f7a9be6-0c7e-4b06-9b0b-0d5d4f3f0a11"


class Now:
    """What a relay in one process answers, which it does at once."""

    def __init__(self, relay: MemoryRelay) -> None:
        self._live = relay.service.live

    def __getattr__(self, name: str) -> Any:
        def ask(*args: Any) -> Any:
            found: list[Any] = []
            getattr(self._live, name)(*args).addCallback(found.append)
            return found[0]

        return ask

    def count(self) -> Any:
        """The counts of C{hyco}."""
        return self.counts([KEY])[0]


def tunnels(relay: MemoryRelay) -> list[LiveTunnel]:
    """What is open, as it is shown."""
    found: list[LiveTunnel] = Now(relay).tunnels(KEY, "", 100)
    return found


class ListenerTests(RelayTestCase):
    """Control channels."""

    def test_shown(self) -> None:
        """Since when, from where, by which rule, and how much runs through it."""
        live = Now(self.relay)
        self.assertEqual(live.listeners(KEY), [])
        self.network.advance(5.0)
        self.tunnel()
        (one,) = live.listeners(KEY)
        self.assertEqual((one.id, one.rule, one.connections), ("L1", "Listen", 1))
        self.assertEqual(one.since, WALL_START + 5.0)
        self.assertEqual(one.expires, WALL_START + 5.0 + 3600.0)
        self.assertRegex(one.address, r"^192\.0\.2\.1:\d+$")
        self.assertRegex(one.tracking, r"^[0-9a-f-]{36}_G0$")
        self.assertEqual((one.sb_hc_id, live.listeners(("testing", "x"))), ("", []))

    def test_own_name(self) -> None:
        """The id that a listener gave itself is shown beside the relay's."""
        self.listen(query="sb-hc-id=plant-4&")
        (one,) = Now(self.relay).listeners(KEY)
        self.assertEqual(one.sb_hc_id, "plant-4")

    def test_closed(self) -> None:
        """It gets 1001 with the reason, once; the others stay and it may come back."""
        live = Now(self.relay)
        first, second = self.listen(), self.listen()
        self.assertFalse(live.close_listener(KEY, "L3"))
        self.assertFalse(live.close_listener(("testing", "other"), "L1"))
        self.assertTrue(live.close_listener(KEY, "L1"))
        self.flush()
        self.assertEqual(
            first.close_frame, (1001, "closed by an operator of the relay")
        )
        self.assertIsNone(second.close_frame)
        self.assertFalse(live.close_listener(KEY, "L1"))
        self.assertEqual([one.id for one in live.listeners(KEY)], ["L2"])
        self.listen()
        self.assertEqual(live.count().listeners, 2)

    def test_program(self) -> None:
        """What a listener calls its program is shown, as far as it is short."""
        self.listen(agent="x" * 300)
        (one,) = Now(self.relay).listeners(KEY)
        self.assertEqual(one.agent, "x" * 200)

    def test_drained(self) -> None:
        """New senders go to the others, what runs goes on, until that is ended."""
        live = Now(self.relay)
        sender, listener = self.tunnel()
        (first,) = live.listeners(KEY)
        second = self.listen()
        self.assertFalse(live.drain_listener(KEY, "L9", True))
        self.assertTrue(live.drain_listener(KEY, first.id, True))
        self.assertEqual([one.draining for one in live.listeners(KEY)], [True, False])
        self.assertEqual((live.count().listeners, live.count().draining), (2, 1))
        for _ in range(8):
            self.connect()
        self.assertEqual(len(self.accepts(second)), 8)
        sender.binary(b"goes on")
        self.flush()
        self.assertEqual(listener.messages, [b"goes on"])
        self.assertTrue(live.drain_listener(KEY, first.id, False))
        self.assertEqual(live.count().draining, 0)

    def test_all_drained(self) -> None:
        """Where all drain, a sender is told what it is where nobody listens."""
        live = Now(self.relay)
        control = self.listen()
        live.drain_listener(KEY, "L1", True)
        refused = self.connect()
        self.assertEqual(refused.status, 404)
        self.assertIn("There are no listeners connected", refused.reason)
        self.assertEqual(self.accepts(control), [])
        # One that may only go to some listeners is told the same.
        refused = self.connect(headers={"Microsoft-Relay-AllowedListeners": "a"})
        self.assertIn("There are no listeners connected", refused.reason)
        live.drain_listener(KEY, "L1", False)
        self.connect()
        self.assertEqual(len(self.accepts(control)), 1)

    def test_comes_back(self) -> None:
        """A listener that comes back on another channel drains no more."""
        live = Now(self.relay)
        self.listen().close(1000)
        self.flush()
        first = self.listen()
        live.drain_listener(KEY, "L2", True)
        first.close(1000)
        self.flush()
        again = self.listen()
        self.connect()
        self.assertEqual(len(self.accepts(again)), 1)


class TunnelTests(RelayTestCase):
    """Tunnels."""

    def test_shown(self) -> None:
        """Both peers, the rule, the listener, and the bytes each way as they flow."""
        sender, listener = self.tunnel()
        sender.binary(b"x" * 300)
        listener.binary(b"y" * 50)
        self.network.advance(7.0)
        live = Now(self.relay)
        (one,) = tunnels(self.relay)
        self.assertEqual((one.sender_bytes, one.listener_bytes), (300, 50))
        self.assertEqual((one.rule, one.listener, one.http), ("Send", "L1", False))
        self.assertEqual(one.since, WALL_START)
        self.assertEqual(one.tracking, sender.headers["trackingid"])
        self.assertNotEqual(one.sender, one.listener_address)
        for address in (one.sender, one.listener_address):
            self.assertRegex(address, r"^192\.0\.2\.1:\d+$")
        self.assertEqual(
            live.count(),
            Counts(listeners=1, tunnels=1, sender_bytes=300, listener_bytes=50),
        )

    def test_told_apart(self) -> None:
        """Senders choose their tracking ids; the relay's own are never the same."""
        control = self.listen()
        for _ in range(2):
            self.connect(query=f"sb-hc-id={GUID}&")
        for accept in self.accepts(control):
            self.rendezvous(accept)
        found = tunnels(self.relay)
        self.assertEqual([one.tracking for one in found], [f"{GUID}_G0"] * 2)
        self.assertEqual({one.id for one in found}, {"T1", "T2"})

    def test_closed(self) -> None:
        """Both sides get 1001; the log says that the relay did it."""
        lines = watch_log(self)
        sender, listener = self.tunnel()
        live = Now(self.relay)
        self.assertFalse(live.close_tunnel(KEY, "T2"))
        self.assertTrue(live.close_tunnel(KEY, "T1"))
        self.flush()
        for peer in (sender, listener):
            self.assertEqual(
                peer.close_frame, (1001, "closed by an operator of the relay")
            )
            peer.close(1001)
            peer.hang_up()
        self.flush()
        self.assertEqual(tunnels(self.relay), [])
        self.assertFalse(live.close_tunnel(KEY, "T1"))
        self.assertIsNone(self.control.close_frame)
        (line,) = [line for line in lines if line.startswith("tunnel ")]
        self.assertIn("ended by relay", line)

    def test_waiting(self) -> None:
        """A sender that no listener came for is counted as waiting."""
        self.listen()
        self.connect()
        self.assertEqual(Now(self.relay).count(), Counts(listeners=1, waiting=1))

    def test_over(self) -> None:
        """What ended tunnels carried is counted, until the entity is deleted."""
        sender, listener = self.tunnel()
        sender.binary(b"x" * 10)
        listener.binary(b"yy")
        self.flush()
        sender.abort()
        self.flush()
        live = Now(self.relay)
        over = Counts(
            listeners=1,
            ended_tunnels=1,
            ended_sender_bytes=10,
            ended_listener_bytes=2,
        )
        self.assertEqual(live.count(), over)
        self.assertEqual(dict(live.sums()), {"testing": over})
        self.control.abort()
        self.flush()
        self.assertEqual(live.count(), evolve(over, listeners=0))
        self.relay.remove("hyco")
        self.assertEqual(dict(live.sums()), {})

    def test_nothing_is_kept_of_the_deleted(self) -> None:
        """Its last tunnels end after it; they leave no trace behind."""
        sender, listener = self.tunnel()
        self.relay.remove("hyco")
        self.flush()
        self.assertEqual(self.control.close_frame and self.control.close_frame[0], 1001)
        for peer in (sender, listener):
            self.assertEqual(peer.close_frame and peer.close_frame[0], 1001)
            peer.hang_up()
        self.control.hang_up()
        self.flush()
        self.assertEqual(dict(Now(self.relay).sums()), {})


class RequestTests(HttpCase):
    """HTTP requests in progress."""

    def test_shown(self) -> None:
        """Such a request is there until it is answered, with its bytes."""
        peer = self.ask("POST", body=b"x" * 20)
        live = Now(self.relay)
        (one,) = tunnels(self.relay)
        self.assertEqual((one.http, one.listener, one.rule), (True, "L1", "Send"))
        self.assertEqual((one.sender_bytes, one.listener_bytes), (20, 0))
        self.assertEqual(one.id, self.requests()[0]["id"])
        self.assertEqual(live.count().requests, 1)
        self.respond(self.control, self.requests()[0], body=b"yes")
        self.answer(peer)
        self.assertEqual(
            live.count(),
            Counts(
                listeners=1,
                ended_requests=1,
                ended_sender_bytes=20,
                ended_listener_bytes=3,
            ),
        )

    def test_drained(self) -> None:
        """Where all drain a new one is told 502, as where nobody listens."""
        going = self.ask()
        live = Now(self.relay)
        live.drain_listener(KEY, "L1", True)
        self.refused(self.ask(), 502, "There are no listeners connected")
        self.respond(self.control, self.requests()[0], body=b"yes")
        self.assertEqual(self.answer(going).body, b"yes")
        live.drain_listener(KEY, "L1", False)
        self.ask()
        self.assertEqual(len(self.requests()), 2)

    def test_closed(self) -> None:
        """The client gets 503 at once, and a late response is nobody's."""
        peer = self.ask()
        (one,) = tunnels(self.relay)
        self.assertTrue(Now(self.relay).close_tunnel(KEY, one.id))
        self.flush()
        self.refused(peer, 503, "ended by an operator")
        self.respond(self.control, self.requests()[0], body=b"late")
        self.assertEqual(peer.received, b"")


class AccessTests(RelayTestCase):
    """Network rules and the least TLS of a namespace; what is disabled."""

    def test_disabled(self) -> None:
        """All is closed with 1001; who has a good token gets 404, others 401."""
        sender, listener = self.tunnel()
        waiting = self.connect()
        self.relay.add(HybridConnection("hyco", enabled=False))
        self.network.advance(5.0)
        for peer in (self.control, sender, listener):
            self.assertEqual(
                peer.close_frame, (1001, "the endpoint was deleted or disabled")
            )
        self.assertEqual(waiting.status, 404)
        for action, claim in (("listen", Claim.LISTEN), ("connect", Claim.SEND)):
            for key, status in ((self.token(claim), 404), ("x", 401)):
                peer = self.dial(
                    f"/$hc/hyco?sb-hc-action={action}",
                    {"ServiceBusAuthorization": key},
                )
                self.network.advance(5.0)
                self.assertEqual(peer.status, status)
        self.relay.add("hyco")
        self.listen()

    def restrict(self, access: Access) -> None:
        (namespace,) = self.relay.store.namespaces()
        self.relay.store.put_namespace(evolve(namespace, access=access))

    def test_networks(self) -> None:
        """Others are refused as if their token were bad; what is open stays open."""
        lines = watch_log(self)
        sender, _ = self.tunnel()
        self.restrict(Access(("203.0.113.0/24",)))
        sender.binary(b"still")
        self.flush()
        self.assertIsNone(sender.close_frame)
        self.assertIsNone(self.control.close_frame)
        refused = self.connect()
        self.network.advance(5.0)
        self.assertEqual(refused.status, 401)
        self.assertNotIn("network", refused.reason)
        self.assertTrue(
            any("the network rules of testing do not have this" in one for one in lines)
        )
        self.restrict(Access(("203.0.113.0/24", "192.0.2.1/32")))
        self.assertEqual(self.connect().status, 0)

    def test_renewal(self) -> None:
        """A channel that is open stays so when its token is renewed."""
        control = self.listen()
        self.restrict(Access(("203.0.113.0/24",), "1.3"))
        token = self.token(Claim.LISTEN)
        control.text(json.dumps({"renewToken": {"token": token}}))
        self.flush()
        self.assertIsNone(control.close_frame)

    def test_rendezvous(self) -> None:
        """The listener's second connection must come from an allowed network too."""
        control = self.listen()
        self.restrict(Access(("192.0.2.0/24",)))
        sender = self.connect()
        (accept,) = self.accepts(control)
        target = accept["address"].partition("://")[2].partition("/")[2]
        stranger = WsPeer.client(f"/{target}", self.relay.host)
        stranger.dial(
            self.network, self.relay.host, 443, secure=True, source="198.51.100.7"
        )
        self.network.advance(2.0)
        self.assertEqual((stranger.status, sender.status), (401, 0))
        self.assertEqual(self.rendezvous(accept).status, 101)

    def test_tls(self) -> None:
        """A namespace that asks for TLS 1.3 takes nothing older, nor plain TCP."""
        self.restrict(Access(minimum_tls="1.3"))
        refused = self.connect()
        self.network.advance(5.0)
        self.assertEqual(refused.status, 403)
        self.assertIn("TLS 1.3", refused.reason)
