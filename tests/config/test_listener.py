"""Tests of L{hybridconn.config.listener}."""

from __future__ import annotations

from hybridconn.config import ConfigError
from hybridconn.config.addresses import HostPort
from hybridconn.config.hybrid_connection import HttpTargetSettings
from hybridconn.config.listener import (
    ListenerConfig,
    ListenerTimings,
    listener_from_options,
    load_listener,
)
from tests.config.case import KEY, STRING, TRACES, ConfigTestCase

ENTITY = '[[hybrid_connection]]\nconnection_string_file = "db"\n'


class ListenerTestCase(ConfigTestCase):
    """With a connection string in a file."""

    def setUp(self) -> None:
        super().setUp()
        self.write("db", STRING + "\n")

    def load(self, text: str) -> ListenerConfig:
        """Load a configuration."""
        return load_listener(self.write("listener.toml", text), self.environ)

    def one(self, text: str, *words: str) -> None:
        """One thing only is wrong, and the line has these words."""
        lines = self.mistakes(load_listener, text)
        self.assertEqual(len(lines), 1, lines)
        for word in words:
            self.assertIn(word, lines[0])


class FileTests(ListenerTestCase):
    """C{listener.toml}."""

    def test_defaults(self) -> None:
        """A connection string is enough; the target then comes from metadata."""
        config = self.load(ENTITY)
        self.assertEqual(config.timings, ListenerTimings())
        self.assertEqual(
            config.timings, ListenerTimings(30.0, 60.0, 0.8, 3600.0, 20.0, 20.0)
        )
        self.assertEqual((config.ca_file, config.ca_files), (None, ()))
        (one,) = config.hybrid_connections
        self.assertEqual((one.target, one.target_timeout), (None, 10.0))
        self.assertEqual(one.connection.entity_path, "db")
        self.assertTrue(one.connection.secure)
        self.assertNotIn(KEY, repr(config))

    def test_all(self) -> None:
        """Everything that can be set."""
        self.certify()
        self.environ["OTHER"] = STRING.replace("EntityPath=db", "EntityPath=web")
        config = self.load(
            'ca_file = "ca.pem"\n[timings]\nping_interval = 5\ndead_after = 10\n'
            "renew_at = 0.5\ntoken_lifetime = 60\nconnect_timeout = 3\n"
            "accept_dial_timeout = 4\n"
            + ENTITY
            + 'target = "db.corp:1433"\ntarget_timeout = 2\n'
            '[[hybrid_connection]]\nconnection_string_env = "OTHER"\n'
            'target = "unix:/run/web.sock"\n'
        )
        self.assertEqual(
            config.timings, ListenerTimings(5.0, 10.0, 0.5, 60.0, 3.0, 4.0)
        )
        self.assertEqual(config.ca_files, (str(self.folder / "ca.pem"),))
        first, second = config.hybrid_connections
        assert first.target is not None
        assert second.target is not None
        self.assertEqual(first.target.host_port, HostPort("db.corp", 1433))
        self.assertEqual(first.target_timeout, 2.0)
        self.assertEqual(second.connection.entity_path, "web")
        self.assertEqual(second.target.text, "unix:/run/web.sock")

    def test_http_target(self) -> None:
        """What else there is to say of one."""
        self.certify()
        config = self.load(
            ENTITY
            + 'target = "https://app.corp/base"\nhost = "app.internal:8443"\n'
            + 'keep_path = true\ntarget_ca_file = "ca.pem"\ntarget_insecure = true\n'
        )
        (one,) = config.hybrid_connections
        assert one.target is not None
        self.assertEqual(str(one.target.http), "https://app.corp/base")
        ca_file = str(self.folder / "ca.pem")
        self.assertEqual(
            one.http, HttpTargetSettings("app.internal:8443", True, (ca_file,), True)
        )
        (one,) = self.load(
            ENTITY + 'target = "http://a"\nhost = ""\n'
        ).hybrid_connections
        self.assertEqual(one.http, HttpTargetSettings(""))

    def test_only_for_http(self) -> None:
        """They are mistakes at another target."""
        tcp, plain = 'target = "db:1"\n', 'target = "http://db"\n'
        self.one(ENTITY + tcp + "keep_path = true\n", "keep_path", "http://127.0.0.1")
        self.one(ENTITY + 'host = "a"\n', "host", "goes only with")
        self.one(ENTITY + plain + "target_insecure = true\n", "https://")
        self.one(ENTITY + plain + 'host = "a b"\n', "host", '"a b" is no host')

    def test_insecure(self) -> None:
        """The switch reaches every connection."""
        config = self.load("insecure = true\n" + ENTITY)
        self.assertFalse(config.hybrid_connections[0].connection.secure)

    def test_ready_token(self) -> None:
        """A listener may have a token instead of a key."""
        text = STRING.partition("SharedAccessKeyName")[0]
        text += "SharedAccessSignature=SharedAccessSignature sr=a&sig=b&se=1&skn=c"
        self.write("db", text + ";EntityPath=db")
        (one,) = self.load(ENTITY).hybrid_connections
        self.assertIsNotNone(one.connection.signature)

    def test_mistakes(self) -> None:
        """Each value has its own mistake and mend."""
        for text, *words in (
            ("", "hybrid_connection: is missing; add a [[hybrid_connection]]"),
            (f'ca_file = "gone"\n{ENTITY}', 'ca_file: there is no file "gone"'),
            (f'ca_file = "db"\n{ENTITY}', 'ca_file: "db" cannot be used'),
            (f'insecure = "no"\n{ENTITY}', "insecure: must be true or false"),
            (f"insecur = true\n{ENTITY}", 'did you mean "insecure"?'),
            (
                f"[timings]\nrenew_at = 1\n{ENTITY}",
                "[timings] renew_at: 1.0 is no share",
            ),
            (f"[timings]\nping_interval = 0\n{ENTITY}", "ping_interval", "more than 0"),
            (
                f"[timings]\nping_interval = 90\n{ENTITY}",
                "[timings] dead_after: 60.0 is not more than ping_interval, 90",
            ),
            (f'[timings]\ndead_after = "x"\n{ENTITY}', "dead_after: must be a number"),
            (ENTITY + 'target = "db"', '"db", target: "db" is no target', "host:port"),
            (
                ENTITY + 'target = "*.corp:1"',
                '"*.corp:1" is many targets',
                "targets = [",
            ),
            (ENTITY + 'target = "db:0"', '"db:0" is no target: its port is 0'),
            (ENTITY + "target_timeout = 0", "target_timeout: 0.0 is no usable time"),
            (ENTITY + 'bind = "a:1"', "bind: there is no such setting"),
            (
                ENTITY + 'connection_string_env = "X"',
                "connection_string_env: is one too many beside connection_string_file",
            ),
            (
                '[[hybrid_connection]]\ntarget = "a:1"',
                "connection_string_file: is missing",
            ),
        ):
            self.one(text, *words)

    def test_manager(self) -> None:
        """What makes a connection manager of it; no hybrid connection is needed."""
        config = self.load(
            'allow_targets = ["*.corp:1-1024"]\n[admin]\nsocket = "/run/hcm.sock"\n'
            'port = 7420\ninterface = "::1"\ntoken_file = "t"\n'
            '[connections]\nfolder = "conf.d"\n'
        )
        self.assertEqual(config.hybrid_connections, ())
        self.assertEqual(config.admin.socket, "/run/hcm.sock")
        self.assertEqual((config.admin.port, config.admin.interface), (7420, "::1"))
        self.assertEqual(config.admin.token_file, str(self.folder / "t"))
        self.assertEqual(config.connections.folder, str(self.folder / "conf.d"))
        self.assertTrue(config.allowed.may_admit("a.corp", 80))
        usual = self.load(ENTITY)
        self.assertEqual((usual.admin.socket, usual.admin.port), ("", None))
        (one,) = usual.hybrid_connections
        self.assertEqual(
            (one.check_interval, one.withdraw, one.name), (None, False, "")
        )

    def test_manager_mistakes(self) -> None:
        """And what can be wrong with that."""
        self.write("no.key", "nonsense")
        folder = '[connections]\nfolder = "c"\n'
        for text, *words in (
            ('allow_targets = ["db"]\n' + ENTITY, "allow_targets[0]", "allows nothing"),
            (f'[admin]\nport = 1\ninterface = "0.0.0.0"\n{ENTITY}', "no loopback"),
            (f'[admin]\ninterface = "::1"\n{ENTITY}', "goes only with port"),
            (f'[admin]\nsocket = "{"x" * 120}"\n{ENTITY}', "longer than the 100 bytes"),
            (f'[connections]\nkey_file = "k"\n{ENTITY}', "goes only with folder"),
            (f'{folder}key_file = "gone"', 'there is no file "gone"'),
            (f'{folder}key_file = "no.key"', "holds no key"),
            (f"{ENTITY}target_check_timeout = 2", "goes only with target_check_int"),
            (f"{ENTITY}target_check_interval = 1e-9", "busy; use 0.1 or more"),
            (
                f'{ENTITY}target_check_interval = 2\ntarget_down = "x"',
                'use "reject" or "withdraw"',
            ),
            (f'{ENTITY}name = ""', "name: is empty"),
            (
                '[[hybrid_connection]]\nconnection_string_sealed = "x"',
                "is encrypted and there is no key",
            ),
        ):
            if "key_file" in text and folder not in text:
                lines = self.mistakes(load_listener, text)
                self.assertTrue(any(words[0] in line for line in lines), lines)
            else:
                self.one(text, *words)

    def test_targets(self) -> None:
        """Many targets stand instead of one, written as in C{allow_targets}."""
        text = ENTITY + 'targets = ["*.apps.corp:443", "10.1.0.0/16:1-1024"]'
        (one,) = self.load(text).hybrid_connections
        self.assertEqual(
            [*map(str, one.targets)], ["*.apps.corp:443", "10.1.0.0/16:1-1024"]
        )
        self.assertTrue(one.is_told_target)
        self.assertIsNone(one.target)
        for more, *words in (
            ("targets = []", "targets: is empty, which allows nothing"),
            ('targets = ["db"]', "targets", '"db"', "host:port"),
            ('targets = ["unix:/run/x"]', "unix:/run/x", "no host and port"),
            ('targets = ["a:1"]\ntarget = "a:1"', "target: is what every sender"),
            ('targets = ["a:1"]\ndial_ahead = true', "dial_ahead: reaches a target"),
            (
                'targets = ["a:1"]\ntarget_check_interval = 9',
                "target_check_interval: looks at one",
            ),
        ):
            self.one(ENTITY + more, *words)

    def test_discontinued(self) -> None:
        """A string of a kind that is no more is kept, to be shown as such."""
        self.write(
            "db", "Endpoint=https://a.biztalk.windows.net/b;SharedSecretIssuer=o"
        )
        (one,) = self.load(ENTITY).hybrid_connections
        self.assertTrue(one.discontinued)
        self.assertEqual(one.connection.host, "a.biztalk.windows.net")

    def test_twice(self) -> None:
        """The same hybrid connection may not be served twice by one listener."""
        self.environ["AGAIN"] = STRING.replace("EntityPath=db", "EntityPath=DB")
        self.one(
            ENTITY + '[[hybrid_connection]]\nconnection_string_env = "AGAIN"\n',
            '[[hybrid_connection]] "AGAIN", connection_string_env: leads to the same',
            '"DB", as number 1',
        )

    def test_no_key(self) -> None:
        """A listener needs a key."""
        self.write("db", "Endpoint=sb://relay.example.net/;EntityPath=db")
        self.one(
            ENTITY,
            "connection_string_file: SharedAccessKeyName and SharedAccessKey are",
        )

    def test_string_in_the_file(self) -> None:
        """With the connection string in it, the file itself must be private."""
        text = f'[[hybrid_connection]]\nconnection_string = "{STRING}"\n'
        self.load(text)
        path = self.write("open.toml", text, 0o644)
        (mistake,) = self.mistakes(load_listener, path)
        self.assertIn("chmod 600", mistake)


