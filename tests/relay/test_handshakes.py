"""Listen, connect, accept and reject, and every answer to what is wrong."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import quote

from twisted.logger import formatEvent, globalLogPublisher

from hybridconn.core.entities import Claim, HybridConnection
from hybridconn.testing.frames import BINARY, Frame, encode
from hybridconn.testing.ws_peer import WsPeer
from tests.relay.scene import RelayTestCase

GUID = "4f56f839-4267-4e78-99b4-06a83b18c8b4"


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
        """The root answers 2xx; relayed HTTP is not there yet and says so."""
        for target, status in (("/", 200), ("/hyco", 501), ("/$hc/hyco", 400)):
            peer = self.dial(target, dict.fromkeys(("Upgrade", "Connection"), ""))
            self.assertEqual(peer.status, status, target)

    def test_runtime_information(self) -> None:
        """A listener reads its entity's description with its own token."""
        self.relay.add(HybridConnection("db", True, "meta <&>"))
        self.listen("db")
        headers: dict[str, Any] = dict.fromkeys(("Upgrade", "Connection"), "")
        headers["Authorization"] = self.token(Claim.LISTEN, "db")
        peer = self.dial("/db?api-version=2016-07", headers)
        self.assertEqual(peer.status, 200)
        self.assertIn("type=entry", peer.headers["content-type"])
        self.assertIn(b"<UserMetadata>meta &lt;&amp;&gt;</UserMetadata>", peer.body)
        self.assertIn(b"<ListenerCount>1</ListenerCount>", peer.body)
        headers["Authorization"] = self.token(Claim.SEND, "db")
        self.assertEqual(self.dial("/db?api-version=2016-07", headers).status, 403)
        headers["Authorization"] = self.token(Claim.LISTEN, "nope")
        self.assertEqual(self.dial("/nope?api-version=2016-07", headers).status, 404)


