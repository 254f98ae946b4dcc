"""Tests of L{hybridconn.config.sender}."""

from __future__ import annotations

from hybridconn.config import ConfigError
from hybridconn.config.addresses import HostPort
from hybridconn.config.sender import (
    SenderConfig,
    SenderTimings,
    load_sender,
    sender_from_options,
)
from tests.config.case import KEY, STRING, ConfigTestCase

FORWARD = '[[forward]]\nconnection_string_file = "db"\nbind = "127.0.0.1:15432"\n'


class SenderTestCase(ConfigTestCase):
    """With a connection string in a file."""

    def setUp(self) -> None:
        super().setUp()
        self.write("db", STRING + "\n")

    def load(self, text: str) -> SenderConfig:
        """Load a configuration."""
        return load_sender(self.write("sender.toml", text), self.environ)

    def one(self, text: str, *words: str) -> None:
        """One thing only is wrong, and the line has these words."""
        lines = self.mistakes(load_sender, text)
        self.assertEqual(len(lines), 1, lines)
        for word in words:
            self.assertIn(word, lines[0])


class FileTests(SenderTestCase):
    """C{sender.toml}."""

    def test_defaults(self) -> None:
        """A connection string and a port are enough."""
        config = self.load(FORWARD)
        self.assertEqual(config.timings, SenderTimings(30.0, 60.0, 3600.0, 70.0))
        self.assertEqual(config.ca_files, ())
        (forward,) = config.forwards
        self.assertEqual(forward.bind, HostPort("127.0.0.1", 15432))
        self.assertEqual(forward.connection.entity_path, "db")
        self.assertTrue(forward.connection.secure)
        self.assertNotIn(KEY, repr(config))

    def test_all(self) -> None:
        """Everything that can be set; senders of open entities need no key."""
        self.certify()
        config = self.load(
            'ca_file = "ca.pem"\ninsecure = true\n[timings]\nping_interval = 5\n'
            "dead_after = 10\ntoken_lifetime = 60\nconnect_timeout = 3\n"
            + FORWARD
            + '[[forward]]\nbind = "[::1]:0"\n'
            'connection_string = "Endpoint=sb://relay:8080/;EntityPath=open"\n'
        )
        self.assertEqual(config.timings, SenderTimings(5.0, 10.0, 60.0, 3.0))
        self.assertEqual(config.ca_files, (str(self.folder / "ca.pem"),))
        self.assertEqual(
            [forward.connection.secure for forward in config.forwards], [False] * 2
        )
        self.assertEqual(config.forwards[1].bind, HostPort("::1", 0))
        self.assertEqual(config.forwards[1].connection.port, 8080)

    def test_host_names(self) -> None:
        """A port on loopback is asked by its own names, another one by any."""
        for bind, line, names in (
            ("127.0.0.1:1", "", ()),
            ("[::1]:1", 'host_names = ["App.test"]', ("app.test",)),
            ("127.0.0.1:1", 'host_names = ["*"]', None),
            ("0.0.0.0:1", "", None),
            ("192.0.2.1:1", 'host_names = ["app.test"]', ("app.test",)),
        ):
            text = FORWARD.replace("127.0.0.1:15432", bind) + "http = true\n" + line
            self.assertEqual(self.load(text).forwards[0].own_names, names)
        mistake = FORWARD + 'host_names = ["http://app"]\n'
        self.one(mistake, "host_names", "is no host name", "without scheme")

    def test_mistakes(self) -> None:
        """Each value has its own mistake and mend."""
        for text, *words in (
            ("", "forward: is missing; add a [[forward]], a [[redirect]] or an [app]."),
            (
                FORWARD.replace("15432", "99999"),
                "bind",
                "port is 99999; use 0 to 65535",
            ),
            (FORWARD.replace("15432", "http"), '"127.0.0.1:http" is no local address'),
            (FORWARD.replace("127.0.0.1", "db.corp"), "bind to an IP address"),
            ('[[forward]]\nconnection_string_file = "db"', "bind: is missing"),
            ('[[forward]]\nbind = "127.0.0.1:1"', "connection_string_file: is missing"),
            (FORWARD.replace('"db"', '"gone"'), "connection_string_file: there is no"),
            (FORWARD + 'endpoint = "a:1"', "endpoint: there is no such setting"),
            (f"[timings]\nrenew_at = 0.5\n{FORWARD}", "renew_at: there is no such"),
            (
                f"[timings]\ndead_after = 20\n{FORWARD}",
                "dead_after: 20 is not more than ping_interval, 30.0",
            ),
            (
                f'data_path = "fast"\n{FORWARD}',
                'data_path: "fast" is not known; use "slim" or "autobahn"',
            ),
            (f'tls = "off"\n{FORWARD}', 'tls: "off" is not known; use "lean"'),
            (
                f"[spare_tunnels]\nleast = 9\nmost = 4\n{FORWARD}",
                "[spare_tunnels] least: 9 is more than most, 4; use less",
            ),
            (
                f"[spare_tunnels]\nmost = -1\n{FORWARD}",
                "most: -1 is no usable number; use 0 to 100000",
            ),
        ):
            self.one(text, *words)

    def test_target(self) -> None:
        """What is wanted of the listener; an address is good here."""
        for text, shown in (
            ("DB.corp:1433", "db.corp:1433"),
            ("10.0.0.1:1", "10.0.0.1:1"),
        ):
            (one,) = self.load(FORWARD + f'target = "{text}"').forwards
            self.assertEqual(one.target, shown)
        (one,) = self.load(FORWARD).forwards
        self.assertEqual(one.target, "")
        for text, *words in (
            (
                FORWARD + 'target = "*.corp:1"',
                'target: "*.corp:1" is no target',
                "name",
            ),
            (FORWARD + 'http = true\ntarget = "a:1"', "target: is for connections"),
        ):
            self.one(text, *words)

    def test_same_port(self) -> None:
        """Two forwards on one port are refused; free ports are not the same."""
        self.one(
            FORWARD + FORWARD.replace("127.0.0.1", "localhost"),
            'bind: "localhost:15432" is taken by number 1; use another port.',
        )
        free = FORWARD.replace("15432", "0")
        self.load(FORWARD + FORWARD.replace("127.0.0.1", "127.0.0.2") + free + free)

    def test_wrong_shapes(self) -> None:
        """Whatever stands where a table should be, the answer is a mistake."""
        for text in (
            "forward = 1",
            'forward = ["a"]',
            "[forward]",
            "[[forward]]\nbind = 1",
            "[[forward]]\nbind = []\nconnection_string = {}",
            f"timings = 5\n{FORWARD}",
            f"[[timings]]\nping_interval = 1\n{FORWARD}",
            f'[timings]\nping_interval = "a"\ndead_after = false\n{FORWARD}',
        ):
            self.assertNotEqual(self.mistakes(load_sender, text), [])


