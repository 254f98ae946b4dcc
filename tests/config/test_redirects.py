"""Tests of L{hybridconn.config.redirects}."""

from __future__ import annotations

from ipaddress import IPv4Network

from hybridconn.config import load_sender
from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import parse_redirected
from hybridconn.config.sender import SenderConfig
from tests.config.case import STRING, ConfigTestCase

REDIRECT = '[[redirect]]\nconnection_string_file = "db"\n'
DB = REDIRECT + 'endpoint = "DB.corp.:1433"\n'


class RedirectTests(ConfigTestCase):
    """Redirects of a sender's configuration."""

    def setUp(self) -> None:
        super().setUp()
        self.write("db", STRING)
        self.write("open", "Endpoint=sb://relay.example.net/;EntityPath=db")

    def load(self, text: str) -> SenderConfig:
        return load_sender(self.write("some.toml", text), self.environ)

    def one(self, text: str, *words: str) -> None:
        (mistake,) = self.mistakes(load_sender, text)
        for word in words:
            self.assertIn(word, mistake)

    def test_endpoint(self) -> None:
        """In lower case; without one, the metadata is asked."""
        first, second = self.load(DB + REDIRECT).redirects
        self.assertEqual(first.endpoint, HostPort("db.corp", 1433))
        self.assertIsNone(second.endpoint)

    def test_names(self) -> None:
        """Names, short names and wildcards; nothing that is never looked up."""
        for text in ("db:1", "*.corp:443", "a_b.corp:1", "xn--bcher-kva.example:80"):
            self.assertEqual(str(parse_redirected(text)), text)
        for text, words in (
            ("10.0.0.5:1433", "an address is never looked up"),
            ("[::1]:1433", "an address is never looked up"),
            ("localhost:1433", "this machine for every app"),
            ("db.corp", "write it as host:port"),
            ("db.corp:0", "its port is 0"),
            ("*:443", "its host is no name"),
            ("a.*.corp:443", "its host is no name"),
            ("-a.corp:1", "its host is no name"),
            ("bücher.example:80", "xn-- form"),
            ("10.1:80", "ends in a number"),
            ("a..b:1", "its host is no name"),
        ):
            error = self.assertRaises(ValueError, parse_redirected, text)
            self.assertIn(words, str(error))

    def test_many(self) -> None:
        """Many services behind one hybrid connection."""
        text = REDIRECT + 'endpoints = ["*.Apps.corp:443", "db.corp:1433"]'
        (one,) = self.load(text).redirects
        self.assertEqual(
            [*map(str, one.endpoints)], ["*.apps.corp:443", "db.corp:1433"]
        )
        self.assertEqual(one.known, one.endpoints)
        for more, *words in (
            ("endpoints = []", "endpoints: is empty"),
            ('endpoints = ["10.0.0.1:1"]', "endpoints", "never looked up"),
            ('endpoint = "a:1"\nendpoints = ["b:1"]', "endpoint: is for one"),
            ('endpoints = ["a:1", "b:1", "A:1"]', '"A:1" is redirected by number 1'),
        ):
            self.one(REDIRECT + more, *words)
        self.one(DB + REDIRECT + 'endpoints = ["db.corp:1433"]', "number 1 already")

    def test_same(self) -> None:
        """A name and port lead to one hybrid connection."""
        self.one(
            DB + DB.replace("DB", "db"),
            'endpoint: "db.corp.:1433" is redirected by number 1 already',
        )
        self.assertEqual(len(self.load(DB + DB.replace("1433", "80")).redirects), 2)

    def test_mistakes(self) -> None:
        """Each value has its own mistake and mend."""
        for text, *words in (
            (REDIRECT.replace("db", "open"), "endpoint: is missing", "without a key"),
            (DB.replace("DB.corp.", "10.0.0.1"), "cannot be redirected", "[[forward]]"),
            ('[names]\ndns = "0.0.0.0:53"\n' + DB, "use a loopback address"),
            ('[names]\nnetwork = "10.0.0.0/8"\n' + DB, "not within 127.0.0.0/8"),
            ('[names]\nnetwork = "127.0.0.0/30"\n' + DB, "too small; use a /24"),
            ('[names]\nipv6_network = "2001:db8::/64"\n' + DB, "not within fc00::/7"),
            ('[names]\nupstreams = ["ns.corp"]\n' + DB, "is no name server"),
            (
                '[names]\ndns = "127.0.0.77:53"\nupstreams = ["127.0.0.77"]\n' + DB,
                "would ask itself for ever",
            ),
            ("[names]\nttl = -1\n" + DB, "0 to 3600"),
            ('[front_door]\nsocks_bind = "proxy:1"\n' + DB, "is no local address"),
        ):
            self.one(text, *words)

    def test_settings(self) -> None:
        """Everything can be set, and there is little that must be."""
        names = self.load(DB).names
        self.assertEqual(
            (names.dns, names.network), (None, IPv4Network("127.77.0.0/16"))
        )
        text = (
            '[names]\ndns = "127.0.0.5:53"\nupstreams = ["192.0.2.1", "[::1]:5353"]\n'
        )
        names = self.load(text + DB).names
        self.assertEqual(
            names.upstreams, (HostPort("192.0.2.1", 53), HostPort("::1", 5353))
        )
