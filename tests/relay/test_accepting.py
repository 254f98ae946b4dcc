"""How a listener learns of a sender, and comes for it."""

from __future__ import annotations

import base64

from hybridconn.core.entities import Claim
from hybridconn.testing.frames import BINARY, Frame, encode
from tests.relay.scene import RelayTestCase

GUID = "4f56f839-4267-4e78-99b4-06a83b18c8b4"


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
        other_suffix = {**accept, "address": address.replace("hyco?", "hyco/x?")}
        other_action = {**accept, "address": address.replace("=accept", "=request")}
        for wrong in (changed, other_path, other_suffix, other_action):
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
        """
        A thousand addresses have secrets of 256 bits that differ everywhere: of
        each bit half are set (chi-squared, 256 degrees, p 0.001; T8).
        """
        self.restart(pending_per_entity=2000)
        control = self.listen()
        for _ in range(1000):
            self.connect()
        texts = [one["address"].rpartition("=")[2] for one in self.accepts(control)]
        self.assertEqual(len({text[-8:] for text in texts}), 1000)
        self.assertEqual(len({text[:8] for text in texts}), 1000)
        secrets = [
            int.from_bytes(base64.urlsafe_b64decode(text + "=")) for text in texts
        ]
        ones = [sum(one >> bit & 1 for one in secrets) for bit in range(256)]
        self.assertLess(sum((n - 500) ** 2 / 250 for n in ones), 330.5)

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