class AcceptTests(RelayTestCase):
    """How a listener learns of a sender, and comes for it (sections 5.1 and 6)."""

    def test_command(self) -> None:
        """The accept command has all that listeners insist on."""
        listener = self.listen()
        self.connect(
            "hyco/suf%2Ffix",
            "a=%2B&&b&",
            {"X-Two": "1", "sec-websocket-protocol": "chat", "Cookie": "a=b"},
        )
        (accept,) = self.accepts(listener)
        self.assertEqual(
            sorted(accept), ["address", "connectHeaders", "id", "remoteEndpoint"]
        )
        self.assertRegex(
            accept["address"],
            r"^wss://relay\.test/\$hc/hyco/suf%2Ffix\?a=%2B&&b&sb-hc-action=accept"
            r"&sb-hc-id=[0-9a-f-]{36}&sb-hc-rendezvous=[A-Za-z0-9_-]{43}$",
        )
        self.assertRegex(accept["id"], r"^[0-9a-f-]{36}_G0$")
        headers = accept["connectHeaders"]
        self.assertNotIn("ServiceBusAuthorization", headers)
        self.assertEqual(headers["Sec-WebSocket-Protocol"], "chat")
        self.assertEqual(headers["Cookie"], "a=b")
        self.assertIn("Sec-WebSocket-Key", headers)
        self.assertEqual(set(map(type, headers.values())), {str})
        endpoint = accept["remoteEndpoint"]
        self.assertEqual(endpoint["address"], "192.0.2.1")
        self.assertIsInstance(endpoint["port"], int)

    def test_id(self) -> None:
        """A sender's id is kept if it starts with a GUID, and comes back to it."""
        listener = self.listen()
        sender = self.connect(query=f"sb-hc-id={GUID}&")
        self.connect(query="sb-hc-id=mine&")
        first, second = self.accepts(listener)
        self.assertEqual(first["id"], f"{GUID}_G0")
        self.assertNotIn("mine", second["id"])
        self.rendezvous(first)
        self.assertEqual(sender.headers["trackingid"], f"{GUID}_G0")

    def test_join(self) -> None:
        """When the listener dials in, it and then the sender get their 101."""
        sender, listener = self.tunnel()
        for peer in (sender, listener):
            self.assertNotIn("sec-websocket-extensions", peer.headers)
            self.assertNotIn("sec-websocket-protocol", peer.headers)
        sender.text("up")
        listener.binary(b"down")
        self.flush()
        self.assertEqual((listener.messages, sender.messages), (["up"], [b"down"]))

    def test_no_extension(self) -> None:
        """permessage-deflate is offered in vain by everybody."""
        offer = {"Sec-WebSocket-Extensions": "permessage-deflate"}
        control = self.dial(
            "/$hc/hyco?sb-hc-action=listen",
            {"ServiceBusAuthorization": self.token(Claim.LISTEN), **offer},
        )
        sender = self.connect(headers=offer)
        listener = self.rendezvous(self.accepts(control)[0], headers=offer)
        for peer in (control, sender, listener):
            self.assertEqual(peer.status, 101)
            self.assertNotIn("sec-websocket-extensions", peer.headers)

    def test_early_data(self) -> None:
        """What either side sends behind its request is not lost."""

        def early(data: bytes) -> bytes:
            return encode(Frame(BINARY, data, True, 0, True))

        control = self.listen()
        sender = self.connect(behind=early(b"from sender"))
        listener = self.rendezvous(
            self.accepts(control)[0], behind=early(b"from listener")
        )
        self.assertEqual(listener.messages, [b"from sender"])
        self.assertEqual(sender.messages, [b"from listener"])

    def test_address_works_once(self) -> None:
        """A used address is 403, and so is any that was made up (T8)."""
        control = self.listen()
        self.connect()
        (accept,) = self.accepts(control)
        address = accept["address"]
        changed = {
            **accept,
            "address": address[:-1] + ("A" if address[-1] != "A" else "B"),
        }
        other_path = {**accept, "address": address.replace("/$hc/hyco", "/$hc/other")}
        other_action = {**accept, "address": address.replace("=accept", "=request")}
        for wrong in (changed, other_path, other_action):
            self.assertEqual(self.rendezvous(wrong).status, 403)
        peers = [self.rendezvous(accept) for _ in range(8)]
        self.assertEqual([peer.status for peer in peers], [101] + [403] * 7)

    def test_address_dies_with_its_sender(self) -> None:
        """When the sender left, its listener comes too late."""
        control = self.listen()
        sender = self.connect()
        sender.abort()
        self.flush()
        self.assertEqual(self.rendezvous(self.accepts(control)[0]).status, 403)

    def test_address_dies_after_thirty_seconds(self) -> None:
        """After the time-out the address is void."""
        control = self.listen()
        self.connect()
        self.network.advance(31)
        self.assertEqual(self.rendezvous(self.accepts(control)[0]).status, 403)

    def test_secrets_have_nothing_in_common(self) -> None:
        """A thousand addresses differ from the first character of the secret on."""
        self.restart(pending_per_entity=2000)
        control = self.listen()
        for _ in range(300):
            self.connect()
        secrets = [one["address"].rpartition("=")[2] for one in self.accepts(control)]
        self.assertEqual(len(set(secrets)), 300)
        for position in range(0, 42, 6):
            self.assertGreater(len({one[position] for one in secrets}), 40)

    def test_silent_listener_is_passed_over(self) -> None:
        """After five seconds another listener is asked; the later dial gets 403."""
        listeners = [self.listen(), self.listen()]
        sender = self.connect()
        asked = next(one for one in listeners if one.messages)
        other = next(one for one in listeners if one is not asked)
        self.network.advance(5)
        second = self.rendezvous(self.accepts(other)[0])
        self.assertEqual((sender.status, second.status), (101, 101))
        self.assertEqual(self.rendezvous(self.accepts(asked)[0]).status, 403)

    def test_lost_listener_is_replaced(self) -> None:
        """When the listener that was asked drops, another is asked at once."""
        listeners = [self.listen(), self.listen()]
        sender = self.connect()
        asked = next(one for one in listeners if one.messages)
        other = next(one for one in listeners if one is not asked)
        asked.abort()
        self.flush()
        self.assertEqual(self.rendezvous(self.accepts(other)[0]).status, 101)
        self.assertEqual(sender.status, 101)

    def test_last_listener_lost(self) -> None:
        """When nobody is left the sender is told at once."""
        listener = self.listen()
        sender = self.connect()
        listener.close()
        self.flush()
        self.assertEqual(sender.status, 404)

    def test_subprotocols(self) -> None:
        """Section 6.2: the listener's choice, if the sender offered it."""
        for offered, asked, agreed in (
            ("a, b", "a", "a"),
            ("a, b", "b", "b"),
            ("a, b", "a, b", "a"),
            ("a, b", "", None),
        ):
            control = self.listen()
            sender = self.connect(headers={"Sec-WebSocket-Protocol": offered})
            listener = self.rendezvous(
                self.accepts(control)[0], headers={"Sec-WebSocket-Protocol": asked}
            )
            for peer in (sender, listener):
                self.assertEqual(peer.status, 101)
                self.assertEqual(peer.headers.get("sec-websocket-protocol"), agreed)
            control.abort()
            self.flush()

    def test_foreign_subprotocol(self) -> None:
        """A listener that asks for what the sender did not offer gets 400."""
        control = self.listen()
        sender = self.connect(headers={"Sec-WebSocket-Protocol": "a"})
        listener = self.rendezvous(
            self.accepts(control)[0], headers={"Sec-WebSocket-Protocol": "z"}
        )
        self.assertEqual((listener.status, sender.status), (400, 404))

    def test_control_channel_subprotocol(self) -> None:
        """A control channel gets a sub-protocol only if it asked for one."""
        headers = {"ServiceBusAuthorization": self.token(Claim.LISTEN)}
        target = "/$hc/hyco?sb-hc-action=listen"
        asked = self.dial(target, headers | {"Sec-WebSocket-Protocol": "x"})
        self.assertEqual(asked.headers["sec-websocket-protocol"], "x")
        self.assertNotIn("sec-websocket-protocol", self.listen().headers)


