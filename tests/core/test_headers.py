"""Tests of L{hybridconn.core.headers}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.headers import (
    canonical_name,
    connect_headers,
    request_headers,
    response_headers,
)
from hybridconn.core.http import RequestHead
from hybridconn.core.limits import Limits
from hybridconn.core.refusals import (
    BadRequest,
    HeadersTooLarge,
    ListenerFailed,
    Refusal,
)


def head(*headers: tuple[str, str]) -> RequestHead:
    return RequestHead("GET", "/x", "1.1", headers)


class CanonicalNameTests(SynchronousTestCase):
    """The usual case of names."""

    def test_names(self) -> None:
        """Known names have their case, lower and upper case become the usual one."""
        for name, expected in (
            ("sec-websocket-protocol", "Sec-WebSocket-Protocol"),
            ("Sec-Websocket-Key", "Sec-WebSocket-Key"),
            ("SEC-WEBSOCKET-EXTENSIONS", "Sec-WebSocket-Extensions"),
            ("host", "Host"),
            ("USER-AGENT", "User-Agent"),
            ("www-authenticate", "WWW-Authenticate"),
            ("X-MyApp", "X-MyApp"),
            ("0", "0"),
        ):
            self.assertEqual(canonical_name(name), expected)


class ConnectHeadersTests(SynchronousTestCase):
    """The sender's headers as the listener gets them (relay-protocol 5.1, 3.1)."""

    def test_all_but_authorization(self) -> None:
        """Everything is passed on but what authorizes at the relay."""
        self.assertEqual(
            connect_headers(
                head(
                    ("host", "relay.example:8443"),
                    ("connection", "Upgrade"),
                    ("sec-websocket-key", "k"),
                    ("ServiceBusAuthorization", "hush"),
                    ("sb-hc-token", "hush"),
                    ("SB-HC-Anything", "hush"),
                    ("Authorization", "Bearer app"),
                    ("0", "Sec-WebSocket-Extensions: permessage-deflate"),
                )
            ),
            {
                "Host": "relay.example:8443",
                "Connection": "Upgrade",
                "Sec-WebSocket-Key": "k",
                "Authorization": "Bearer app",
                "0": "Sec-WebSocket-Extensions: permessage-deflate",
            },
        )

    def test_authorization_was_the_token(self) -> None:
        """Authorization is left out if it was the token."""
        request = head(("authorization", "SharedAccessSignature hush"), ("A", "1"))
        self.assertEqual(connect_headers(request, strip_authorization=True), {"A": "1"})

    def test_rule(self) -> None:
        """The relay says which rule let the sender in, and nobody else does."""
        request = head(("hybridconn-rule", "root"), ("HybridConn-Rule", "admin"))
        self.assertEqual(connect_headers(request), {})
        self.assertEqual(
            connect_headers(request, rule_name="app"), {"HybridConn-Rule": "app"}
        )

    def test_rule_of_request(self) -> None:
        """Nor does a sender in an HTTP request: its target could believe it."""
        request = head(("hybridconn-rule", "root"), ("A", "1"))
        self.assertEqual(request_headers(request, "r"), {"A": "1", "Via": "1.1 r"})

    def test_joined(self) -> None:
        """Values of equal names are joined, cookies by semicolons."""
        self.assertEqual(
            connect_headers(
                head(("X-A", "v1"), ("Cookie", "a=1"), ("x-a", "v2"), ("cookie", "b=2"))
            ),
            {"X-A": "v1, v2", "Cookie": "a=1; b=2"},
        )

    def test_limits(self) -> None:
        """At most 100 fields, 8 KiB each, 32 KiB in all; beyond it 431 (T14)."""
        most = [(f"h{n}", "") for n in range(100)]
        self.assertEqual(len(connect_headers(head(*most))), 100)
        large = [(f"a{n}", "x" * 8186) for n in range(4)]
        self.assertEqual(len(connect_headers(head(*large))), 4)
        for headers in (
            [*most, ("h", "")],
            [("a", "x" * 8188)],
            [*large, ("a", "")],
        ):
            refusal = self.assertRaises(
                HeadersTooLarge, connect_headers, head(*headers)
            )
            self.assertEqual(refusal.status, 431)
        small = Limits(max_headers_bytes=1024)
        self.assertRaises(HeadersTooLarge, connect_headers, head(*large[:1]), small)

    def test_malformed(self) -> None:
        """Neither odd names nor control characters get into a command."""
        for field in (
            ("", "x"),
            ("a b", "x"),
            ("a:", "x"),
            ("ä", "x"),
            ("a", "x\r\ny"),
            ("a", "\0"),
            ("a", "\x7f"),
        ):
            self.assertRaises(BadRequest, connect_headers, head(field))
        self.assertEqual(connect_headers(head(("a", "\tä"))), {"A": "\tä"})

    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["a", "A", "sb-hc-a", "ServiceBusAuthorization", "é"])
                | st.text(max_size=3),
                st.text(st.characters(max_codepoint=255), max_size=5),
            )
        )
    )
    def test_anything(self, fields: list[tuple[str, str]]) -> None:
        """Whatever comes: clean headers, or a refusal."""
        try:
            headers = connect_headers(head(*fields))
        except Refusal:
            return
        for name, value in headers.items():
            self.assertFalse(name.lower().startswith(("sb-hc-", "servicebus")))
            self.assertFalse(set(value) & set("\r\n\0"))


