"""Tests of L{hybridconn.wayout.socks5}, over a network in memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from hybridconn.core.entities import Secret
from hybridconn.wayout.errors import Refused
from hybridconn.wayout.proxy import Proxy, make_credentials
from hybridconn.wayout.socks5 import Socks5Handshake
from tests.wayout.scene import PASSWORD, ProxyTestCase

NAME = b"\x03\x11relay.example.net\x01\xbb"
OPENED = b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00"


class Socks5Tests(ProxyTestCase):
    """A SOCKS5 proxy."""

    scheme = "socks5"

    def script(self, *answers: bytes) -> None:
        """A proxy that answers so, one message after the other."""
        left = list(answers)
        self.serve(lambda data: left.pop(0) if left else b"and " + data)

    def test_open(self) -> None:
        """The name goes to the proxy unresolved; then the connection is the app's."""
        self.script(b"\x05\x00", OPENED + b"first ")
        app = self.successResultOf(self.dial())
        self.assertEqual(self.peers[0].received, b"\x05\x01\x00\x05\x01\x00" + NAME)
        app.transport.write(b"x")
        self.network.flush()
        self.assertEqual(app.received, b"first and x")

    def test_addresses(self) -> None:
        """Addresses go as addresses."""
        for host, sent in (
            ("192.0.2.1", b"\x01\xc0\x00\x02\x01"),
            ("[2001:db8::1]", b"\x04\x20\x01\x0d\xb8" + bytes(11) + b"\x01"),
        ):
            handshake = Socks5Handshake(self.proxy(), host, 443)
            said = handshake.receive(b"\x05\x00")
            self.assertEqual(said, b"\x05\x01\x00" + sent + b"\x01\xbb")

    def test_answers(self) -> None:
        """Any address in the answer will do, in pieces too; the rest is kept."""
        for bound in (b"\x01" + bytes(4), b"\x03\x03abc", b"\x04" + bytes(16)):
            handshake = Socks5Handshake(self.proxy(), "relay", 443)
            answer = b"\x05\x00" + b"\x05\x00\x00" + bound + b"\x00\x50"
            for place in range(len(answer)):
                self.assertFalse(handshake.done)
                handshake.receive(answer[place : place + 1])
            self.assertTrue(handshake.done)
            self.assertEqual(handshake.rest, b"")

    def test_password(self) -> None:
        """User and password are said if the proxy asks."""
        self.script(b"\x05\x02", b"\x01\x00", OPENED)
        self.successResultOf(self.dial(self.proxy("jo")))
        login = b"\x01\x02jo\x09" + PASSWORD.encode()
        self.assertEqual(
            self.peers[0].received,
            b"\x05\x02\x00\x02" + login + b"\x05\x01\x00" + NAME,
        )

    def test_password_not_wanted(self) -> None:
        """A proxy that does not ask is not told."""
        self.script(b"\x05\x00", OPENED)
        self.successResultOf(self.dial(self.proxy("jo")))
        self.assertNotIn(PASSWORD.encode(), self.peers[0].received)

    def test_asked(self) -> None:
        """Without a password, a proxy that wants one is told what to set."""
        self.script(b"\x05\xff")
        self.assertEqual(
            self.trouble(),
            "proxy proxy.corp:3128 asks for a password; set proxy_user and "
            "proxy_password_file in [way_out]",
        )

    def test_wrong(self) -> None:
        """A wrong password is told so."""
        self.script(b"\x05\x02", b"\x01\x01")
        self.assertIn(
            "does not accept the user or password", self.trouble(self.proxy("jo"))
        )

    def test_refused(self) -> None:
        """The reply is told in words, also if it is cut short."""
        for answer, words in (
            (b"\x05\x02\x00\x01" + bytes(6), "2 (its rules forbid this host or port)"),
            (b"\x05\x04", "4 (the host cannot be reached from there)"),
            (b"\x05\x05\x00", "5 (the connection was refused there)"),
            (b"\x05\x99", "153 (its reason is not known)"),
        ):
            self.setUp()
            self.script(b"\x05\x00", answer)
            text = self.trouble()
            self.assertIn(f"refused relay.example.net:443: {words}", text)

    def test_no_socks(self) -> None:
        """What answers otherwise is told so."""
        for answers in (
            [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
            [b"\x05\x00", b"\x04\x00\x00\x01" + bytes(6)],
            [b"\x05\x00", b"\x05\x00\x00\x07" + bytes(6)],
            [b"\x05\x00", b"\x05\x00\x01\x01" + bytes(6)],
        ):
            self.setUp()
            self.script(*answers)
            self.assertIn("answered something that is no SOCKS5", self.trouble())

    def test_unknown_method(self) -> None:
        """A way to log in that was not offered is refused; nothing more is said."""
        for method in (b"\x01", b"\x02", b"\x80"):
            self.setUp()
            self.script(b"\x05" + method)
            self.assertIn("a kind of log-in that is not known here", self.trouble())
            self.assertEqual(self.peers[0].received, b"\x05\x01\x00")

    def test_closed(self) -> None:
        """A proxy that just closes is told so."""
        self.serve(lambda _: None)
        self.assertIn("closed the connection without an answer", self.trouble())

    def test_too_long(self) -> None:
        """What does not fit SOCKS is refused before anything is sent."""
        self.assertRaises(Refused, Socks5Handshake, self.proxy(), "a" * 256, 443)
        for password in ("", "x" * 256):
            credentials = make_credentials("jo", Secret(password))
            proxy = Proxy("socks5", "proxy.corp", 1080, credentials)
            self.assertRaises(Refused, Socks5Handshake, proxy, "relay", 443)

    @given(st.lists(st.binary(), max_size=5), st.booleans())
    def test_anything(self, pieces: list[bytes], login: bool) -> None:
        """Whatever a proxy says, there is nothing but a refusal."""
        credentials = make_credentials("jo", Secret("x")) if login else None
        proxy = Proxy("socks5", "p", 1, credentials)
        handshake = Socks5Handshake(proxy, "relay", 443)
        handshake.begin()
        try:
            for piece in pieces:
                handshake.receive(piece)
        except Refused:
            pass
