"""C{[store]} and C{[management]} of C{relay.toml}."""

from __future__ import annotations

import hashlib

from hybridconn.config.management import ManagementToken
from hybridconn.config.relay import RelayConfig, load_relay
from hybridconn.core.resources import DEFAULT_SUBSCRIPTION
from hybridconn.stores.vault import Vault
from tests.config.case import ConfigTestCase
from tests.management.signers import EC_KEY, RSA_KEY, jwk_of, jwks, pem_of

LISTEN = '[listen]\ncertificate = "relay.pem"\nkey = "relay.key"\n'
STORE = '[store]\npath = "relay.db"\nkey_file = "store.key"\n'
SHA256 = hashlib.sha256(b"token").hexdigest()
TOKEN = f'[[management.token]]\nname = "ops"\nsha256 = "{SHA256}"\n'
NAMESPACE = '[[namespace]]\nname = "contoso"\n'


class ManagedCase(ConfigTestCase):
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


class ManagementTests(ManagedCase):
    """The store and the API."""

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


class OidcTests(ManagedCase):
    """C{[management.oidc]}."""

    OIDC = '[management.oidc]\nissuer = "https://login.test"\n'

    def whole(self, *lines: str, token: str = "") -> str:
        api = "[management]\nport = 8444\n"
        return LISTEN + STORE + api + token + self.OIDC + "\n".join(lines)

    def test_url(self) -> None:
        """It stands for tokens of its own."""
        config = self.load(self.whole('jwks_url = "https://login.test/keys"'))
        oidc = config.management.oidc
        self.assertEqual(oidc.issuer, "https://login.test")
        self.assertEqual(oidc.jwks_url, "https://login.test/keys")
        self.assertEqual((oidc.role_claim, oidc.admin), ("roles", ("admin",)))
        self.assertEqual((oidc.refresh, oidc.keep), (3600.0, 86400.0))

    def test_file(self) -> None:
        """A JWKS or a PEM file is read at once."""
        for content in (pem_of(EC_KEY), jwks(jwk_of(RSA_KEY, "one"))):
            self.write("keys", content, 0o644)
            config = self.load(self.whole('jwks_file = "keys"', token=TOKEN))
            self.assertEqual(len(config.management.oidc.keys), 1)

    def test_none(self) -> None:
        """Without the table nobody's are good."""
        config = self.load(LISTEN + STORE)
        self.assertEqual(config.management.oidc.issuer, "")

    def test_oidc_mistakes(self) -> None:
        """Each names the key and the value."""
        self.write("nokeys", "{}", 0o644)
        self.write("empty", '{"keys": []}', 0o644)
        url = 'jwks_url = "https://login.test/keys"'
        for lines, words in (
            ((), ("jwks_url", "is missing")),
            ((url, 'jwks_file = "nokeys"'), ("jwks_file", "one too many")),
            (('jwks_url = "http://login.test/k"',), ("jwks_url", "not https")),
            (('jwks_url = "login"',), ("jwks_url", "no URL")),
            (("jwks_url = 5",), ("jwks_url", "text")),
            (('jwks_file = "gone"',), ("jwks_file", "no file")),
            (('jwks_file = "nokeys"',), ("jwks_file", "no JWKS")),
            (('jwks_file = "empty"',), ("jwks_file", "no public key")),
            (('jwks_file = "relay.pem"',), ("jwks_file",)),
            ((url, 'audiences = "x"'), ("audiences", "list")),
            ((url, "admin = [5]"), ("admin", "text")),
            ((url, "refresh = 0"), ("refresh", "no usable time")),
            ((url, 'ca_file = "gone.pem"'), ("ca_file", "gone.pem")),
            ((url, 'algorithms = ["none"]'), ("algorithms", "no such setting")),
        ):
            self.one(self.whole(*lines), *words)
        with_ca = 'jwks_file = "nokeys"\nca_file = "ca.pem"'
        self.write("nokeys", pem_of(EC_KEY), 0o644)
        self.one(self.whole(with_ca), "ca_file", "only with jwks_url")
        api = LISTEN + STORE + "[management]\nport = 8444\n" + TOKEN
        self.one(api + f"[management.oidc]\n{url}", "issuer", "is missing")


class FurtherTests(ManagedCase):
    """The other tables."""

    def test_public_url(self) -> None:
        """Scheme, host and port, and nothing else."""
        api = LISTEN + STORE + "[management]\nport = 8444\npublic_url = "
        config = self.load(f'{api}"https://Relay.test:8444/"\n{TOKEN}')
        self.assertEqual(config.management.public_url, "https://relay.test:8444")
        for wrong in ("http://relay.test", "relay.test", "https://relay.test/api", ""):
            self.one(f'{api}"{wrong}"\n{TOKEN}', "public_url")

    def test_plan_limits(self) -> None:
        """Each tier has a number."""
        start = LISTEN + STORE + "[management]\nport = 8444\n" + TOKEN
        limits = self.load(start + "[plan_limits]\nbasic = 7\n").plan_limits
        self.assertEqual((limits.of("Basic"), limits.of("PremiumV3")), (7, 200))
        table = start + "[plan_limits]\n"
        self.one(table + "basic = -1\n", "basic", "use 0 to 10000")
        self.one(table + 'basic = "7"\n', "basic")
        self.one(table + "gold = 7\n", "gold", "no such setting")

    def test_audit(self) -> None:
        """A file, looked up beside the configuration; keys only with it."""
        config = self.load(LISTEN + NAMESPACE)
        self.assertEqual((config.audit.file, config.audit.data_plane), ("", False))
        table = LISTEN + NAMESPACE + "[audit]\n"
        config = self.load(table + 'file = "audit.jsonl"\ndata_plane = true\n')
        self.assertEqual(config.audit.file, str(self.folder / "audit.jsonl"))
        self.assertTrue(config.audit.data_plane)
        self.one(table + "data_plane = true\n", "data_plane", "only with file")
        self.one(table + 'file = ""\n', "file", "is empty")
