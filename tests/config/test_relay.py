"""Tests of L{hybridconn.config.relay}."""

from __future__ import annotations

from hybridconn.config.relay import ListenSettings, RelayConfig, load_relay
from hybridconn.core.entities import Claim
from hybridconn.core.limits import Limits
from tests.config.case import KEY, ConfigTestCase

OPEN = "[listen]\ninsecure = true\n"
NAMESPACE = '[[namespace]]\nname = "contoso"\n'


class RelayTestCase(ConfigTestCase):
    """With a certificate in the folder."""

    def setUp(self) -> None:
        super().setUp()
        self.certify()

    def load(self, text: str) -> RelayConfig:
        """Load a configuration."""
        return load_relay(self.write("relay.toml", text), self.environ)

    def wrong(self, text: str) -> list[str]:
        """What is wrong with a configuration."""
        return self.mistakes(load_relay, text)

    def one(self, text: str, *words: str) -> None:
        """One thing only is wrong, and the line has these words."""
        lines = self.wrong(text)
        self.assertEqual(len(lines), 1, lines)
        for word in words:
            self.assertIn(word, lines[0])


class AdminTests(RelayTestCase):
    """C{[admin]}: the page."""

    def test_page(self) -> None:
        """A port, on loopback, and a socket."""
        admin = "[admin]\nport = 7421\nsocket = '/run/x.sock'\n"
        found = self.load(admin + NAMESPACE).admin
        self.assertEqual((found.port, found.interface), (7421, "127.0.0.1"))
        self.assertEqual(found.socket, "/run/x.sock")
        self.assertIsNone(self.load(NAMESPACE).admin.port)

    def test_mistakes(self) -> None:
        """Neither is of use without the other, and no other machine gets there."""
        for table, *words in (
            ("port = 7421", "socket", "missing"),
            ("socket = '/x'", "socket", "goes only with port"),
            ("interface = '::1'", "interface", "goes only with port"),
            (
                "port = 7421\nsocket = '/x'\ninterface = '0.0.0.0'",
                *("interface", "loopback"),
            ),
            ("port = 7421\nsocket = '/x'\ntoken_file = 'y'", "token_file"),
        ):
            self.one(f"[admin]\n{table}\n{NAMESPACE}", *words)