class RejectTests(RelayTestCase):
    """A listener says no (section 6.3)."""

    def reject(self, appended: str) -> tuple[WsPeer, WsPeer]:
        control = self.listen()
        sender = self.connect(query="statusCode=1&")
        listener = self.rendezvous(self.accepts(control)[0], appended)
        control.abort()
        self.flush()
        return sender, listener

    def test_verbatim(self) -> None:
        """Status and text reach the sender as they are; the listener gets 410."""
        for text in ("not+now%21", "not%20now%21"):
            sender, listener = self.reject(
                f"&sb-hc-statusCode=418&sb-hc-statusDescription={text}"
            )
            self.assertEqual(listener.status, 410)
            self.assertEqual((sender.status, sender.reason), (418, "not now!"))
            self.assertEqual(sender.body, b"not now!")

    def test_old_names(self) -> None:
        """Old clients leave the prefix out; the sender's own is not taken for it."""
        sender, listener = self.reject("&statusCode=503&statusDescription=old")
        self.assertEqual(
            (listener.status, sender.status, sender.reason), (410, 503, "old")
        )

    def test_no_description(self) -> None:
        """Without a text it is the standard one."""
        sender, _ = self.reject("&sb-hc-statusCode=503")
        self.assertEqual(sender.reason, "Service Unavailable")

    def test_no_refusal_code(self) -> None:
        """What would be no refusal becomes 502, never 101 or 200."""
        for code in (100, 101, 200, 302, 399):
            sender, listener = self.reject(f"&sb-hc-statusCode={code}")
            self.assertEqual((listener.status, sender.status), (410, 502))

    def test_wrong_code(self) -> None:
        """A code that is none is 400 to the listener, who may try again."""
        control = self.listen()
        sender = self.connect()
        (accept,) = self.accepts(control)
        for code in ("abc", "99", "1000", "", "4.0", "%D9%A4%D9%A0%D9%A0"):
            listener = self.rendezvous(accept, f"&sb-hc-statusCode={code}")
            self.assertEqual((listener.status, sender.status), (400, 0), code)
        self.rendezvous(accept, "&sb-hc-statusCode=400")
        self.assertEqual(sender.status, 400)

    def test_injection(self) -> None:
        """Nothing in the text can add a line to the answer (T11)."""
        sender, _ = self.reject(
            "&sb-hc-statusCode=400&sb-hc-statusDescription=a%0D%0ASet-Cookie:%20x=1"
            + "y" * 6000
        )
        self.assertNotIn("set-cookie", sender.headers)
        self.assertLessEqual(len(sender.reason), 512)
