"""Tests of L{hybridconn.cli.init}."""

from __future__ import annotations

import base64
import os
import tomllib
from pathlib import Path
from typing import Any
from unittest.mock import Mock

from click.testing import CliRunner, Result
from cryptography import x509
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.cli import main
from hybridconn.config import load_listener, load_relay, load_sender
from hybridconn.core.entities import Claim


class InitTestCase(SynchronousTestCase):
    """In a folder that does not exist yet."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()

    def init(self, *arguments: str) -> Result:
        """Run the command."""
        return CliRunner().invoke(main, ["init", str(self.folder), *arguments])

    def good(self, *arguments: str) -> str:
        """Run the command, which goes well."""
        done = self.init(*arguments)
        self.assertEqual(done.exit_code, 0, done.output)
        return done.output

    def bad(self, status: int, *arguments: str) -> str:
        """Run the command, which says what is wrong in words."""
        done = self.init(*arguments)
        self.assertEqual(done.exit_code, status, done.output)
        self.assertNotIn("Traceback", done.output)
        return done.output

    def toml(self, name: str) -> dict[str, Any]:
        """A file that was written."""
        return tomllib.loads((self.folder / name).read_text())


class GoodTests(InitTestCase):
    """What is written."""

    def test_least(self) -> None:
        """A host is enough; what is to be changed is said."""
        said = self.good("--host", "relay.example.net")
        self.assertIn("Change the target 127.0.0.1:8080", said)
        self.assertIn("ca.key", said)
        self.assertIn(f"hybridconn renew {self.folder}", said)
        relay = load_relay(self.folder / "relay.toml", {})
        (namespace,) = relay.namespaces
        self.assertEqual((namespace.name, relay.listen.port), ("hybridconn", 443))
        self.assertEqual(namespace.hybrid_connections[0].user_metadata, "")
        sender = load_sender(self.folder / "sender.toml", {})
        self.assertEqual(str(sender.forwards[0].bind), "127.0.0.1:18080")
        string = sender.forwards[0].connection
        self.assertEqual((string.host, string.port), ("relay.example.net", 443))

    def test_rules(self) -> None:
        """Each rule opens what it is for and has a key of 32 random bytes."""
        self.good("--host", "a.example")
        (namespace,) = load_relay(self.folder / "relay.toml", {}).namespaces
        (entity,) = namespace.hybrid_connections
        rules = {rule.name: rule for rule in (*namespace.rules, *entity.rules)}
        self.assertEqual(
            {name: set(rule.rights) for name, rule in rules.items()},
            {
                "RootManageSharedAccessKey": {Claim.MANAGE},
                "defaultListener": {Claim.LISTEN},
                "defaultSender": {Claim.SEND},
            },
        )
        keys = {rule.primary_key.reveal() for rule in rules.values()}
        self.assertEqual(len(keys), 3)
        for key in keys:
            self.assertEqual(len(base64.b64decode(key, validate=True)), 32)

    def test_all_options(self) -> None:
        """Everything that can be said on the command line is in the files."""
        said = self.good(
            *("--host", "Relay.example.net", "--host", "192.0.2.7", "--port", "8443"),
            *("--namespace", "contoso", "--entity", "plant/db"),
            *("--endpoint", "db.corp:60000", "--bind", "127.0.0.2:5"),
        )
        self.assertIn("Endpoint=sb://relay.example.net:8443/;", said)
        self.assertNotIn("Change the target", said)
        relay = load_relay(self.folder / "relay.toml", {})
        self.assertEqual(relay.listen.port, 8443)
        (namespace,) = relay.namespaces
        self.assertEqual(namespace.host_names, ("relay.example.net", "192.0.2.7"))
        self.assertEqual(namespace.hybrid_connections[0].endpoint, "db.corp:60000")
        (one,) = load_listener(self.folder / "listener.toml", {}).hybrid_connections
        self.assertEqual(str(one.target), "db.corp:60000")
        self.assertEqual(one.connection.entity_path, "plant/db")
        (forward,) = load_sender(self.folder / "sender.toml", {}).forwards
        self.assertEqual(str(forward.bind), "127.0.0.2:5")
        pem = (self.folder / "relay.pem").read_bytes()
        names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        dns = names.value.get_values_for_type(x509.DNSName)
        self.assertEqual(dns, ["relay.example.net", "localhost"])

    def test_high_port(self) -> None:
        """The sender's port stays a port."""
        self.good("--host", "a.example", "--endpoint", "db:60000")
        (forward,) = load_sender(self.folder / "sender.toml", {}).forwards
        self.assertEqual(str(forward.bind), "127.0.0.1:50000")

    def test_many_services(self) -> None:
        """A wildcard is no target: the sender tells the listener which name it is."""
        many = ("--host", "a.example", "--endpoint", "*.apps.corp:443")
        self.assertIn("[names] in sender.toml", self.good(*many))
        (one,) = load_listener(self.folder / "listener.toml", {}).hybrid_connections
        self.assertEqual([*map(str, one.targets)], ["*.apps.corp:443"])
        sender = load_sender(self.folder / "sender.toml", {})
        self.assertEqual(sender.forwards, ())
        (redirect,) = sender.redirects
        self.assertEqual([*map(str, redirect.endpoints)], ["*.apps.corp:443"])
        self.assertIn("--bind", self.bad(2, *many, "--bind", "127.0.0.1:1"))
        said = (self.folder / "sender.toml").read_text(encoding="utf-8")
        said = said.replace("# [names]\n# dns", "[names]\ndns")
        (self.folder / "sender.toml").write_text(said, encoding="utf-8")
        named = load_sender(self.folder / "sender.toml", {}).names.dns
        self.assertEqual(str(named), "127.0.0.77:53")

    def test_web_service(self) -> None:
        """A URL makes the listener a reverse proxy and the sender's port HTTP."""
        said = self.good(
            *("--host", "a.example", "--entity", "web"),
            *("--endpoint", "https://app.corp/base"),
        )
        (one,) = load_listener(self.folder / "listener.toml", {}).hybrid_connections
        assert one.target is not None
        self.assertEqual(str(one.target.http), "https://app.corp/base")
        (forward,) = load_sender(self.folder / "sender.toml", {}).forwards
        self.assertEqual((forward.http, str(forward.bind)), (True, "127.0.0.1:10443"))
        relay = load_relay(self.folder / "relay.toml", {})
        entity = relay.namespaces[0].hybrid_connections[0]
        self.assertEqual(entity.endpoint, "app.corp:443")
        self.assertIn("http://127.0.0.1:10443/", said)
        self.assertIn("https://a.example/web/ with the header", said)

    def test_ipv6(self) -> None:
        """An IPv6 address is written in brackets where one must be."""
        self.assertIn("Endpoint=sb://[::1]/;", self.good("--host", "[::1]"))
        self.assertEqual(self.toml("relay.toml")["namespace"][0]["host_names"], ["::1"])

    def test_own_certificate(self) -> None:
        """With a certificate of one's own there is no private authority."""
        self.good("--host", "a.example")
        pem, key = self.folder / "relay.pem", self.folder / "relay.key"
        self.folder = self.folder.parent / "second"
        said = self.good(
            *("--host", "a.example", "--certificate", os.path.relpath(pem)),
            *("--key", str(key)),
        )
        self.assertNotIn("ca.pem", said)
        self.assertFalse((self.folder / "ca.key").exists())
        self.assertNotIn("ca_file", self.toml("listener.toml"))
        (files,) = load_relay(self.folder / "relay.toml", {}).listen.certificates
        self.assertEqual((files.certificate, files.key), (str(pem), str(key)))


