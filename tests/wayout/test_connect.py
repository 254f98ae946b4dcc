"""Tests of L{hybridconn.wayout.connect}, over a network in memory."""

from __future__ import annotations

import base64
import os

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.error import NoProtocol

from hybridconn.wayout.connect import ConnectHandshake
from hybridconn.wayout.errors import PasswordUnreadable, ProxyError, Refused
from hybridconn.wayout.handshake import start_handshake
from hybridconn.wayout.proxy import Proxy, make_credentials
from tests.wayout.scene import PASSWORD, ProxyTestCase

OK = b"HTTP/1.1 200 Connection established\r\n\r\n"


class ConnectTests(ProxyTestCase):
    """A proxy that opens connections."""

    def test_open(self) -> None:
        """The request says where; then the connection is the app's."""
        self.serve(lambda data: OK if data.startswith(b"CONNECT") else b"and " + data)
        app = self.successResultOf(self.dial())
        head = self.peers[0].received
        self.assertTrue(head.startswith(b"CONNECT relay.example.net:443 HTTP/1.1\r\n"))
        self.assertIn(b"\r\nHost: relay.example.net:443\r\n", head)
        self.assertNotIn(b"Authorization", head)
        app.transport.write(b"hello")
        self.network.flush()
        self.assertEqual(app.received, b"and hello")
        app.transport.loseConnection()
        self.network.flush()
        self.assertIsNotNone(app.lost)

    def test_http_1_0(self) -> None:
        """An answer in HTTP/1.0, with fields and in pieces, is one too."""
        handshake = ConnectHandshake(self.proxy(), "relay", 443)
        handshake.begin()
        answer = b"HTTP/1.0 200 OK\r\nProxy-agent: x\r\nContent-Length: 5\r\n\r\nrest"
        for place in range(len(answer) - 4):
            self.assertFalse(handshake.done)
            self.assertEqual(handshake.receive(answer[place : place + 1]), b"")
        self.assertTrue(handshake.done)
        self.assertEqual(handshake.rest, b"")

    def test_rest(self) -> None:
        """What comes right behind the answer is the app's."""
        self.serve(lambda _: OK + b"first words")
        app = self.successResultOf(self.dial())
        self.assertEqual(app.received, b"first words")

    def test_interim(self) -> None:
        """A few interim answers are passed over, not any number of them."""
        interim = b"HTTP/1.1 102 Processing\r\n\r\n"
        self.serve(lambda _: interim * 3 + OK)
        self.successResultOf(self.dial())
        handshake = ConnectHandshake(self.proxy(), "relay", 443)
        handshake.begin()
        self.assertRaises(Refused, handshake.receive, interim * 50)

    def test_ipv6(self) -> None:
        """An address of IPv6 has its brackets."""
        self.serve(lambda _: OK)
        self.successResultOf(self.dial(host="2001:db8::1"))
        self.assertIn(b"CONNECT [2001:db8::1]:443 ", self.peers[0].received)

    def test_refused(self) -> None:
        """The status is told, and what it means; the proxy's words are cleaned."""
        for answer, words in (
            (b"403 Filtered", "403 Filtered (its rules forbid this host or port)"),
            (b"502 ", "502 Bad Gateway (it cannot reach that)"),
            (b"418 \xe9\x01\tpot" + b"x" * 500, "418 ? pot"),
            (b"302 Found", "302 Found"),
        ):
            self.setUp()
            said = b"HTTP/1.1 " + answer + b"\r\nContent-Length: 0\r\n\r\n"
            self.serve(lambda _, said=said: said)  # type: ignore[misc]
            text = self.trouble()
            start = "proxy proxy.corp:3128 refused CONNECT relay.example.net:443: "
            self.assertTrue(text.startswith(start + words), text)
            self.assertLess(len(text), 250)

    def test_error_class(self) -> None:
        """It is a connect error, which names the proxy."""
        self.serve(lambda _: b"HTTP/1.1 403 No\r\n\r\n")
        error = self.failureResultOf(self.dial(), ProxyError).value
        self.assertEqual(error.proxy, "proxy.corp:3128")

    def test_no_http(self) -> None:
        """What answers otherwise is told so, and closed."""
        for answer in (b"\x05\xff", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n\r\n"):
            self.setUp()
            self.serve(lambda _, answer=answer: answer + b"\r\n" * 4)  # type: ignore[misc]
            self.assertIn("answered something that is no HTTP", self.trouble())

    def test_endless(self) -> None:
        """A head without end is not kept."""
        self.serve(lambda _: b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000)
        self.assertIn("answered something that is no HTTP", self.trouble())

    def test_closed(self) -> None:
        """A proxy that just closes is told so."""
        self.serve(lambda _: None)
        self.assertEqual(
            self.trouble(),
            "proxy proxy.corp:3128 closed the connection without an answer",
        )

    def test_not_there(self) -> None:
        """A proxy that is not there is told from a relay that is not."""
        self.assertEqual(
            self.trouble(),
            "proxy proxy.corp:3128 cannot be reached: the connection was refused",
        )

    def test_silent(self) -> None:
        """A proxy that does not answer is given up after the time it has."""
        self.serve(lambda _: b"HTTP/1.1 100 Continue\r\n\r\n")
        dialled = self.dial()
        self.network.advance(14.9)
        self.assertNoResult(dialled)
        self.network.advance(0.2)
        error = self.failureResultOf(dialled, ProxyError).value
        self.assertEqual(
            str(error), "proxy proxy.corp:3128 did not answer in time: 15 s"
        )
        self.assertEqual(self.network.connections, ())

    def test_cancelled(self) -> None:
        """Who no longer wants the connection closes it."""
        self.serve(lambda _: b"")
        dialled = self.dial()
        dialled.cancel()
        self.network.flush()
        self.failureResultOf(dialled)
        self.assertEqual(self.network.connections, ())

    def test_unwanted(self) -> None:
        """A factory that makes no protocol ends it."""
        self.serve(lambda _: OK)
        self.build = lambda: None
        self.failureResultOf(self.dial(), NoProtocol)
        self.network.flush()
        self.assertEqual(self.network.connections, ())

    def test_no_splitting(self) -> None:
        """No host gets a line break into the request."""
        for host in ("a\r\nX: y", "a b", "a\x00"):
            handshake = ConnectHandshake(self.proxy(), host, 443)
            self.assertRaises(Refused, handshake.begin)

    @given(st.lists(st.binary(), max_size=5))
    def test_anything(self, pieces: list[bytes]) -> None:
        """Whatever a proxy says, there is nothing but a refusal."""
        handshake = ConnectHandshake(Proxy("http", "p", 1), "relay", 443)
        handshake.begin()
        try:
            for piece in pieces:
                handshake.receive(piece)
        except Refused:
            pass


class BasicTests(ProxyTestCase):
    """User and password."""

    ASKS = (
        b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: Negotiate\r\n"
        b'Proxy-Authenticate: Basic realm="x"\r\nContent-Length: 3\r\n\r\nno!'
    )

    def test_sent(self) -> None:
        """They are sent with the first request."""
        self.serve(lambda _: OK)
        self.successResultOf(self.dial(self.proxy("jo")))
        value = base64.b64encode(f"jo:{PASSWORD}".encode())
        self.assertIn(
            b"\r\nProxy-Authorization: Basic " + value + b"\r\n", self.peers[0].received
        )

    def test_asked(self) -> None:
        """Without them a proxy that asks is told what to set."""
        self.serve(lambda _: self.ASKS)
        self.assertEqual(
            self.trouble(),
            "proxy proxy.corp:3128 asks for a password (407, Negotiate, Basic); set "
            "proxy_user and proxy_password_file in [way_out]",
        )
        self.assertIn(
            "set the user and password in HTTPS_PROXY",
            self.trouble(Proxy("http", "proxy.corp", 3128, None, "HTTPS_PROXY")),
        )

    def test_wrong(self) -> None:
        """A wrong password is told so, after one try."""
        self.serve(lambda _: self.ASKS)
        self.assertIn(
            "does not accept the user or password (407, Negotiate, Basic)",
            self.trouble(self.proxy("jo")),
        )
        self.assertEqual(self.peers[0].received.count(b"CONNECT"), 1)

    def test_wrong_as_401(self) -> None:
        """Some proxies have another status for it."""
        self.serve(lambda _: b"HTTP/1.0 401 Unauthorized\r\n\r\n")
        self.assertIn(
            "does not accept the user or password (401 Unauthorized)",
            self.trouble(self.proxy("jo")),
        )

    def test_other_scheme(self) -> None:
        """A proxy that wants it otherwise is told so; odd offers are not repeated."""
        self.serve(
            lambda _: (
                b"HTTP/1.1 407 x\r\nProxy-Authenticate: Digest a=b\r\n"
                b"Proxy-Authenticate: \xff\xfe<script>\r\n\r\n"
            )
        )
        text = self.trouble(self.proxy("jo"))
        self.assertIn("does not take Basic (407, Digest); choose another", text)

    def test_unreadable(self) -> None:
        """A password that cannot be read is said; the proxy is not asked."""

        class Gone:
            def reveal(self) -> str:
                raise PasswordUnreadable("there is no file x")

        self.serve(lambda _: OK)
        proxy = Proxy("http", "proxy.corp", 3128, make_credentials("jo", Gone()))
        self.assertIn("cannot be read: there is no file x", self.trouble(proxy))
        self.assertEqual(self.peers[0].received, b"")


class NtlmTests(ProxyTestCase):
    """NTLM by pyspnego, against its own server's side."""

    def setUp(self) -> None:
        super().setUp()
        users = self.mktemp()
        with open(users, "w") as file:
            file.write(f"CORP:jo:{PASSWORD}\n")
        self.patch(os, "environ", {**os.environ, "NTLM_USER_FILE": users})

    def accept(self, scheme: str, word: str) -> None:
        """A proxy that asks for that."""
        import spnego

        server = spnego.server(protocol=scheme)

        def answer(data: bytes) -> bytes:
            if not data.startswith(b"CONNECT"):
                return b"and " + data
            token = None
            for line in data.split(b"\r\n"):
                if line.lower().startswith(b"proxy-authorization:"):
                    token = base64.b64decode(line.split()[2])
            said = None
            if token:
                try:
                    said = server.step(token)
                except spnego.exceptions.SpnegoError:
                    said = None
                if server.complete:
                    return OK
            more = b" " + base64.b64encode(said) if said else b""
            return (
                b"HTTP/1.1 407 Who?\r\nProxy-Authenticate: "
                + word.encode()
                + more
                + b"\r\nContent-Length: 4\r\n\r\npage"
            )

        self.serve(answer)

    def test_ntlm(self) -> None:
        """Three messages on one connection open it."""
        self.accept("ntlm", "NTLM")
        app = self.successResultOf(self.dial(self.proxy(r"CORP\jo", PASSWORD, "ntlm")))
        self.assertEqual(len(self.peers), 1)
        self.assertEqual(self.peers[0].received.count(b"CONNECT"), 2)
        self.assertNotIn(PASSWORD.encode(), self.peers[0].received)
        app.transport.write(b"x")
        self.network.flush()
        self.assertEqual(app.received, b"and x")

    def test_negotiate(self) -> None:
        """Inside Negotiate it is the same."""
        self.accept("negotiate", "Negotiate")
        proxy = self.proxy(r"CORP\jo", PASSWORD, "negotiate")
        self.successResultOf(self.dial(proxy))
        self.assertIn(b"Proxy-Authorization: Negotiate ", self.peers[0].received)

    def test_wrong(self) -> None:
        """A wrong password is told so."""
        self.accept("ntlm", "NTLM")
        text = self.trouble(self.proxy(r"CORP\jo", "another", "ntlm"))
        self.assertIn("does not accept the user or password (407, NTLM)", text)

    def test_bad_challenges(self) -> None:
        """A challenge that is none, or one after the other, ends it."""
        for challenge, words in (
            ("%%%", "answered a NTLM challenge that is none"),
            ("AAAA", "answered a NTLM challenge that is none"),
            ("", "does not accept the user or password"),
        ):
            self.network = type(self.network)()
            self.serve(
                lambda _, challenge=challenge: (  # type: ignore[misc]
                    f"HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM {challenge}\r\n"
                    "Content-Length: 0\r\n\r\n"
                ).encode()
            )
            self.assertIn(words, self.trouble(self.proxy("jo", PASSWORD, "ntlm")))

    def challenge(self) -> bytes:
        """A challenge that is one."""
        import spnego

        client = spnego.client("jo", "x", protocol="ntlm")
        said = spnego.server(protocol="ntlm").step(client.step())
        assert said is not None
        return (
            b"HTTP/1.1 407 x\r\nProxy-Authenticate: NTLM "
            + base64.b64encode(said)
            + b"\r\n"
        )

    def test_closing(self) -> None:
        """A proxy that closes between two messages is told so."""
        said = self.challenge() + b"Connection: close\r\nContent-Length: 0\r\n\r\n"
        self.serve(lambda _: said)
        text = self.trouble(self.proxy("jo", PASSWORD, "ntlm"))
        self.assertIn("closes the connection in the middle", text)

    def test_endless_page(self) -> None:
        """A page without end before the next message is not read."""
        handshake = start_handshake(self.proxy("jo", PASSWORD, "ntlm"), "relay", 443)
        handshake.begin()
        handshake.receive(self.challenge() + b"Content-Length: 99999999\r\n\r\n")
        error = self.assertRaises(Refused, handshake.receive, b"x" * 70_000)
        self.assertIn("a page that has no end", error.problem)