class OptionTests(SenderTestCase):
    """The same from a command line."""

    def test_good(self) -> None:
        """A file with the connection string and a port."""
        config = sender_from_options(
            str(self.folder / "db"), "127.0.0.1:0", environ=self.environ
        )
        self.assertEqual(config.forwards[0].bind, HostPort("127.0.0.1", 0))

    def test_mistakes(self) -> None:
        """Mistakes name the option."""
        error = self.assertRaises(
            ConfigError, sender_from_options, str(self.folder / "db"), environ={}
        )
        self.assertEqual(str(error), "command line: --bind: is missing; add it.")


class AppTests(SenderTestCase):
    """C{[app]}."""

    GOOD = (
        '[app]\nmanagement = "https://relay.test:7422"\nname = "shop"\n'
        'token_env = "TOKEN"\n'
    )

    def setUp(self) -> None:
        super().setUp()
        self.environ["TOKEN"] = KEY

    def test_place(self) -> None:
        """Names or an id say which app; the token is not shown."""
        config = self.load(self.GOOD + 'slot = "test"\nresource_group = "rg"\n')
        self.assertTrue(config.app)
        self.assertIn("/resourceGroups/rg/providers/", config.app.place)
        self.assertTrue(config.app.place.endswith("/sites/shop/slots/test"))
        self.assertEqual(config.app.name, "shop slot test")
        self.assertEqual(config.app.credential.read(), KEY)
        self.assertNotIn(KEY, repr(config))
        text = self.GOOD.replace('name = "shop"', f'id = "{config.app.place}"')
        self.assertEqual(self.load(text).app.place, config.app.place)
        self.assertFalse(self.load(FORWARD).app)

    def test_mistakes(self) -> None:
        """What is missing, wrong, or said twice."""
        for old, new, *words in (
            (
                'management = "https://relay.test:7422"\n',
                "",
                "[app] management: is missing",
            ),
            ("https://relay", "http://relay", "no address of a management API"),
            ('name = "shop"\n', "", "[app] name: is missing"),
            ('name = "shop"\n', 'id = "shop"\n', "no app's id"),
            ('token_env = "TOKEN"\n', "", "[app] token_file: is missing"),
            ('"TOKEN"', '"NONE"', "holds no token"),
            ('token_env = "TOKEN"', 'token_file = "none"', "there is no file"),
        ):
            with self.subTest(new=new):
                self.one(self.GOOD.replace(old, new), *words)
