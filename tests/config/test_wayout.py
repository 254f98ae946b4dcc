"""Tests of L{hybridconn.config.wayout}."""

from __future__ import annotations

import sys
from unittest.mock import patch

from hybridconn.config.listener import load_listener
from hybridconn.config.sender import load_sender
from hybridconn.wayout.errors import PasswordUnreadable
from hybridconn.wayout.proxy import Proxy
from hybridconn.wayout.way import WayOut
from tests.config.case import STRING, ConfigTestCase

FORWARD = '[[forward]]\nconnection_string_file = "db"\nbind = "127.0.0.1:15432"\n'
TABLE = '[way_out]\nproxy = "http://proxy.corp:3128"\n'
RELAY = "relay.example.net"


class WayOutTests(ConfigTestCase):
    """C{[way_out]}."""

    def setUp(self) -> None:
        super().setUp()
        self.write("db", STRING + "\n")
        self.write("password", "hunter2\n")

    def load(self, text: str) -> WayOut:
        """Load a sender's table."""
        path = self.write("sender.toml", FORWARD + text)
        return load_sender(path, self.environ).way_out

    def one(self, text: str, *words: str) -> None:
        """One thing only is wrong, and the line has these words and no password."""
        lines = self.mistakes(load_sender, FORWARD + text)
        self.assertEqual(len(lines), 1, lines)
        for word in words:
            self.assertIn(word, lines[0])
        self.assertNotIn("hunter2", lines[0])

    def test_environment(self) -> None:
        """Without the table, and with a proxy of "environment", it is that."""
        self.assertEqual(self.load("").proxy, None)
        self.environ = {"HTTPS_PROXY": "http://jo:hunter2@proxy.corp:3128"}
        for text in ("", "[way_out]\n", '[way_out]\nproxy = "environment"\n'):
            way = self.load(text)
            assert way.proxy is not None and way.proxy.credentials is not None
            self.assertEqual(str(way.proxy), "proxy.corp:3128")
            self.assertEqual(way.proxy.named_by, "HTTPS_PROXY")
            self.assertNotIn("hunter2", repr(way))
        self.assertEqual(self.load('[way_out]\nproxy = "none"\n').proxy, None)
        self.assertEqual(
            self.load('[way_out]\nproxy = "socks5://p"\n').proxy,
            Proxy("socks5", "p", 1080),
        )

    def test_environment_is_bad(self) -> None:
        """A variable that cannot be used is a mistake, unless it does not matter."""
        self.environ = {"HTTPS_PROXY": "ftp://jo:hunter2@proxy"}
        self.one("", "[way_out]", "HTTPS_PROXY is no proxy", 'write proxy = "none"')
        self.load('[way_out]\nproxy = "none"\n')

    def test_all(self) -> None:
        """Everything that can be set."""
        self.certify()
        way = self.load(
            TABLE + 'proxy_user = "jo"\nproxy_password_file = "password"\n'
            'proxy_authentication = "ntlm"\nproxy_timeout = 5\n'
            'no_proxy = [".corp", "10.0.0.0/8", "relay:8443"]\n'
            'proxy_ca_file = "ca.pem"\n'
            'client_certificate = "relay.pem"\nclient_key = "relay.key"\n'
            'bind_address = "192.0.2.9"\n'
        )
        assert way.proxy is not None and way.proxy.credentials is not None
        self.assertEqual(way.plain_proxy, way.proxy)
        self.assertEqual(way.proxy.credentials.scheme, "ntlm")
        self.assertEqual(way.proxy.credentials.password.reveal(), "hunter2")
        self.assertEqual(way.proxy_timeout, 5.0)
        self.assertEqual(way.proxy_ca_files, (str(self.folder / "ca.pem"),))
        assert way.client_certificate is not None
        self.assertEqual(way.client_certificate.key, str(self.folder / "relay.key"))
        self.assertEqual(way.bind_address, "192.0.2.9")
        self.assertIsNone(way.proxy_for("relay", 8443, True))
        self.assertIsNone(way.proxy_for("db.corp", 443, True))
        self.assertIsNotNone(way.proxy_for(RELAY, 443, True))
        # The proxy of the file is for this machine too.
        self.assertIsNotNone(way.proxy_for("localhost", 443, True))
        self.assertNotIn("hunter2", repr(way))

    def test_password_changes(self) -> None:
        """A password's file is read anew, and then too nobody else may read it."""
        way = self.load(TABLE + 'proxy_user = "jo"\nproxy_password_file = "password"\n')
        assert way.proxy is not None and way.proxy.credentials is not None
        password = way.proxy.credentials.password
        self.write("password", "other")
        self.assertEqual(password.reveal(), "other")
        self.write("password", "hunter2", 0o644)
        error = self.assertRaises(PasswordUnreadable, password.reveal)
        self.assertIn("others can read it", str(error))
        for content in (b"", b"\n", b"a\nb\n", b"\xff\xfe"):
            self.write("password", content)
            self.assertRaises(PasswordUnreadable, password.reveal)

    def test_password_variable(self) -> None:
        """A variable may hold it."""
        self.environ = {"PW": "hunter2"}
        text = TABLE + 'proxy_user = "jo"\nproxy_password_env = "PW"\n'
        way = self.load(text)
        assert way.proxy is not None and way.proxy.credentials is not None
        self.assertEqual(way.proxy.credentials.password.reveal(), "hunter2")
        self.environ = {}
        self.one(text, "proxy_password_env", 'no variable "PW"')

    def test_proxy(self) -> None:
        """What is no proxy is a mistake; passwords do not stand there."""
        for value, words in (
            ("ftp://proxy", "this is no proxy"),
            ("http://proxy:0", "its port is no number"),
            ("http://jo:hunter2@proxy", "leave user and password out of it"),
            ("ftp://jo:hunter2@proxy", "this is no proxy"),
        ):
            self.one(f'[way_out]\nproxy = "{value}"\n', "[way_out] proxy", words)

    def test_password(self) -> None:
        """User and password go together, and with a proxy of the file."""
        user, file = 'proxy_user = "jo"\n', 'proxy_password_file = "password"\n'
        for text, *words in (
            (TABLE + user, "proxy_password_file", "is missing beside proxy_user"),
            (TABLE + file, "proxy_user", "is missing beside proxy_password_file"),
            (TABLE + user + file + 'proxy_password_env = "X"\n', "one too many"),
            (TABLE + user + 'proxy_password_file = "nowhere"\n', "there is no file"),
            (TABLE + 'proxy_user = "a:b"\n' + file, "has a colon"),
            ('[way_out]\nno_proxy = ["corp"]\n', "only with a proxy that is named"),
        ):
            self.one(text, *words)
        lines = self.mistakes(load_sender, FORWARD + "[way_out]\n" + user + file)
        self.assertEqual(len(lines), 2)
        self.write("password", "hunter2", 0o644)
        self.one(TABLE + user + file, "others can read it", "chmod 600")

    def test_authentication(self) -> None:
        """NTLM needs a user, an HTTP proxy and the library."""
        ntlm = 'proxy_authentication = "ntlm"\n'
        login = 'proxy_user = "jo"\nproxy_password_file = "password"\n'
        self.one(TABLE + ntlm, "proxy_user", "ntlm needs a user")
        socks = '[way_out]\nproxy = "socks5://p"\n'
        self.one(socks + ntlm + login, "is for HTTP proxies")
        self.one(TABLE + 'proxy_authentication = "digest"\n', '"digest" is not known')
        with patch.dict(sys.modules, {"spnego": None}):
            self.one(TABLE + ntlm + login, "pip install 'hybridconn[ntlm]'")

    def test_exceptions(self) -> None:
        """A bad exception is named with its place."""
        self.one(TABLE + 'no_proxy = ["corp", "a b"]\n', "no_proxy[1]", '"a b"')

    def test_certificate(self) -> None:
        """A certificate and its key go together and fit."""
        self.certify()
        self.certify("other")
        certificate = '[way_out]\nclient_certificate = "relay.pem"\n'
        self.one(certificate, "client_key", "is missing beside client_certificate")
        self.one(certificate + 'client_key = "other.key"\n', "client_certificate")
        self.one(certificate + 'client_key = "none.key"\n', "client_key", "no file")
        (self.folder / "relay.key").chmod(0o644)
        self.one(certificate + 'client_key = "relay.key"\n', "others can read it")

    def test_bind_address(self) -> None:
        """It is an IP address."""
        self.one('[way_out]\nbind_address = "eth0"\n', "no address of this machine")

    def test_listener(self) -> None:
        """A listener has the same table."""
        text = '[[hybrid_connection]]\nconnection_string_file = "db"\n' + TABLE
        path = self.write("listener.toml", text)
        way = load_listener(path, self.environ).way_out
        self.assertEqual(way.proxy, Proxy("http", "proxy.corp", 3128))
