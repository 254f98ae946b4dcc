"""Tests of L{hybridconn.config.addresses}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    UNIXClientEndpoint,
)
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config.addresses import (
    HostPort,
    Target,
    parse_bind,
    parse_host_name,
    parse_host_port,
    parse_target,
)


class HostPortTests(SynchronousTestCase):
    """C{host:port}."""

    def test_good(self) -> None:
        """Names, IPv4, and IPv6 in brackets; written back alike."""
        for text, host, port in (
            ("db.corp:1433", "db.corp", 1433),
            ("127.0.0.1:1", "127.0.0.1", 1),
            ("[::1]:65535", "::1", 65535),
            ("[2001:db8::7]:22", "2001:db8::7", 22),
            ("bücher.example:80", "bücher.example", 80),
        ):
            self.assertEqual(parse_host_port(text), HostPort(host, port))
            self.assertEqual(str(HostPort(host, port)), text)

    def test_bad(self) -> None:
        """Anything else is refused by a sentence."""
        for text in (
            "",
            "db",
            "db:",
            ":1",
            "db:0",
            "db:65536",
            "db:99999999999999",
            "db:-1",
            "db:1x",
            "db:\uff11",
            "::1:80",
            "[::1]",
            "[::z]:1",
            "[1:2]:3",
            "a b:1",
            "a/b:1",
            "db:1\n",
        ):
            self.assertRaises(ValueError, parse_host_port, text)

    @given(st.text(alphabet="ab.:[]019-/ %\n", max_size=12))
    def test_nothing_else(self, text: str) -> None:
        """No text raises anything but ValueError, and what is read is written back."""
        for parse in (parse_host_port, parse_bind, parse_target, parse_host_name):
            try:
                found = parse(text)
            except ValueError:
                continue
            if isinstance(found, HostPort) and parse is parse_host_port:
                self.assertEqual(parse_host_port(str(found)), found)


class BindTests(SynchronousTestCase):
    """A sender's local port."""

    def test_good(self) -> None:
        """IP addresses of either kind, and any free port."""
        self.assertEqual(parse_bind("127.0.0.1:15432"), HostPort("127.0.0.1", 15432))
        self.assertEqual(parse_bind("[::1]:0"), HostPort("::1", 0))
        self.assertEqual(parse_bind("localhost:80"), HostPort("127.0.0.1", 80))

    def test_bad(self) -> None:
        """A host name is no place to listen."""
        for text in ("db.corp:1", "127.0.0.1", "127.0.0.1:65536", "15432"):
            self.assertRaises(ValueError, parse_bind, text)


class HostNameTests(SynchronousTestCase):
    """A relay's names."""

    def test_good(self) -> None:
        """In lower case, without brackets and without a final dot."""
        for text, host in (
            ("Relay.Example.net", "relay.example.net"),
            ("relay.example.net.", "relay.example.net"),
            ("[::1]", "::1"),
            ("0:0::1", "::1"),
            ("127.0.0.1", "127.0.0.1"),
            ("localhost", "localhost"),
        ):
            self.assertEqual(parse_host_name(text), host)

    def test_bad(self) -> None:
        """Neither ports, nor schemes, nor anything else that is no name."""
        for text in ("", "a:1", "https://a", "a/b", "a b", "u@h", "[a]", "*.a", "."):
            self.assertRaises(ValueError, parse_host_name, text)


class TargetTests(SynchronousTestCase):
    """What a listener joins senders to."""

    def test_host_and_port(self) -> None:
        """A host and a port are dialled by name or address, with the time-out."""
        reactor = MemoryReactorClock()
        target = parse_target("127.0.0.1:1433")
        self.assertEqual(target, Target("127.0.0.1:1433", HostPort("127.0.0.1", 1433)))
        self.assertEqual(str(target), "127.0.0.1:1433")
        self.assertIsInstance(target.endpoint(reactor, 7.5), TCP4ClientEndpoint)
        target = parse_target("[::1]:1433")
        self.assertIsInstance(target.endpoint(reactor, 7.5), TCP6ClientEndpoint)
        target = parse_target("db.corp:1433")
        self.assertIsInstance(target.endpoint(reactor, 7.5), HostnameEndpoint)

    def test_names_like_prefixes(self) -> None:
        """A host may be called like a type of endpoint."""
        self.assertEqual(parse_target("tcp:80").host_port, HostPort("tcp", 80))

    def test_descriptions(self) -> None:
        """A Twisted client endpoint is one, those of plugins too."""
        for text in ("unix:/run/app.sock", "tcp:db.corp:1433", "tls:db.corp:443"):
            self.assertEqual(parse_target(text), Target(text))
        endpoint = parse_target("unix:/run/app.sock").endpoint(MemoryReactorClock(), 1)
        self.assertIsInstance(endpoint, UNIXClientEndpoint)

    def test_http(self) -> None:
        """A URL is an HTTP service, its path kept as it is."""
        for text, secure, authority, path in (
            ("http://127.0.0.1:8080", False, "127.0.0.1:8080", ""),
            ("HTTPS://App.corp/", True, "app.corp", ""),
            ("https://app.corp:443/a%2Fb/c/", True, "app.corp", "/a%2Fb/c"),
            ("http://[::1]:80/", False, "[::1]", ""),
        ):
            http = parse_target(text).http
            assert http is not None
            found = (http.secure, http.authority, http.path)
            self.assertEqual(found, (secure, authority, path))
        self.assertIsNone(parse_target("app.corp:80").http)

    def test_bad(self) -> None:
        """Unknown types and wrong arguments are found when they are read."""
        for text, words in (
            ("db.corp", "host:port"),
            ("db.corp:99999", "99999"),
            ("db.corp:x", "is not"),
            ("ftp://db.corp/", "is not"),
            ("http://db.corp/?x=1", "query"),
            ("http://me@db.corp/", "user"),
            ("https:///x", "host"),
            ("http:/x", "host"),
            ("http://db.corp:0", "port"),
            ("http://db.corp/a b", "escaped"),
            ("/run/app.sock", "unix:/run/app.sock"),
            ("localhost", "http://"),
            ("tcp:a:b:c:d", "arguments"),
            ("tcp:host=a", "arguments"),
            ("tcp:a:b", "arguments"),
            ("unix:", "host:port"),
            (":1", "host:port"),
            ("", "host:port"),
        ):
            error = self.assertRaises(ValueError, parse_target, text)
            self.assertIn(words, str(error))