class GoodTests(RelayTestCase):
    """Files that can be used."""

    def test_shortest(self) -> None:
        """One namespace is enough; all else has a default."""
        config = self.load(NAMESPACE)
        self.assertEqual(config.limits, Limits())
        self.assertEqual(config.relay.load_balancer, "random")
        self.assertEqual((config.listen.port, config.listen.interface), (443, ""))
        self.assertEqual(config.listen.public_url, "")
        (files,) = config.listen.certificates
        self.assertEqual(files.certificate, str(self.folder / "relay.pem"))
        self.assertEqual(files.key, str(self.folder / "relay.key"))
        self.assertEqual(files.server_names, ())

    def test_entities(self) -> None:
        """Namespaces, hybrid connections and rules come out as the core has them."""
        config = self.load(
            NAMESPACE + 'host_names = ["Relay.Example.NET", "::1"]\n'
            '[[namespace.rule]]\nname = "root"\nrights = ["manage"]\n'
            f'primary_key = "{KEY}"\nsecondary_key = "other"\n'
            '[[namespace.hybrid_connection]]\npath = "plant/db"\n'
            'endpoint = "db.corp:1433"\n'
            '[[namespace.hybrid_connection.rule]]\nname = "app"\n'
            'rights = ["Listen", "Send"]\nprimary_key = "k"\n'
            '[[namespace.hybrid_connection]]\npath = "open"\n'
            'requires_client_authorization = false\nuser_metadata = "free text"\n'
        )
        (namespace,) = config.namespaces
        self.assertEqual(namespace.host_names, ("relay.example.net", "::1"))
        (root,) = namespace.rules
        self.assertEqual((root.name, root.rights), ("root", {Claim.MANAGE}))
        self.assertEqual(root.primary_key.reveal(), KEY)
        assert root.secondary_key is not None
        self.assertEqual(root.secondary_key.reveal(), "other")
        first, second = namespace.hybrid_connections
        self.assertEqual((first.path, first.endpoint), ("plant/db", "db.corp:1433"))
        self.assertEqual(first.rules[0].rights, {Claim.LISTEN, Claim.SEND})
        self.assertFalse(second.requires_client_authorization)
        self.assertEqual(second.user_metadata, "free text")
        self.assertNotIn(KEY, repr(config))

    def test_settings(self) -> None:
        """What else can be set."""
        self.certify("other")
        config = self.load(
            '[listen]\nport = 8443\ninterface = "::"\n'
            'public_url = "wss://relay.example.net:8443/"\n'
            '[[listen.certificates]]\nserver_names = ["Other.example.net"]\n'
            'certificate = "other.pem"\nkey = "other.key"\n'
            '[relay]\nload_balancer = "least-connections"\n'
            "[limits]\naccept_timeout = 10\nlisteners_per_entity = 3\n"
            'exempt_networks = ["10.0.0.0/8"]\n' + NAMESPACE
        )
        self.assertEqual((config.listen.port, config.listen.interface), (8443, "::"))
        self.assertEqual(config.listen.public_url, "wss://relay.example.net:8443")
        self.assertEqual(
            [files.server_names for files in config.listen.certificates],
            [(), ("other.example.net",)],
        )
        self.assertEqual(config.relay.load_balancer, "least-connections")
        self.assertEqual(
            config.limits,
            Limits(
                accept_timeout=10.0,
                listeners_per_entity=3,
                exempt_networks=("10.0.0.0/8",),
            ),
        )

    def test_insecure(self) -> None:
        """Without TLS no certificate is looked for."""
        (self.folder / "relay.key").unlink()
        config = self.load(OPEN + NAMESPACE)
        self.assertEqual(config.listen, ListenSettings(insecure=True))


class ListenTests(RelayTestCase):
    """C{[listen]}."""

    def test_values(self) -> None:
        """Each value has its own mistake and mend."""
        for line, *words in (
            ("port = 70000", "[listen] port: 70000 is no port"),
            ("port = -1", "[listen] port: -1 is no port"),
            ('port = "443"', '[listen] port: must be a whole number, not "443"'),
            ("prot = 443", "[listen] prot: there is no such setting", '"port"?'),
            ('interface = "eth0"', "[listen] interface", '"eth0"', "IP address"),
            ('public_url = "relay"', "[listen] public_url", '"relay"', "wss://"),
            ('public_url = "https://relay:1"', "[listen] public_url"),
            ('public_url = "wss://u@relay:1"', "[listen] public_url"),
            ('public_url = "wss://relay:99999"', "[listen] public_url"),
            ('public_url = "wss://relay/a"', "[listen] public_url"),
            ('public_url = "wss://[relay"', "[listen] public_url"),
            ('certificate = "gone"', '[listen] certificate: there is no file "gone"'),
            ('key = "gone.key"', '[listen] key: there is no file "gone.key"'),
            ('key = "/"', '[listen] key: "/" is a folder'),
            ('certificate = "relay.key"', "BEGIN CERTIFICATE"),
            ('key = "relay.pem"', "chmod 600"),
            ("certificates = 1", "[listen] certificates: must be a list"),
        ):
            self.one(f"[listen]\n{line}\n{NAMESPACE}", *words)

    def test_defaults_are_looked_for(self) -> None:
        """The default files must be there too, with or without C{[listen]}."""
        (self.folder / "relay.key").unlink()
        for text in (NAMESPACE, "[listen]\n" + NAMESPACE):
            self.one(text, '[listen] key: there is no file "relay.key"')

    def test_wrong_pair(self) -> None:
        """A key that belongs to another certificate is found at once."""
        self.certify("other")
        self.one(
            '[listen]\nkey = "other.key"\n' + NAMESPACE,
            '[listen] certificate: "relay.pem" and "other.key" do not belong together',
        )

    def test_open_key(self) -> None:
        """A private key that others may read is refused."""
        (self.folder / "relay.key").chmod(0o640)
        self.one(NAMESPACE, "[listen] key:", f"chmod 600 {self.folder}/relay.key")

    def test_more_certificates(self) -> None:
        """Further certificates are looked at as well."""
        self.one(
            '[[listen.certificates]]\nserver_names = ["a"]\ncertificate = "relay.pem"\n'
            f'key = "gone.key"\n{NAMESPACE}',
            '[listen] certificates number 1, key: there is no file "gone.key"',
        )


