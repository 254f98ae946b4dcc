"""Tests of L{hybridconn.wayout.environment} and L{hybridconn.wayout.proxy}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.wayout.environment import from_environment
from hybridconn.wayout.proxy import Proxy, parse_proxy

RELAY = "relay.example.net"


class ProxyTests(SynchronousTestCase):
    """How a proxy is written."""

    def test_forms(self) -> None:
        """Scheme and port may be left out."""
        for text, expected in (
            ("proxy.corp", Proxy("http", "proxy.corp", 8080)),
            ("proxy.corp:3128", Proxy("http", "proxy.corp", 3128)),
            ("http://Proxy.Corp:3128/", Proxy("http", "proxy.corp", 3128)),
            ("HTTPS://proxy.corp", Proxy("https", "proxy.corp", 443)),
            ("socks5://[2001:DB8::1]", Proxy("socks5", "2001:db8::1", 1080)),
            ("socks5h://proxy.corp:9050", Proxy("socks5", "proxy.corp", 9050)),
        ):
            self.assertEqual(parse_proxy(text), expected)
        self.assertEqual(
            str(parse_proxy("socks5://[2001:db8::1]")), "[2001:db8::1]:1080"
        )

    def test_password(self) -> None:
        """User and password are decoded, and shown nowhere."""
        proxy = parse_proxy("http://jo%40corp:s3%2Fcret%3A@proxy.corp:3128")
        assert proxy.credentials is not None
        self.assertEqual(proxy.credentials.user, "jo@corp")
        self.assertEqual(proxy.credentials.password.reveal(), "s3/cret:")
        self.assertNotIn("s3", repr(proxy) + str(proxy))

    def test_bad(self) -> None:
        """What is no proxy is refused without showing it."""
        for text in (
            "ftp://u:hunter2@proxy",
            "http://u:hunter2@",
            "http://u:hunter2@proxy:0",
            "http://u:hunter2@proxy:99999",
            "http://u:hunter2@proxy/path",
            "http://u:hunter2@pro xy",
            "http://u:hunter2@proxy\r\nX: y",
            "http://a%3Ab:hunter2@proxy",
            "http://:hunter2@proxy",
        ):
            error = self.assertRaises(ValueError, parse_proxy, text)
            self.assertNotIn("hunter2", str(error))


class EnvironmentTests(SynchronousTestCase):
    """What the environment says."""

    def proxy(self, **environ: str) -> str:
        return self.way(environ)

    def way(
        self, environ: dict[str, str], secure: bool = True, host: str = RELAY
    ) -> str:
        found = from_environment(environ).proxy_for(host, 443, secure)
        return "direct" if found is None else f"{found.scheme} {found}"

    def test_which(self) -> None:
        """Each kind of connection has its variable; C{all_proxy} is for both."""
        both = {"https_proxy": "a", "http_proxy": "b", "all_proxy": "socks5://c"}
        self.assertEqual(self.proxy(**both), "http a:8080")
        self.assertEqual(self.way(both, secure=False), "http b:8080")
        self.assertEqual(self.proxy(all_proxy="socks5://c"), "socks5 c:1080")
        self.assertEqual(self.way({"ALL_PROXY": "c"}, secure=False), "http c:8080")
        self.assertEqual(self.proxy(http_proxy="b"), "direct")
        self.assertEqual(self.proxy(), "direct")

    def test_case(self) -> None:
        """Upper case will do, lower case wins; empty is as if it were not there."""
        self.assertEqual(self.proxy(HTTPS_PROXY="a"), "http a:8080")
        self.assertEqual(self.proxy(HTTPS_PROXY="a", https_proxy="b"), "http b:8080")
        self.assertEqual(self.proxy(HTTPS_PROXY="a", https_proxy=""), "http a:8080")

    def test_exceptions(self) -> None:
        """C{no_proxy} is split at commas and blanks; bad parts are passed over."""
        for value in (RELAY, "x, .example.net", "x example.net", "@@,*"):
            self.assertEqual(self.proxy(https_proxy="a", no_proxy=value), "direct")
        self.assertEqual(self.proxy(https_proxy="a", NO_PROXY="x"), "http a:8080")

    def test_this_machine(self) -> None:
        """This machine is never reached by it."""
        self.assertEqual(self.way({"https_proxy": "a"}, host="localhost"), "direct")
        self.assertEqual(self.way({"https_proxy": "a"}, host="127.0.0.1"), "direct")

    def test_bad(self) -> None:
        """A variable that cannot be used is named, without its password."""
        environ = {"HTTPS_PROXY": "ftp://jo:hunter2@proxy"}
        error = self.assertRaises(ValueError, from_environment, environ)
        self.assertIn("HTTPS_PROXY is no proxy", str(error))
        self.assertNotIn("hunter2", str(error))
