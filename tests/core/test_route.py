"""Tests of L{hybridconn.core.route}."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.http import RequestHead
from hybridconn.core.refusals import (
    BadRequest,
    MethodNotAllowed,
    PathInvalid,
    Refusal,
    VersionNotSupported,
)
from hybridconn.core.route import (
    Accept,
    Connect,
    FoundToken,
    HttpRequest,
    Listen,
    RequestRendezvous,
    Route,
    TokenSource,
    classify,
    find_token,
    split_query,
    token_from,
)

UPGRADE = {
    "Host": "relay.example.net",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def upgrade(target: str, method: str = "GET", **changes: str | None) -> RequestHead:
    named = {name.replace("_", "-"): value for name, value in changes.items()}
    fields = {**UPGRADE, **named}
    return RequestHead(
        method,
        target,
        "1.1",
        tuple((name, value) for name, value in fields.items() if value is not None),
    )


def plain(target: str, method: str = "GET", **headers: str) -> RequestHead:
    fields = {"Host": "relay.example.net", **headers}
    return RequestHead(method, target, "1.1", tuple(fields.items()))


class KindTests(SynchronousTestCase):
    """Which of the five requests it is (relay-protocol section 2)."""

    def test_actions(self) -> None:
        """The action tells, in any case; without one a WebSocket is a connect."""
        for query, kind in (
            ("?sb-hc-action=listen", Listen),
            ("?sb-hc-action=connect", Connect),
            ("?sb-hc-action=accept", Accept),
            ("?sb-hc-action=request", RequestRendezvous),
            ("?SB-HC-Action=LISTEN", Listen),
            ("?a=1&sb-hc-action=listen&b=2", Listen),
            ("?sb%2Dhc-action=%6cisten", Listen),
            ("", Connect),
            ("?", Connect),
            ("?x=1", Connect),
            ("?sb-hc-action", Connect),
        ):
            self.assertIs(type(classify(upgrade("/$hc/hyco" + query))), kind, query)

    def test_unknown_action(self) -> None:
        """An unknown action is refused."""
        for action in ("", "none", "listen%20", "connect,listen"):
            head = upgrade(f"/$hc/hyco?sb-hc-action={action}")
            refusal = self.assertRaises(BadRequest, classify, head)
            self.assertEqual(refusal.status, 400)

    def test_first_action_counts(self) -> None:
        """Of two actions the first counts, for all who look."""
        route = classify(upgrade("/hyco?sb-hc-action=listen&sb-hc-action=connect"))
        self.assertIsInstance(route, Listen)

    def test_prefix(self) -> None:
        """The prefix may be there or not, in any case, its dollar escaped."""
        for target in (
            "/$hc/hyco/x",
            "/$HC/hyco/x",
            "/%24hc/hyco/x",
            "/hyco/x",
            "wss://relay.example.net/$hc/hyco/x",
            "HTTP://Relay.example.net/hyco/x",
        ):
            address = classify(upgrade(target)).address
            self.assertEqual(address.raw_path, "/hyco/x", target)
            self.assertEqual(address.segments, ("hyco", "x"))
            self.assertIsNone(address.raw_query)
        address = classify(upgrade("/$hcx/hyco")).address
        self.assertEqual(address.segments, ("$hcx", "hyco"))

    def test_plain(self) -> None:
        """A request that is no WebSocket is an HTTP request, whatever it asks."""
        for method in ("GET", "POST", "OPTIONS", "BREW"):
            route = classify(plain("/hyco/x?a=1&sb-hc-action=listen", method))
            self.assertIsInstance(route, HttpRequest)
            self.assertEqual(route.address.passed_query, "a=1")
        self.assertEqual(classify(plain("/")).address.segments, ())
        route = classify(plain("/hyco", Connection="Upgrade", Upgrade="h2c"))
        self.assertIsInstance(route, HttpRequest)

    def test_plain_with_prefix(self) -> None:
        """An HTTP request to a WebSocket's address is malformed."""
        for target in ("/$hc/hyco", "/$hc", "/%24HC/hyco?sb-hc-action=listen"):
            self.assertRaises(BadRequest, classify, plain(target))

    def test_connect_method(self) -> None:
        """The relay is no proxy."""
        for target in ("/hyco", "relay.example.net:443"):
            refusal = self.assertRaises(
                MethodNotAllowed, classify, plain(target, "CONNECT")
            )
            self.assertEqual(refusal.status, 405)


