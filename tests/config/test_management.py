"""C{[store]} and C{[management]} of C{relay.toml}."""

from __future__ import annotations

import hashlib

from hybridconn.config.management import DEFAULT_SUBSCRIPTION, ManagementToken
from hybridconn.config.relay import RelayConfig, load_relay
from hybridconn.stores.vault import Vault
from tests.config.case import ConfigTestCase

LISTEN = '[listen]\ncertificate = "relay.pem"\nkey = "relay.key"\n'
STORE = '[store]\npath = "relay.db"\nkey_file = "store.key"\n'
SHA256 = hashlib.sha256(b"token").hexdigest()
TOKEN = f'[[management.token]]\nname = "ops"\nsha256 = "{SHA256}"\n'
NAMESPACE = '[[namespace]]\nname = "contoso"\n'


class ManagementTests(ConfigTestCase):
    """A relay whose entities are managed."""

    def setUp(self) -> None:
        super().setUp()
        self.certify()
        self.key = Vault.new_key()
        self.write("store.key", self.key + "\n")

    def load(self, text: str) -> RelayConfig:
        return load_relay(self.write("relay.toml", text), self.environ)

    def one(self, text: str, *words: str) -> None:
        """One thing only is wrong, and the line has these words."""
        lines = self.mistakes(load_relay, text)
        self.assertEqual(len(lines), 1, lines)
        for word in words:
            self.assertIn(word, lines[0])

    def test_defaults(self) -> None:
        """A store needs a path and a key, the API a port and a token."""
        config = self.load(LISTEN + STORE)
        self.assertEqual(config.store.path, str(self.folder / "relay.db"))
        self.assertEqual(config.store.keys, (self.key,))
        self.assertIsNone(config.management.port)
        config = self.load(LISTEN + STORE + "[management]\nport = 8444\n" + TOKEN)
        management = config.management
        self.assertEqual((management.port, management.interface), (8444, "127.0.0.1"))
        self.assertEqual(management.subscriptions, (DEFAULT_SUBSCRIPTION,))
        self.assertEqual(management.tokens, (ManagementToken("ops", "admin", SHA256),))
        self.assertNotIn(self.key, repr(config))
        self.assertNotIn(SHA256, repr(config))

    def test_all(self) -> None:
        """Everything that can be set."""
        older = Vault.new_key()
        self.environ["STORE_KEY"] = f"{self.key}\n{older}"
        guid = "6f1a1a3e-6f1b-4b41-9c9c-0d3b8a2f5a11"
        config = self.load(
            LISTEN
            + '[store]\npath = "relay.db"\nkey_env = "STORE_KEY"\n'
            + '[management]\nport = 1\ninterface = "::1"\ncertificate = "relay.pem"\n'
            + f'key = "relay.key"\nsubscriptions = ["{guid}"]\n'
            + 'suffix = ".relay.example"\n'
            + TOKEN
            + 'role = "reader"\n'
        )
        self.assertEqual(config.store.keys, (self.key, older))
        management = config.management
        self.assertEqual(management.subscriptions, (guid,))
        self.assertEqual(management.suffix, ".relay.example")
        self.assertEqual(management.tokens[0].role, "reader")
        assert management.certificate is not None
        self.assertEqual(
            management.certificate.certificate, str(self.folder / "relay.pem")
        )

    def test_mistakes(self) -> None:
        """Each says what to do."""
        api = "[management]\nport = 1\n"
        for text, *words in (
            (LISTEN, "namespace", "is missing"),
            (LISTEN + STORE + NAMESPACE, "namespace", "hybridconn apply"),
            (LISTEN + '[store]\npath = "a"\n', "key_file", "hybridconn store-key"),
            (
                LISTEN + STORE + 'key_env = "X"\n',
                "key_env",
                "one too many",
            ),
            (
                LISTEN + '[store]\npath = "a"\nkey_env = "X"\n',
                "key_env",
                "holds no key",
            ),
            (
                LISTEN + '[store]\npath = "a"\nkey_file = "relay.key"\n',
                "key_file",
                "holds no key",
            ),
            (LISTEN + NAMESPACE + '[store]\nkey_file = "a"\n', "key_file", "path"),
            (LISTEN + NAMESPACE + api + TOKEN, "port", "add [store]"),
            (LISTEN + STORE + api, "token", "add a [[management.token]]"),
            (LISTEN + STORE + api + TOKEN + TOKEN, "name", '"ops"'),
            (LISTEN + STORE + api + TOKEN.replace(SHA256, "x"), "sha256", "SHA-256"),
            (LISTEN + STORE + api + TOKEN + 'role = "god"\n', "role", "reader"),
            (LISTEN + STORE + api + 'suffix = "x"\n' + TOKEN, "suffix", ".relay."),
            (LISTEN + STORE + api + 'subscriptions = ["1"]\n' + TOKEN, "GUID"),
            (LISTEN + STORE + api + 'key = "relay.key"\n' + TOKEN, "go together"),
        ):
            self.one(text, *words)
        self.write("store.key", self.key, 0o644)
        self.one(LISTEN + STORE, "key_file", "chmod 600")

    def test_postgresql(self) -> None:
        """An address without a password, which stands elsewhere and is not shown."""
        url = "postgresql://relay@db.example:5433/hc?sslmode=verify-full"
        text = f'{LISTEN}[store]\nurl = "{url}"\nkey_file = "store.key"\n'
        store = self.load(text).store
        self.assertEqual((store.url, store.place, store.path), (url, url, ""))
        self.assertIsNone(store.password)
        self.write("pg.password", "hunter2 \n")
        self.environ["PG"] = "hunter3"
        for setting, password in (
            ('password_file = "pg.password"', "hunter2 "),
            ('password_env = "PG"', "hunter3"),
        ):
            config = self.load(f"{text}{setting}\n")
            assert config.store.password is not None
            self.assertEqual(config.store.password.reveal(), password)
            self.assertNotIn("hunter", repr(config))
        for local in ("postgres:///hc?host=/run/postgresql", "postgresql://h/hc"):
            self.assertEqual(self.load(text.replace(url, local)).store.url, local)

    def test_share_listeners(self) -> None:
        """It needs a database that can be shared, and an address of its own."""
        public = 'public_url = "wss://r1.example:443"\n'
        text = (
            '[store]\nurl = "postgresql://db/hc"\nkey_file = "store.key"\n'
            "share_listeners = true\n"
        )
        self.assertFalse(self.load(LISTEN + STORE).store.share_listeners)
        self.assertTrue(self.load(LISTEN + public + text).store.share_listeners)
        self.one(LISTEN + text, "[listen] public_url", "is missing")
        file = STORE + "share_listeners = true\n"
        self.one(LISTEN + public + file, "share_listeners", "only with url")

    def test_postgresql_mistakes(self) -> None:
        """Each says what to do, and never shows what may hold a password."""
        start = f'{LISTEN}[store]\nkey_file = "store.key"\n'
        url = 'url = "postgresql://db/hc"\n'
        self.write("empty", "\n")
        self.write("open", "hunter2", 0o644)
        for text, *words in (
            ('url = "postgresql://u:hunter2@db/hc"', "url", "password_file"),
            ('url = "postgresql://db/hc?Password=hunter2"', "url", "password_file"),
            ('url = "postgresql://u:hunter2/x@db/hc"', "url", "no address"),
            ('url = "postgresql://u:[hunter2@db/hc"', "url", "no address"),
            ('url = "mysql://db/hc"', "url", "postgresql://relay@"),
            ('url = "postgresql://db"', "url", "no address"),
            (url + 'path = "relay.db"', "url", "one too many beside path"),
            (url + 'password_file = "empty"', "password_file", "holds no password"),
            (url + 'password_env = "NONE"', "password_env", "holds no password"),
            (url + 'password_file = "open"', "password_file", "chmod 600"),
            (
                url + 'password_file = "a"\npassword_env = "B"',
                *("password_env", "one too many beside password_file"),
            ),
            (
                'path = "relay.db"\npassword_env = "B"',
                *("password_env", "only with url"),
            ),
        ):
            for line in self.mistakes(load_relay, start + text + "\n"):
                self.assertNotIn("hunter", line)
            self.one(start + text + "\n", *words)
