"""Tests of L{hybridconn.web.handshake}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.http import RequestHead
from hybridconn.web.handshake import opening_handshake

KEY = "dGhlIHNhbXBsZSBub25jZQ=="


def head(**fields: str) -> RequestHead:
    """A request for a WebSocket, with C{fields} besides."""
    named = {"Upgrade": "WebSocket", "Connection": "keep-alive, Upgrade", "Host": "h"}
    named["Sec-WebSocket-Key"] = KEY
    named.update({name.replace("_", "-"): value for name, value in fields.items()})
    return RequestHead("GET", "/$hc/a?x=1", "1.1", tuple(named.items()))


class OpeningHandshakeTests(SynchronousTestCase):
    """The request that Autobahn reads instead of the client's."""

    def test_minimal(self) -> None:
        """Only what makes the 101 is in it: no extension, origin or token."""
        written = opening_handshake(
            head(
                Origin="null",
                Sec_WebSocket_Extensions="permessage-deflate",
                Sec_WebSocket_Protocol="a, b, a",
                ServiceBusAuthorization="secret",
            ),
            None,
        )
        self.assertEqual(
            written.decode("ascii").split("\r\n"),
            [
                "GET / HTTP/1.1",
                "Host: relay",
                "Upgrade: websocket",
                "Connection: Upgrade",
                f"Sec-WebSocket-Key: {KEY}",
                "Sec-WebSocket-Version: 13",
                "",
                "",
            ],
        )

    def test_subprotocol(self) -> None:
        """The chosen sub-protocol is the only one that is offered."""
        written = opening_handshake(head(Sec_WebSocket_Protocol="a, b"), "b")
        self.assertIn(b"\r\nSec-WebSocket-Protocol: b\r\n", written)

    def test_mistakes_of_callers(self) -> None:
        """No WebSocket, no key, or a list of sub-protocols is a mistake of ours."""
        plain = RequestHead("GET", "/", "1.1", (("Host", "h"),))
        self.assertRaises(ValueError, opening_handshake, plain, None)
        self.assertRaises(
            ValueError, opening_handshake, head(Sec_WebSocket_Key=""), None
        )
        for subprotocol in ("a,b", "a\r\nX: y"):
            self.assertRaises(ValueError, opening_handshake, head(), subprotocol)