class HandshakeTests(SynchronousTestCase):
    """What is wrong with a WebSocket handshake."""

    def refused(self, kind: type[Refusal], head: RequestHead) -> None:
        self.assertRaises(kind, classify, head)

    def test_version(self) -> None:
        """Version 13 and no other."""
        for version in (None, "", "8", "13, 8", "013"):
            self.refused(
                VersionNotSupported, upgrade("/x", Sec_WebSocket_Version=version)
            )

    def test_key(self) -> None:
        """The key must be sixteen octets in base64, once."""
        good = UPGRADE["Sec-WebSocket-Key"]
        classify(upgrade("/x", Sec_WebSocket_Key=None, sec_websocket_key=f" {good}\t"))
        wrong = (
            None,
            "",
            "x",
            good[:-2],
            "?" * 22 + "==",
            f"\xa0{good}",
            f"{good}\x85",
        )
        for key in wrong:
            self.refused(BadRequest, upgrade("/x", Sec_WebSocket_Key=key))

    def test_method_and_version(self) -> None:
        """It is a GET of HTTP/1.1."""
        self.refused(MethodNotAllowed, upgrade("/x", "POST"))
        old = upgrade("/x")
        self.refused(BadRequest, RequestHead("GET", "/x", "1.0", old.headers))

    def test_host(self) -> None:
        """There is one Host and it is one."""
        for host in (None, "", "a b", "user@relay", "a/b", "a:b", "a, b"):
            self.refused(BadRequest, upgrade("/x", Host=host))
        twice = (*plain("/x").headers, ("host", "other"))
        self.refused(BadRequest, RequestHead("GET", "/x", "1.1", twice))

    def test_nowhere(self) -> None:
        """A WebSocket is for an endpoint."""
        for target in ("/", "/$hc", "/$hc/", "/?sb-hc-action=listen"):
            self.refused(PathInvalid, upgrade(target))


class TargetTests(SynchronousTestCase):
    """Targets that nobody should send (T5)."""

    def test_malformed(self) -> None:
        """A target that is no path in printable ASCII is refused."""
        for target in (
            "",
            "*",
            "hyco",
            "ftp://relay.example.net/hyco",
            "http://other/hyco",
            "http://relay.example.net:81/hyco",
            "/a b",
            "/a#b",
            "/\xe4",
            "/a\n",
        ):
            self.assertRaises(BadRequest, classify, upgrade(target))
            self.assertRaises(BadRequest, classify, plain(target))

    def test_paths(self) -> None:
        """Tricks with the path are refused for WebSockets and requests alike."""
        for path in ("/a/../b", "/a//b", "/a/%2e%2e/b", "/a%00", "/a%5cb", "/a/%ff"):
            for head in (upgrade("/$hc" + path), upgrade(path), plain(path)):
                refusal = self.assertRaises(PathInvalid, classify, head)
                self.assertEqual(refusal.status, 400)

    def test_length(self) -> None:
        """No listen can be for a longer path than entities have; a suffix may be."""
        longest = "a/" + "b" * 258
        classify(upgrade(f"/{longest}?sb-hc-action=listen"))
        classify(upgrade(f"/{longest}c"))
        head = upgrade(f"/{longest}c?sb-hc-action=listen")
        self.assertRaises(PathInvalid, classify, head)

    @given(st.text(st.characters(max_codepoint=255), max_size=30), st.booleans())
    def test_anything(self, text: str, prefixed: bool) -> None:
        """Whatever is asked: a route, or a refusal."""
        target = ("/$hc/" if prefixed else "/") + text
        for head in (upgrade(target), plain(target)):
            try:
                route = classify(head)
            except Refusal:
                continue
            self.assertIsInstance(route, Route)
            self.assertTrue(target.startswith(("/", "/$hc")))
            self.assertIn(route.address.raw_path, target)


