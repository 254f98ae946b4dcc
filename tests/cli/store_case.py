"""A relay's configuration with a store, and what its commands do in any database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from click.testing import CliRunner

from hybridconn.cli import main
from hybridconn.config.relay import load_namespaces
from hybridconn.stores.vault import Vault
from tests.config.case import KEY, ConfigTestCase

FILE = f"""
[[namespace]]
name = "contoso"
host_names = ["relay.example.net"]
[[namespace.rule]]
name = "root"
rights = ["Manage"]
primary_key = "{KEY}"
[[namespace.hybrid_connection]]
path = "plant/db"
endpoint = "db.corp:1433"
[[namespace.hybrid_connection.rule]]
name = "listen"
rights = ["Listen"]
primary_key = "{KEY}1"
secondary_key = "{KEY}2"
[[namespace.hybrid_connection]]
path = "open"
requires_client_authorization = false
user_metadata = "ä \\u007f \\" text"
"""


class StoreCommandCase(ConfigTestCase):
    """
    @ivar file: namespaces.
    @ivar config: a relay's configuration.
    """

    def setUp(self) -> None:
        super().setUp()
        self.certify()
        self.write("store.key", Vault.new_key())
        config = '[listen]\ncertificate = "relay.pem"\nkey = "relay.key"\n'
        store = f'[store]\n{self.store()}\nkey_file = "store.key"\n'
        self.config = str(self.write("relay.toml", config + store))
        self.plain = str(self.write("plain.toml", config + FILE))
        self.file = self.write("namespaces.toml", FILE)

    def store(self) -> str:
        """Where the store is."""
        return 'path = "relay.db"'

    def run_command(self, *arguments: str, status: int = 0) -> str:
        """What a command says, which must end so."""
        result = CliRunner().invoke(main, [*arguments, "--config", self.config])
        self.assertEqual(result.exit_code, status, result.output)
        return result.output

    def apply(self, *more: str) -> list[str]:
        """Take C{file} over."""
        return self.run_command("apply", str(self.file), *more).splitlines()

    def export(self, name: str) -> str:
        """Write everything out."""
        path: Path = self.folder / name
        self.run_command("export", str(path))
        self.assertEqual(path.stat().st_mode & 0o077, 0)
        return path.read_text()


if TYPE_CHECKING:
    _TestCase = StoreCommandCase
else:
    # Trial would run it here too.
    _TestCase = object


class StoreCommandsMixin(_TestCase):
    """Into a store, out of it, and again; and its key."""

    def test_rekey(self) -> None:
        """Everything with the newest key, after which the old one can go."""
        self.apply()
        before = self.export("before.toml")
        old = (self.folder / "store.key").read_text()
        new = Vault.new_key()
        self.write("store.key", f"{new}\n{old}\n")
        self.assertIn("Encrypted 3 keys", self.run_command("store-rekey"))
        self.write("store.key", new)
        self.assertEqual(self.export("after.toml"), before)
        self.write("store.key", old)
        for arguments in (("store-rekey",), ("export", str(self.folder / "x"))):
            said = self.run_command(*arguments, status=1)
            self.assertIn("encrypted with another key", said)

    def test_there_and_back(self) -> None:
        """What was taken over is written out the same; a second time nothing is new."""
        self.assertEqual(
            self.apply("--dry-run"),
            [
                "+ namespace contoso",
                "+ rule root of contoso",
                "+ hybrid connection contoso/open",
                "+ hybrid connection contoso/plant/db",
                "+ rule listen of contoso/plant/db",
                "5 would change.",
            ],
        )
        self.assertEqual(self.apply()[-1], "5 changed.")
        self.assertEqual(self.apply(), ["Nothing changes."])
        self.export("first.toml")
        (before,) = load_namespaces(self.file)
        (after,) = load_namespaces(self.folder / "first.toml")
        self.assertEqual(after.name, before.name)
        self.assertEqual(after.host_names, before.host_names)
        self.assertEqual(after.rules, before.rules)
        self.assertEqual(
            {one.path: one for one in after.hybrid_connections},
            {one.path: one for one in before.hybrid_connections},
        )
        self.file = self.folder / "first.toml"
        self.assertEqual(self.apply("--prune"), ["Nothing changes."])

    def test_changes(self) -> None:
        """What is different is shown; what is gone from the file only goes if asked."""
        self.apply()
        less = FILE.partition('[[namespace.hybrid_connection]]\npath = "open"')[0]
        self.file.write_text(less.replace("db.corp:1433", "db.corp:1434"))
        self.assertEqual(
            self.apply(), ["~ hybrid connection contoso/plant/db", "1 changed."]
        )
        self.assertEqual(
            self.apply("--prune"), ["- hybrid connection contoso/open", "1 changed."]
        )
        self.file.write_text('[[namespace]]\nname = "other0"\nhost_names = ["a"]\n')
        gone = self.apply("--prune", "--dry-run")
        self.assertIn("+ namespace other0", gone)
        self.assertIn("- rule listen of contoso/plant/db", gone)
        self.assertEqual(self.apply()[-1], "1 changed.")
        self.assertIn("plant/db", self.export("second.toml"))

    def test_mistakes(self) -> None:
        """Each is one line with its mend, and changes nothing."""
        self.file.write_text(FILE.replace('"Manage"', '"Most"'))
        said = self.run_command("apply", str(self.file), status=1)
        self.assertIn("is no right", said)
        self.file.write_text("")
        said = self.run_command("apply", str(self.file), status=1)
        self.assertIn("add a [[namespace]]", said)
        self.run_command("export", str(self.file), status=1)
        self.config = self.plain
        said = self.run_command("export", str(self.folder / "x"), status=1)
        self.assertIn("has no [store]", said)
