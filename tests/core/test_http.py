"""Tests of L{hybridconn.core.http}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.http import (
    RequestHead,
    join_authority,
    names_host,
    origin_form,
    split_authority,
)


def head(*headers: tuple[str, str]) -> RequestHead:
    return RequestHead("GET", "/x", "1.1", headers)


class AuthorityTests(SynchronousTestCase):
    """C{host:port} taken apart and joined."""

    def test_forms(self) -> None:
        """Host, port and IPv6 address are found; the host comes in lower case."""
        for text, expected in (
            ("Relay.Example.net", ("relay.example.net", None)),
            ("relay.example.net.", ("relay.example.net", None)),
            ("relay.example.net:443", ("relay.example.net", 443)),
            ("relay.example.net:", ("relay.example.net", None)),
            ("127.0.0.1:8080", ("127.0.0.1", 8080)),
            ("[::1]:443", ("::1", 443)),
            ("[2001:DB8::1]", ("2001:db8::1", None)),
        ):
            self.assertEqual(split_authority(text), expected, text)

    def test_not_a_host(self) -> None:
        """What is no host with an optional port is refused."""
        for text in (
            "",
            ".",
            "user@host",
            "host:port",
            "host:0",
            "host:65536",
            "host:443:443",
            "ho st",
            "host/path",
            "a, b",
            "::1",
            "[::1",
            "host\n",
            "hóst",
        ):
            self.assertRaises(ValueError, split_authority, text)

    def test_join(self) -> None:
        """An IPv6 address gets its brackets back."""
        self.assertEqual(join_authority("::1", 443), "[::1]:443")
        self.assertEqual(join_authority("a.example", None), "a.example")


class TargetTests(SynchronousTestCase):
    """Request targets with a host in them."""

    def test_origin_form(self) -> None:
        """Path and query come out byte for byte."""
        for target, path in (
            ("/a;?", "/a;?"),
            ("//a/b?//c", "//a/b?//c"),
            ("https://relay.test/a%2Fb;", "/a%2Fb;"),
            ("HTTP://relay.test:80?x=/y", "/?x=/y"),
            ("wss://relay.test", "/"),
        ):
            self.assertEqual(origin_form(target), path)
        for target in ("", "*", "a", "relay.test:80", "ftp://a/b", "http:/a", "://a"):
            self.assertRaises(ValueError, origin_form, target)

    def test_names_host(self) -> None:
        """Whatever else the Host field says, it names the same place."""
        for target, host in (
            ("/x", "anything"),
            ("https://Relay.test/x", "relay.test"),
            ("https://relay.test:443/x", "relay.test"),
            ("ws://relay.test", "relay.test:80"),
            ("http://[::1]:81/", "[::1]:81"),
        ):
            self.assertTrue(names_host(target, host))
        for target, host in (
            ("https://relay.test/x", "other.test"),
            ("https://relay.test:444/x", "relay.test"),
            ("http://relay.test/x", "relay.test:443"),
            ("https://me@relay.test/x", "relay.test"),
            ("https:///x", "relay.test"),
        ):
            self.assertFalse(names_host(target, host))


class RequestHeadTests(SynchronousTestCase):
    """The head of a request."""

    def test_names_in_any_case(self) -> None:
        """Header fields are found by their name in any case."""
        self.assertEqual(head(("X-App", "1")).get("x-aPP"), "1")
        self.assertIsNone(head().get("X-App"))
        self.assertEqual(head().get_all("X-App"), [])

    def test_joined(self) -> None:
        """Values of equal names are joined: with commas, cookies with semicolons."""
        request = head(("A", "v1"), ("a", "v2"), ("Cookie", "x=1"), ("cookie", "y=2"))
        self.assertEqual(request.get("A"), "v1, v2")
        self.assertEqual(request.get_all("A"), ["v1", "v2"])
        self.assertEqual(request.get("COOKIE"), "x=1; y=2")

    def test_host(self) -> None:
        """The host comes without port; a wrong field counts as none."""
        request = head(("Host", "Relay.Example:8443"))
        self.assertEqual(request.host, "relay.example")
        self.assertEqual(request.authority, "Relay.Example:8443")
        for wrong in (
            head(),
            head(("Host", "a@b")),
            head(("Host", "a"), ("Host", "b")),
        ):
            self.assertEqual(wrong.host, "")

    def test_wants_websocket(self) -> None:
        """Both Connection and Upgrade must name it, among other tokens maybe."""
        upgrade = ("Upgrade", "WebSocket")
        self.assertTrue(
            head(("Connection", "keep-alive, Upgrade"), upgrade).wants_websocket
        )
        self.assertTrue(
            head(
                ("Connection", "keep-alive"), ("connection", "upgrade"), upgrade
            ).wants_websocket
        )
        for headers in (
            [upgrade],
            [("Connection", "Upgrade")],
            [("Connection", "upgraded"), upgrade],
            [("Connection", "upgrade"), ("Upgrade", "h2c")],
        ):
            self.assertFalse(head(*headers).wants_websocket, headers)

    def test_repr_shows_no_token(self) -> None:
        """The repr has neither the query nor the header fields."""
        request = RequestHead(
            "GET", "/x?sb-hc-token=hush", "1.1", (("ServiceBusAuthorization", "hush"),)
        )
        self.assertNotIn("hush", repr(request))
        self.assertIn("/x", repr(request))

    def test_compares_as_a_value(self) -> None:
        """Heads with the same parts are equal, however the headers were given."""
        self.assertEqual(
            head(("A", "1")),
            RequestHead("GET", "/x", "1.1", [("A", "1")]),
        )
