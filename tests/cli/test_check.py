"""Tests of L{hybridconn.cli.check}."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from click.testing import CliRunner

from hybridconn.cli import main
from hybridconn.cli.check import describe_listener, describe_relay, describe_sender
from hybridconn.config import load_relay, load_sender
from hybridconn.hcm.loading import load_managed
from hybridconn.stores.vault import Vault
from tests.config.case import KEY, STRING, ConfigTestCase
from tests.management.signers import EC_KEY, jwk_of, jwks

# The tests' certificates are made for 365 days from here, less an hour.
MADE = datetime(2026, 1, 1, tzinfo=UTC)


class CheckTestCase(ConfigTestCase):
    """Lines without secrets."""

    def lines(self, found: object) -> list[str]:
        """What was said."""
        lines = list(map(str, found))  # type: ignore[call-overload]  # any iterable
        for line in lines:
            self.assertNotIn(KEY, line)
        return lines


class RelayTests(CheckTestCase):
    """What a relay would do."""

    def relay(self, text: str, now: datetime = MADE) -> list[str]:
        """The description of a configuration."""
        config = load_relay(self.write("relay.toml", text), {})
        return self.lines(describe_relay(config, now))

    def test_all(self) -> None:
        """Port, certificates, rules by name, and what is not as usual."""
        self.certify()
        said = self.relay(
            '[listen]\nport = 0\ninterface = "::"\npublic_url = "wss://a.example:1"\n'
            "[limits]\naccept_timeout = 5\n"
            '[[namespace]]\nname = "contoso"\nhost_names = ["a.example"]\n'
            '[[namespace.rule]]\nname = "root"\nrights = ["Manage"]\n'
            f'primary_key = "{KEY}"\nsecondary_key = "{KEY}"\n'
            '[[namespace.hybrid_connection]]\npath = "plant/db"\n'
            'requires_client_authorization = false\nendpoint = "db:1"\n'
        )
        self.assertEqual(
            said,
            [
                "listen on every address, any free port, with TLS",
                f"  certificate {self.folder}/relay.pem, which ends on 2026-12-31",
                "send listeners to wss://a.example:1 for each sender",
                "choose listeners by: random",
                "serve namespace contoso as a.example",
                "  rule root: Manage (two keys)",
                "  hybrid connection plant/db for db:1",
                "    senders need no token",
                "    Azure's own connection manager takes letters, digits and hyphens "
                "only",
                "use the limit accept_timeout = 5.0 (usually 30.0)",
            ],
        )

    def test_workers(self) -> None:
        """Which ports listeners must reach; those that cannot be had are said."""
        text = "[listen]\nport = 8443\ninsecure = true\n[[namespace]]\n"
        text += 'name = "contoso"\n[relay]\nworkers = 3\n'
        self.assertIn("  ports 8444 to 8446", self.relay(text))
        path = self.write("relay.toml", text + "worker_port = 8442\n")
        done = CliRunner().invoke(main, ["check", str(path), "--role", "relay"])
        self.assertEqual(done.exit_code, 1)
        self.assertIn(f"Error: {path}: [relay] worker_port: 3 workers", done.output)

    def test_short_key(self) -> None:
        """A key that was copied from a page, or thought up, is no secret."""
        text = (
            "[listen]\ninsecure = true\n"
            '[[namespace]]\nname = "contoso"\n[[namespace.rule]]\nname = "root"\n'
            'rights = ["Manage"]\nprimary_key = "'
        )
        for key, short in (("…", True), ("a" * 21, True), ("a" * 22, False)):
            said = "\n".join(self.relay(f'{text}{key}"\n'))
            self.assertEqual("SHORT" in said, short, key)
        said = "\n".join(self.relay(f'{text}{KEY}"\nsecondary_key = "abc"\n'))
        self.assertIn("(two keys, SHORT enough to guess: openssl", said)

    def test_managed(self) -> None:
        """Who may manage it, and where that is written down."""
        self.certify()
        self.write("store.key", Vault.new_key())
        self.write("keys", jwks(jwk_of(EC_KEY)))
        said = self.relay(
            '[listen]\ncertificate = "relay.pem"\nkey = "relay.key"\n'
            '[store]\npath = "relay.db"\nkey_file = "store.key"\n'
            "[management]\nport = 8444\n"
            '[management.oidc]\nissuer = "https://login.test"\njwks_file = "keys"\n'
            '[admin]\nport = 7421\nsocket = "/run/x.sock"\n'
            '[audit]\nfile = "audit.jsonl"\ndata_plane = true\n'
        )
        self.assertEqual(
            said[3:],
            [
                f"keep what is managed in {self.folder}/relay.db",
                "serve the management API on 127.0.0.1, port 8444, for those whose "
                "tokens https://login.test signs",
                "serve its page on 127.0.0.1, port 7421, to who gets a link from "
                "/run/x.sock",
                f"write management calls and uses of keys to {self.folder}/audit.jsonl",
            ],
        )

    def test_store(self) -> None:
        """Where what is managed is kept, without its keys and passwords."""
        self.certify()
        key = Vault.new_key()
        self.write("store.key", key)
        self.write("password", "hunter2")
        start = '[listen]\npublic_url = "wss://a.example:1"\n'
        store = '[store]\nkey_file = "store.key"\n'
        said = self.relay(start + store + 'path = "relay.db"\n')
        self.assertIn(f"keep what is managed in {self.folder}/relay.db", said)
        said = self.relay(
            start
            + store
            + 'url = "postgresql://relay@db/hc"\npassword_file = "password"\n'
            + "share_listeners = true\n"
        )
        self.assertEqual(
            said[-2:],
            [
                "keep what is managed in postgresql://relay@db/hc",
                "  share listeners with the other relays there",
            ],
        )
        self.assertNotIn("hunter2", "".join(said))
        self.assertNotIn(key, "".join(said))

    def test_certificates_end(self) -> None:
        """A certificate that ends soon, or has ended, is said so."""
        self.certify()
        text = '[[namespace]]\nname = "contoso"\n'
        for days, words in (
            (330, "which ends on 2026-12-31"),
            (340, "which ends on 2026-12-31: renew it soon"),
            (367, "which ENDED on 2026-12-31: clients will refuse it"),
        ):
            said = self.relay(text, MADE + timedelta(days=days))
            self.assertTrue(said[1].endswith(words), said[1])

    def test_insecure(self) -> None:
        """No TLS is said so."""
        said = self.relay(
            '[listen]\ninsecure = true\n[[namespace]]\nname = "contoso"\n'
        )
        self.assertEqual(
            said[0],
            "listen on every IPv4 address, port 443, without TLS: anyone on the way "
            "can read",
        )
        self.assertIn("serve namespace contoso as whatever name", said[2])


class AgentTests(CheckTestCase):
    """What listeners and senders would do."""

    def setUp(self) -> None:
        super().setUp()
        self.write("db", STRING)
        token = "SharedAccessSignature sr=a&sig=b&se=1&skn=c"
        self.environ["TOKEN"] = (
            "Endpoint=sb://relay.example.net:8443/;EntityPath=web;"
            f"SharedAccessSignature={token}"
        )
        self.environ["OTHER"] = STRING.replace("EntityPath=db", "EntityPath=other")
        self.environ["OPEN"] = "Endpoint=sb://relay.example.net/;EntityPath=open"

    def test_listener(self) -> None:
        """From where to where, by which rule, trusting whom."""
        self.certify()
        path = self.write(
            "listener.toml",
            'ca_file = "ca.pem"\n[[hybrid_connection]]\n'
            'connection_string_file = "db"\ntarget = "db.corp:1433"\n'
            '[[hybrid_connection]]\nconnection_string_env = "TOKEN"\n'
            '[[hybrid_connection]]\nconnection_string_env = "OTHER"\n'
            'target = "https://app.corp/"\ntarget_insecure = true\n',
        )
        self.assertEqual(
            self.lines(describe_listener(load_managed(path, self.environ))),
            [
                "serve db at relay.example.net:443 by rule app -> db.corp:1433",
                "serve web at relay.example.net:8443 by a ready token, which is not "
                "renewed -> what its metadata says",
                "serve other at relay.example.net:443 by rule app -> https://app.corp/",
                "  believe any certificate of it",
                "trust the system's certificate authorities and those in "
                f"{self.folder}/ca.pem",
            ],
        )

    def test_bridge(self) -> None:
        """Which ports there are, and which one is asked for."""
        head = 'connection_string_file = "db"\nmode = "bridge"\n'
        ports = 'ports = ["sql=db.corp:1433", "dns=udp:ns.corp:53"]\n'
        listener = self.write("listener.toml", f"[[hybrid_connection]]\n{head}{ports}")
        said = self.lines(describe_listener(load_managed(listener, self.environ)))
        self.assertEqual(said[0].split(" -> ")[1], ports[10:-3].replace('"', ""))
        asked = 'bind = "127.0.0.1:53"\nport_name = "dns"\nprotocol = "udp"\n'
        sender = self.write("sender.toml", f"[[forward]]\n{head}{asked}")
        said = self.lines(describe_sender(load_sender(sender, self.environ)))
        self.assertEqual(said[1], "  ask for its port dns, UDP")

    def test_manager(self) -> None:
        """What commands added, and what a manager does beside serving."""
        (self.folder / "conf.d").mkdir()
        self.write(
            "conf.d/db.toml",
            '[[hybrid_connection]]\nconnection_string_file = "../db"\n'
            'target = "db.corp:1433"\ntarget_check_interval = 10\n'
            'target_down = "withdraw"\n',
        )
        self.environ["OLD"] = (
            "Endpoint=https://a.biztalk.windows.net/b;SharedSecretValue=x"
        )
        path = self.write(
            "listener.toml",
            'allow_targets = ["*.corp:1433", "10.0.0.0/8:*"]\n'
            '[admin]\nsocket = "/run/hcm.sock"\nport = 7420\n'
            '[connections]\nfolder = "conf.d"\n'
            '[[hybrid_connection]]\nconnection_string_env = "OLD"\n',
        )
        said = self.lines(describe_listener(load_managed(path, self.environ)))
        self.assertIn("not serve b: BizTalk", said[0])
        self.assertEqual(
            said[1:-1],
            [
                "serve db at relay.example.net:443 by rule app -> db.corp:1433",
                "  look at it each 10 s; leave the relay while it is down",
                "reach nothing but *.corp:1433, 10.0.0.0/8:*",
                "take commands at /run/hcm.sock",
                "take commands on 127.0.0.1, port 7420, with the token",
                f"keep what commands add in {self.folder}/conf.d, in private files",
            ],
        )

    def test_sender(self) -> None:
        """A port that others can reach is said so."""
        path = self.write(
            "sender.toml",
            'insecure = true\n[[forward]]\nconnection_string_env = "OPEN"\n'
            'bind = "0.0.0.0:80"\n[[forward]]\nconnection_string_env = "OPEN"\n'
            'bind = "127.0.0.1:81"\nhttp = true\n',
        )
        self.assertEqual(
            self.lines(describe_sender(load_sender(path, self.environ))),
            [
                "listen on 0.0.0.0:80 -> open at relay.example.net:443 without a token",
                "  other machines can connect to it",
                "listen on 127.0.0.1:81 -> open at relay.example.net:443 without a "
                "token",
                "  as HTTP: 127.0.0.1:81/… is http://relay.example.net:443/open/…",
                "use no TLS: anyone on the way can read",
            ],
        )

    def test_wildcard(self) -> None:
        """Names below a wildcard are found by the name server, so it is missed."""
        for key in ('endpoint = "*.corp:443"', 'endpoints = ["*.corp:443"]'):
            text = f'[[redirect]]\nconnection_string_env = "OPEN"\n{key}\n'
            for names, missed in (
                ("", True),
                ('[names]\ndns = "127.0.0.77:53"\n', False),
            ):
                path = self.write("sender.toml", f"insecure = true\n{text}{names}")
                lines = self.lines(describe_sender(load_sender(path, self.environ)))
                words = "  without [names] dns, for the front door and connect alone"
                self.assertEqual(lines[1] == words, missed, lines)

    def test_way_out(self) -> None:
        """By which proxy, as whom, from which address, and what is asked."""
        self.certify()
        self.environ["PW"] = "hunter2"
        table = (
            '[way_out]\nproxy = "http://proxy.corp:3128"\nproxy_user = "jo"\n'
            'proxy_password_env = "PW"\nbind_address = "192.0.2.9"\n'
            'client_certificate = "relay.pem"\nclient_key = "relay.key"\n'
            '[update_notice]\nurl = "https://updates.example.net/"\n'
        )
        forward = '[[forward]]\nconnection_string_env = "OPEN"\nbind = "127.0.0.1:81"\n'
        path = self.write("sender.toml", forward + table)
        lines = self.lines(describe_sender(load_sender(path, self.environ)))
        self.assertEqual(
            lines[1:6],
            [
                "go out through the HTTP proxy proxy.corp:3128 as jo (basic)",
                "  the password can be read on the way to the proxy",
                "dial from 192.0.2.9",
                f"show the certificate {self.folder}/relay.pem",
                "ask https://updates.example.net/ for newer versions",
            ],
        )
        self.environ["ALL_PROXY"] = "socks5://p"
        path = self.write("sender.toml", forward)
        lines = self.lines(describe_sender(load_sender(path, self.environ)))
        self.assertEqual(
            lines[1:3],
            [
                "go out through the SOCKS5 proxy p:1080",
                "  which ALL_PROXY names; local addresses directly",
            ],
        )


class CommandTests(CheckTestCase):
    """C{hybridconn check}."""

    def test_statuses(self) -> None:
        """0 for a good file, 1 for a bad one, 2 for a command written wrongly."""
        self.write("db", STRING)
        good = self.write(
            "good.toml",
            '[[forward]]\nconnection_string_file = "db"\nbind = "127.0.0.1:1"\n',
        )
        bad = self.write("bad.toml", "a = 1\n")
        for arguments, status, words in (
            ([str(good), "--role", "sender"], 0, "good.toml is good. The sender would"),
            ([str(bad), "--role", "sender"], 1, "bad.toml has 2 mistakes:\n  "),
            ([str(bad), "--role", "other"], 2, "--role"),
            ([str(bad)], 2, "--role"),
        ):
            done = CliRunner().invoke(main, ["check", *arguments])
            self.assertEqual(done.exit_code, status, done.output)
            self.assertIn(words, done.output)