class OptionTests(ListenerTestCase):
    """The same from a command line."""

    def test_file(self) -> None:
        """A file with the connection string and a target."""
        self.certify()
        config = listener_from_options(
            str(self.folder / "db"),
            "db.corp:1433",
            str(self.folder / "ca.pem"),
            environ=self.environ,
        )
        (one,) = config.hybrid_connections
        assert one.target is not None
        self.assertEqual(one.target.text, "db.corp:1433")
        self.assertEqual(config.ca_files, (str(self.folder / "ca.pem"),))
        self.assertTrue(one.connection.secure)

    def test_environment(self) -> None:
        """Without a file the environment has it."""
        self.environ["HYBRIDCONN_CONNECTION_STRING"] = STRING
        config = listener_from_options(insecure=True, environ=self.environ)
        (one,) = config.hybrid_connections
        self.assertFalse(one.connection.secure)
        self.assertIsNone(one.target)

    def test_nothing(self) -> None:
        """Nothing given: what could be given is said."""
        error = self.assertRaises(ConfigError, listener_from_options, environ={})
        for words in ("--config", "--connection-string-file", "HYBRIDCONN_CONNECTION"):
            self.assertIn(words, str(error))

    def test_mistakes(self) -> None:
        """Mistakes name the option or the variable."""
        self.environ["HYBRIDCONN_CONNECTION_STRING"] = KEY
        error = self.assertRaises(
            ConfigError,
            listener_from_options,
            target="db",
            ca_file="gone",
            environ=self.environ,
        )
        ca_file, variable, target = error.mistakes
        self.assertTrue(ca_file.startswith("command line: --ca-file: there is no file"))
        self.assertTrue(
            variable.startswith(
                'command line: "HYBRIDCONN_CONNECTION_STRING" holds no usable'
            )
        )
        self.assertTrue(target.startswith('command line: --target: "db" is no target'))
        for trace in TRACES:
            self.assertNotIn(trace, str(error))