class ViaTests(SynchronousTestCase):
    """The relay in C{Via}, both ways (section 7.2, 7.3)."""

    def test_appended(self) -> None:
        """It comes last; what is empty leaves nothing, not even a comma."""
        for before, after in (
            ((), "1.1 relay"),
            (("",), "1.1 relay"),
            ((" \t", ""), "1.1 relay"),
            (("1.0 a", " ", "1.1 b "), "1.0 a, 1.1 b, 1.1 relay"),
        ):
            fields = [("vIA", value) for value in before]
            self.assertEqual(request_headers(head(*fields), "relay"), {"Via": after})
            self.assertEqual(response_headers(fields, "relay"), [("Via", after)])


class ResponseHeadersTests(SynchronousTestCase):
    """A listener's fields as the sender gets them (section 7.3)."""

    def test_hop_by_hop(self) -> None:
        """What is for one hop, or for framing, is left out; all else stays as it is."""
        dropped = (
            ("connection", "X-Named, via"),
            ("x-named", "1"),
            ("Keep-Alive", "5"),
            ("CONTENT-LENGTH", "7"),
            ("Transfer-Encoding", "chunked"),
            ("TE", "trailers"),
            ("Trailer", "X"),
            ("Upgrade", "h2c"),
            ("Close", "x"),
            ("Proxy-Connection", "close"),
            ("Proxy-Authenticate", "Basic"),
        )
        kept = (
            ("Set-Cookie", "a=1, b"),
            ("set-cookie", "c=2"),
            ("Access-Control-Allow-Origin", "*"),
            ("WWW-Authenticate", "Basic realm=x"),
            ("X-Empty", ""),
        )
        fields = response_headers((*dropped, *kept, ("Via", "1.0 a")), "relay")
        self.assertEqual(fields, [*kept, ("Via", "1.0 a, 1.1 relay")])

    def test_octets(self) -> None:
        """What is beyond ISO 8859-1 becomes UTF-8, and no control character."""
        for value, octets in (
            ("\xe4", b"\xe4"),
            ("\u20ac\xe4", "\u20ac\xe4".encode()),
            ("\u010a\u2028", "\u010a\u2028".encode()),
            ("\ud800", b"?"),
        ):
            ((_, made), _) = response_headers([("X", value)], "relay")
            self.assertEqual(made.encode("latin-1"), octets)

    def test_malformed(self) -> None:
        """What could split an answer is no answer."""
        for field in (
            ("X", "a\r\nb"),
            ("X", "a\nb"),
            ("X", "a\0"),
            ("X:", "a"),
            ("X\r\n", "a"),
            ("", "a"),
            ("Connection", "a\rb"),
            ("Content-Length", "5\n"),
        ):
            self.assertRaises(ListenerFailed, response_headers, [field], "relay")