class OtherTests(RelayTestCase):
    """The rest of the file."""

    def test_load_balancer(self) -> None:
        """An unknown balancer is refused; the nearest or all others are named."""
        for name, words in (
            ("ranodm", 'did you mean "random"?'),
            ("fairest", "use least-connections, random or round-robin"),
        ):
            self.one(
                f'{OPEN}[relay]\nload_balancer = "{name}"\n{NAMESPACE}',
                f'[relay] load_balancer: no load balancer is called "{name}"',
                words,
            )

    def test_limits(self) -> None:
        """Limits out of range are refused by what they may be."""
        for line, *words in (
            ("accept_timeout = -1", "accept_timeout: is -1", "use 0.001 or more"),
            ("listeners_per_entity = 0", "is 0; use 1 or more"),
            ("max_headers = 50.5", "must be a whole number, not 50.5"),
            ("accept_tiemout = 1", 'did you mean "accept_timeout"?'),
            (
                'exempt_networks = ["x", "::/0"]',
                '["x", "::/0"] has an entry that is no',
            ),
            ('exempt_networks = "::/0"', "must be a list"),
        ):
            self.one(f"{OPEN}[limits]\n{line}\n{NAMESPACE}", "[limits]", *words)

    def test_nothing_to_serve(self) -> None:
        """A relay without a namespace serves nobody."""
        self.one(OPEN, "namespace: is missing; add a [[namespace]].")


