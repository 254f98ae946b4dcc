"""Every answer to a handshake that is wrong (relay-protocol section 4)."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from twisted.logger import formatEvent, globalLogPublisher

from hybridconn.core.entities import Claim, HybridConnection
from hybridconn.testing.ws_peer import WsPeer
from tests.relay.scene import RelayTestCase


class RefusalTests(RelayTestCase):
    """Statuses and sentences of relay-protocol section 4."""

    entities = ("hyco", "a/b", HybridConnection("open", False))

    def assert_refused(self, peer: WsPeer, status: int, sentence: str) -> None:
        """Reason phrase and body say the same, with tracking id, place and time."""
        self.assertEqual(peer.status, status)
        pattern = (
            re.escape(sentence) + r"\. TrackingId:[0-9a-f-]{36}_G0,"
            r" SystemTracker:sb://relay\.test/[^ ]*, Timestamp:\S+"
        )
        self.assertRegex(peer.reason, pattern)
        self.assertEqual(peer.body.decode(), peer.reason)
        self.assertEqual(peer.headers["content-length"], str(len(peer.body)))
        self.assertIn(peer.headers["trackingid"], peer.reason)

    def ask(self, action: str, token: str | None, path: str = "hyco") -> WsPeer:
        headers = {} if token is None else {"ServiceBusAuthorization": token}
        return self.dial(f"/$hc/{path}?sb-hc-action={action}", headers)

    def test_no_token(self) -> None:
        """Without a token neither listen nor connect gets anywhere."""
        for action in ("listen", "connect"):
            self.assert_refused(self.ask(action, None), 401, "The token is missing")

    def test_expired(self) -> None:
        """An expired token is named as such, with its time."""
        peer = self.ask("listen", self.token(Claim.LISTEN, lifetime=-1))
        self.assertEqual(peer.status, 401)
        self.assertIn("The token is expired. Expiration time: '", peer.reason)

    def test_forged(self) -> None:
        """A wrong signature and an unknown rule get one and the same answer."""
        good = self.token(Claim.LISTEN)
        for token in (good.replace("sig=", "sig=AA"), good.replace("skn=L", "skn=X")):
            self.assert_refused(
                self.ask("listen", token), 401, "The token has an invalid signature"
            )

    def test_claims(self) -> None:
        """Listen needs Listen, connect needs Send, Manage opens both."""
        self.listen()
        for action, claim, status in (
            ("listen", Claim.LISTEN, 101),
            ("listen", Claim.SEND, 403),
            ("listen", Claim.MANAGE, 101),
            ("connect", Claim.LISTEN, 403),
            ("connect", Claim.SEND, 0),
            ("connect", Claim.MANAGE, 0),
        ):
            peer = self.ask(action, self.token(claim))
            self.assertEqual(peer.status, status, (action, claim))
            if status == 403:
                self.assertIn("Authorization failed for specified action", peer.reason)

    def test_audience(self) -> None:
        """A token for another entity does not open this one."""
        peer = self.ask("listen", self.token(Claim.LISTEN, "a/b"))
        self.assertEqual(peer.status, 403)

    def test_token_in_query(self) -> None:
        """The token may stand in the query, encoded once more."""
        token = quote(self.token(Claim.LISTEN), safe="")
        peer = self.dial(f"/$hc/hyco?sb-hc-token={token}&sb-hc-action=listen")
        self.assertEqual(peer.status, 101)

    def test_bad_header_beats_good_query(self) -> None:
        """Only one token is looked at: a WebSocket's is that of the header."""
        token = quote(self.token(Claim.LISTEN), safe="")
        peer = self.dial(
            f"/$hc/hyco?sb-hc-token={token}&sb-hc-action=listen",
            {"ServiceBusAuthorization": "SharedAccessSignature rubbish"},
        )
        self.assertEqual(peer.status, 401)

    def test_unknown_entity(self) -> None:
        """Who has a good namespace token learns that the entity is not there."""
        for action, claim in (("listen", Claim.LISTEN), ("connect", Claim.SEND)):
            peer = self.ask(action, self.token(claim, "nope"), "nope")
            self.assert_refused(peer, 404, "Endpoint does not exist")
            self.assertEqual(self.ask(action, None, "nope").status, 401)

    def test_boundary(self) -> None:
        """C{hyco2} is not C{hyco}; case does not count."""
        self.assertEqual(
            self.ask("listen", self.token(Claim.LISTEN, "hyco2"), "hyco2").status, 404
        )
        self.assertEqual(
            self.ask("listen", self.token(Claim.LISTEN, "A/B"), "A/b").status, 101
        )

    def test_listen_with_suffix(self) -> None:
        """A listener listens at the entity itself."""
        peer = self.ask("listen", self.token(Claim.LISTEN), "hyco/more")
        self.assert_refused(peer, 404, "Endpoint does not exist")

    def test_no_listener(self) -> None:
        """A sender without a listener is answered 404 at once."""
        self.assert_refused(
            self.connect(), 404, "There are no listeners connected for the endpoint"
        )

    def test_time_out(self) -> None:
        """A sender whose listener does not come is answered 404 after 30 s."""
        self.listen()
        sender = self.connect()
        self.network.advance(29.9)
        self.assertEqual(sender.status, 0)
        self.network.advance(0.2)
        self.assert_refused(
            sender,
            404,
            "None of the connected listeners accepted the connection within the"
            " allowed timeout",
        )

    def test_26th_listener(self) -> None:
        """The 26th listener is refused with 403, and has its place when one goes."""
        first = self.listen()
        for _ in range(24):
            self.listen()
        peer = self.ask("listen", self.token(Claim.LISTEN))
        self.assertEqual(peer.status, 403)
        self.assertIn("quota exceeded", peer.reason)
        first.abort()
        self.flush()
        self.listen()

    def test_connection_quota(self) -> None:
        """Over the namespace's connections it is 503 with a time to come back."""
        self.restart(connections_per_namespace=1)
        self.tunnel()
        peer = self.connect()
        self.assertEqual(peer.status, 503)
        self.assertTrue(peer.headers["retry-after"].isdigit())

    def test_pending_quota(self) -> None:
        """Senders that wait are bounded per entity, and free their place."""
        self.restart(pending_per_entity=2)
        self.listen()
        first = self.connect()
        self.connect()
        self.assertEqual(self.connect().status, 503)
        first.abort()
        self.flush()
        self.assertEqual(self.connect().status, 0)

    def test_bad_action(self) -> None:
        """An action that nobody knows is 400."""
        self.assertEqual(self.ask("dance", self.token(Claim.SEND)).status, 400)

    def test_bad_version(self) -> None:
        """WebSocket versions other than 13 are 426, with the right one."""
        peer = self.dial(
            "/$hc/hyco?sb-hc-action=listen",
            {
                "Sec-WebSocket-Version": "8",
                "ServiceBusAuthorization": self.token(Claim.LISTEN),
            },
        )
        self.assertEqual(
            (peer.status, peer.headers["sec-websocket-version"]), (426, "13")
        )

    def test_headers_too_large(self) -> None:
        """More than 32 kB of header fields are 431."""
        self.listen()
        headers = {f"X-Long-{n}": "x" * 8000 for n in range(5)}
        self.assertEqual(self.connect(headers=headers).status, 431)

    def test_command_too_large(self) -> None:
        """Headers that fit but make too long a command are 431, and cost nothing."""
        listener = self.listen()
        headers = {f"X-{n}": "\u00fc" * 7900 for n in range(4)}
        peer = self.connect(query="q=" + "x" * 16000 + "&", headers=headers)
        self.assertEqual(peer.status, 431)
        self.assertEqual(listener.messages, [])
        self.assertFalse(self.relay.service.desk.pending)
        self.assertEqual(self.connect().status, 0)

    def test_anonymous(self) -> None:
        """Where no authorization is required a sender needs no token."""
        listener = self.listen("open")
        self.assertEqual(self.ask("connect", None, "open").status, 0)
        self.assertEqual(self.ask("connect", "rubbish", "open").status, 0)
        self.assertEqual(len(self.accepts(listener)), 2)

    def test_wrong_tokens_are_delayed(self) -> None:
        """An address that keeps failing waits longer and longer for its answer."""
        self.restart(exempt_networks=())
        waits = []
        for _ in range(8):
            peer = self.ask("listen", None)
            started = self.relay.clock.seconds()
            while not peer.status:
                self.network.advance(0.01)
            waits.append(round(self.relay.clock.seconds() - started, 1))
        self.assertEqual(waits, [0.1, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0])

    def test_log(self) -> None:
        """The log names entity and reason, never suffix, query or token (T7)."""
        events: list[str] = []

        def observe(event: Any) -> None:
            events.append(formatEvent(event))

        observer: Any = observe
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)
        token = self.token(Claim.SEND)
        escaped = quote(token, safe="")
        self.ask("listen", token, f"hyco/{escaped}?x={escaped}&")
        self.ask("connect", token[:-5], f"hyco/{escaped}")
        self.assertEqual(len([e for e in events if " hyco from " in e]), 2, events)
        signature = token.partition("sig=")[2].partition("&")[0]
        for text in (signature, quote(signature, safe=""), "SharedAccessSignature"):
            self.assertNotIn(text, "".join(events))

    def test_plain_http(self) -> None:
        """The root answers 2xx; an entity wants a token, and no C{$hc}."""
        for target, status in (("/", 200), ("/hyco", 401), ("/$hc/hyco", 400)):
            peer = self.dial(target, dict.fromkeys(("Upgrade", "Connection"), ""))
            self.assertEqual(peer.status, status, target)

    def test_runtime_information(self) -> None:
        """Listeners and senders read the description with their own tokens."""
        self.relay.add(HybridConnection("db", True, "meta <&>"))
        self.listen("db")
        headers: dict[str, Any] = dict.fromkeys(("Upgrade", "Connection"), "")
        headers["Authorization"] = self.token(Claim.LISTEN, "db")
        peer = self.dial("/db?api-version=2016-07", headers)
        self.assertEqual(peer.status, 200)
        self.assertIn("type=entry", peer.headers["content-type"])
        self.assertIn(b"<UserMetadata>meta &lt;&amp;&gt;</UserMetadata>", peer.body)
        self.assertIn(b"<ListenerCount>1</ListenerCount>", peer.body)
        suffix = self.dial("/db/more?api-version=2016-07", headers)
        self.assertEqual(suffix.status, 404)
        headers["Authorization"] = self.token(Claim.SEND, "db")
        self.assertEqual(self.dial("/db?api-version=2016-07", headers).body, peer.body)
        other = headers | {"Authorization": self.token(Claim.SEND, "else")}
        self.assertEqual(self.dial("/db?api-version=2016-07", other).status, 403)
        headers["Authorization"] = self.token(Claim.LISTEN, "nope")
        self.assertEqual(self.dial("/nope?api-version=2016-07", headers).status, 404)

    def test_runtime_information_needs_a_token(self) -> None:
        """Though senders need none, who has none learns nothing."""
        self.relay.add(HybridConnection("open", False, "meta"))
        headers: dict[str, Any] = dict.fromkeys(("Upgrade", "Connection"), "")
        peer = self.dial("/open?api-version=2016-07", headers)
        self.assertEqual(peer.status, 401)
        self.assertNotIn(b"meta", peer.body)