class QueryTests(SynchronousTestCase):
    """What of the query is passed on (relay-protocol section 2.6)."""

    def test_pinned(self) -> None:
        """The cases that the tests of the .NET client pin down."""
        for query, passed in (
            ("sb-hc-whatever=", ""),
            ("sb-hc-undefined", "sb-hc-undefined"),
            ("&&value&&", "&&value&&"),
            ("+", "+"),
            ("%2B", "%2B"),
            ("", ""),
        ):
            self.assertEqual(split_query(query)[1], passed, query)

    def test_stripped(self) -> None:
        """Ours go, in any case and place and if escaped; the rest is untouched."""
        for query, passed in (
            ("a=1&sb-hc-action=connect", "a=1"),
            ("sb-hc-action=connect&a=1", "a=1"),
            ("a=1&SB-HC-Token=x&b=%zz&&c", "a=1&b=%zz&&c"),
            ("sb%2dhc%2Did=1&a", "a"),
            ("?a=1&sb-hc-id=1", "?a=1"),
            ("x-sb-hc-id=1", "x-sb-hc-id=1"),
            ("a=sb-hc-id=1", "a=sb-hc-id=1"),
            ("sb-hc-id=1&sb-hc-id=2", ""),
            ("a;sb-hc-id=1", "a;sb-hc-id=1"),
            ("A=%C3%A4&a=a+b", "A=%C3%A4&a=a+b"),
        ):
            self.assertEqual(split_query(query)[1], passed, query)

    def test_values(self) -> None:
        """Our parameters are decoded once; the first of a name counts."""
        ours, _ = split_query("sb-hc-Token=a%20b+c%252B&sb-hc-id=1&sb-hc-id=2")
        self.assertEqual(ours, {"sb-hc-token": "a b c%2B", "sb-hc-id": "1"})

    @given(
        st.lists(
            st.tuples(
                st.text(string.ascii_letters + "%+-=&;?/", max_size=6), st.booleans()
            ),
            max_size=6,
        )
    )
    def test_byte_for_byte(self, pieces: list[tuple[str, bool]]) -> None:
        """With ours mixed in, what is passed is what there was before."""
        own = [piece.replace("&", "") for piece, ours in pieces if not ours]
        mixed = [
            f"sb-hc-{piece.replace('&', '')}=1" if ours else piece.replace("&", "")
            for piece, ours in pieces
        ]
        self.assertEqual(split_query("&".join(mixed))[1], "&".join(own))

    def test_repr(self) -> None:
        """The repr of a route shows the path, not the query."""
        shown = repr(classify(upgrade("/hyco?pw=hush&sb-hc-token=hush")))
        self.assertIn("hyco", shown)
        self.assertNotIn("hush", shown)

    def test_helpers(self) -> None:
        """Path for logs and the caller's id are at hand."""
        address = classify(upgrade("/Hyco/a%20b/?sb-hc-id=7")).address
        self.assertEqual(address.path, "Hyco/a b")
        self.assertEqual(address.sb_hc_id, "7")
        self.assertEqual(address.raw_path, "/Hyco/a%20b/")
        self.assertIsNone(classify(upgrade("/x?sb-hc-id=")).address.sb_hc_id)


class TokenTests(SynchronousTestCase):
    """Where the token is (relay-protocol section 3.1)."""

    def found(
        self, query: str, headers: dict[str, str], websocket: bool = True
    ) -> FoundToken:
        make = upgrade if websocket else plain
        head = make("/hyco" + query, **headers)
        return token_from(head, classify(head).address, websocket)

    def test_precedence(self) -> None:
        """The header comes first for WebSockets, the query for HTTP requests."""
        query, header = "?sb-hc-token=q%26x", {"ServiceBusAuthorization": "s"}
        other = {"Authorization": "a"}
        cases: tuple[tuple[str, dict[str, str], str | None, str | None], ...] = (
            (query, {**header, **other}, "s", "q&x"),
            (query, other, "q&x", "q&x"),
            ("", {**header, **other}, "s", "s"),
            ("", other, "a", "a"),
            ("", {}, None, None),
            ("?sb-hc-token=", {"servicebusauthorization": ""}, None, None),
        )
        for target, headers, websocket, http in cases:
            self.assertEqual(self.found(target, headers).token, websocket)
            self.assertEqual(self.found(target, headers, False).token, http)

    def test_source(self) -> None:
        """The caller learns where it was, to know what to strip."""
        for source, found in (
            (TokenSource.NONE, self.found("", {})),
            (TokenSource.QUERY, self.found("?sb-hc-token=x", {})),
            (
                TokenSource.SERVICE_BUS_HEADER,
                self.found("", {"ServiceBusAuthorization": "x"}),
            ),
            (
                TokenSource.AUTHORIZATION_HEADER,
                self.found("", {"Authorization": "x"}),
            ),
        ):
            self.assertEqual(found.source, source)

    def test_find_token(self) -> None:
        """The short form gives the token alone."""
        head = upgrade("/hyco", ServiceBusAuthorization="x")
        self.assertEqual(find_token(head, classify(head).address), "x")

    def test_decoded_once(self) -> None:
        """The token in the query is decoded once; a plus sign is a space."""
        query = "?sb-hc-token=SharedAccessSignature+sr%3Da%252Fb%26sig%3Dx"
        self.assertEqual(
            self.found(query, {}).token, "SharedAccessSignature sr=a%2Fb&sig=x"
        )

    def test_repr(self) -> None:
        """The repr of what was found does not show it."""
        self.assertNotIn(
            "hush", repr(self.found("", {"ServiceBusAuthorization": "hush"}))
        )

    def test_key_in_url(self) -> None:
        """A key in the URL is not supported."""
        query = "?sb-hc-sas-key-name=a&sb-hc-sas-key=b"
        self.assertIsNone(self.found(query, {}).token)