class NamespaceTests(RelayTestCase):
    """C{[[namespace]]} and what is in it."""

    def test_values(self) -> None:
        """Each value has its own mistake and mend."""
        entity = "[[namespace.hybrid_connection]]\n"
        rule = '[[namespace.rule]]\nname = "app"\nprimary_key = "k"\n'
        for text, *words in (
            ('host_names = ["https://a/"]', "host_names[0]", '"https://a/"'),
            ('host_names = ["a:443"]', "host_names[0]", "without scheme and port"),
            ('host_names = "a"', "host_names: must be a list"),
            (entity, "hybrid_connection number 1, path: is missing"),
            (entity + 'path = "a//b"', 'hybrid_connection "a//b", path', "segment"),
            (entity + 'path = "/a"', "path", "first character"),
            (entity + f'path = "{"a/" * 130}a"', "it has 261 characters"),
            (entity + 'path = "a"\nendpoint = "db"', 'endpoint: "db" is no address'),
            (
                entity + 'path = "a"\nendpoint = "db:1"\nuser_metadata = ""',
                "endpoint: is one too many beside user_metadata",
            ),
            (rule, 'rule "app", rights: is missing'),
            (rule + "rights = []", "rights: is empty"),
            (rule + 'rights = "Send"', "rights: must be a list"),
            (rule + 'rights = ["Sent"]', 'rights[0]: "Sent" is no right', '"Send"'),
            (
                f'[[namespace.rule]]\nname = "{"n" * 257}"\nrights=["Send"]\n'
                'primary_key = "k"',
                "name: has 257 characters; use 256 at most",
            ),
            (
                '[[namespace.rule]]\nname = "a;b"\nrights=["Send"]\nprimary_key = "k"',
                'name: "a;b" has',
                "semicolon",
            ),
            (
                '[[namespace.rule]]\nname = " "\nrights=["Send"]\nprimary_key = "k"',
                "name: is empty",
            ),
            ("[namespace.rule]", "double brackets"),
        ):
            self.one(f"{OPEN}{NAMESPACE}{text}\n", '[[namespace]] "contoso", ', *words)

    def test_name(self) -> None:
        """A namespace's name is checked as Azure does."""
        for name, words in (("abc", "6 to 50"), ("relay_1", "not allowed")):
            self.one(f'{OPEN}[[namespace]]\nname = "{name}"', f'"{name}"', words)

    def test_duplicates(self) -> None:
        """Names that differ by case only are the same: the second is refused."""
        rule = '[[namespace.{}]]\nname = "{}"\nrights = ["Send"]\nprimary_key = "k"\n'
        entity = '[[namespace.hybrid_connection]]\npath = "{}"\n'
        for text, *words in (
            (
                rule.format("rule", "app") + rule.format("rule", "App"),
                'rule "App", name: "App" is the name of another rule',
            ),
            (
                entity.format("a/db") + entity.format("A/DB"),
                'hybrid_connection "A/DB", path: "A/DB" is the path of another',
                "number 1",
            ),
            (
                entity.format("db")
                + rule.format("hybrid_connection.rule", "app")
                + rule.format("hybrid_connection.rule", "APP"),
                'hybrid_connection "db", rule "APP", name',
            ),
        ):
            self.one(OPEN + NAMESPACE + text, *words)

    def test_same_rule_elsewhere(self) -> None:
        """The same rule name on another hybrid connection is another rule."""
        entity = (
            '[[namespace.hybrid_connection]]\npath = "{}"\n'
            '[[namespace.hybrid_connection.rule]]\nname = "app"\nrights = ["Send"]\n'
            'primary_key = "k"\n'
        )
        self.load(OPEN + NAMESPACE + entity.format("a") + entity.format("b"))

    def test_several_namespaces(self) -> None:
        """Several namespaces have different names, and each host names of its own."""
        first = NAMESPACE + 'host_names = ["a.example"]\n'
        second = '[[namespace]]\nname = "fabrikam"\nhost_names = ["{}"]\n'
        self.load(OPEN + first + second.format("b.example"))
        self.one(
            OPEN + first + second.format("A.example"),
            'host_names[0]: "A.example" belongs to namespace number 1 already',
        )
        self.one(
            OPEN + first + NAMESPACE.replace("contoso", "fabrikam"),
            "host_names: is missing; with several namespaces each needs its own",
        )
        self.one(
            OPEN + first + second.replace("fabrikam", "CONTOSO").format("b.example"),
            '[[namespace]] "CONTOSO", name: "CONTOSO" is the name of another namespace',
        )

    def test_too_many(self) -> None:
        """More hybrid connections than the limit are refused when they are read."""
        entity = '[[namespace.hybrid_connection]]\npath = "{}"\n'
        self.one(
            f"{OPEN}[limits]\nentities_per_namespace = 1\n{NAMESPACE}"
            + entity.format("a")
            + entity.format("b"),
            "hybrid_connection: there are 2; entities_per_namespace in [limits]",
            "allows 1",
        )

    def test_wrong_shapes(self) -> None:
        """Whatever stands where a table should be, the answer is a mistake."""
        for text in (
            "namespace = 1",
            "namespace = [1]",
            "namespace = []",
            'namespace = "a"',
            "[namespace]",
            "[[namespace]]\nname = 1",
            '[[namespace]]\nname = "contoso"\nhybrid_connection = [1, "a", []]',
            '[[namespace]]\nname = "contoso"\nrule = { name = "a" }',
            '[[namespace]]\nname = "contoso"\nhost_names = [1, {}]',
            "limits = 1\n" + NAMESPACE,
            "listen = []\n" + NAMESPACE,
            "[[limits]]\n" + NAMESPACE,
        ):
            self.assertNotEqual(self.wrong(text), [])
