"""How a listener says no (relay-protocol section 6.3)."""

from __future__ import annotations

from hybridconn.testing.ws_peer import WsPeer
from tests.relay.scene import RelayTestCase


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