class BadTests(InitTestCase):
    """What is refused: nothing is written."""

    def tearDown(self) -> None:
        self.assertFalse(self.folder.exists())

    def test_written_wrongly(self) -> None:
        """A wrong option is status 2, and the option is named."""
        for option, value in (
            ("--host", "https://a/"),
            ("--host", "a:443"),
            ("--port", "70000"),
            ("--namespace", "c"),
            ("--entity", "a//b"),
            ("--endpoint", "db"),
            ("--endpoint", "db:0"),
            ("--endpoint", "http://me@web/"),
            ("--endpoint", "https://"),
            ("--bind", "db:1"),
        ):
            said = self.bad(2, "--host", "a.example", option, value)
            self.assertIn(f"'{option}'", said)
        self.assertIn("--host", self.bad(2))
        said = self.bad(2, "--host", "a.example", "--key", "x")
        self.assertIn("--certificate and --key go together", said)

    def test_certificate(self) -> None:
        """A certificate that cannot be used is said so before anything is written."""
        aside = Path(self.mktemp()).absolute()
        both = ("--certificate", str(aside), "--key", str(aside))
        said = self.bad(1, "--host", "a.example", *both)
        self.assertIn(f"{aside} cannot be read: No such file", said)
        aside.write_text("nothing")
        said = self.bad(1, "--host", "a.example", *both)
        self.assertIn("BEGIN CERTIFICATE", said)


class FailureTests(InitTestCase):
    """What goes wrong while writing."""

    def test_disk(self) -> None:
        """A full disk is said in a line."""
        self.patch(os, "fsync", Mock(side_effect=OSError(28, "No space left")))
        said = self.bad(1, "--host", "a.example")
        self.assertIn("cannot be written: No space left", said)

    def test_folder_is_a_file(self) -> None:
        """A file where the folder should be is said in a line."""
        self.folder.write_text("")
        said = self.bad(1, "--host", "a.example")
        self.assertIn("cannot be written", said)

    def test_one_file_in_the_way(self) -> None:
        """One file of the same name is enough to write none."""
        self.folder.mkdir()
        (self.folder / "sender.toml").write_text("mine")
        said = self.bad(1, "--host", "a.example")
        self.assertIn("has sender.toml already", said)
        self.assertEqual(os.listdir(self.folder), ["sender.toml"])
