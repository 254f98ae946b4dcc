"""The hybridconn command."""

from __future__ import annotations

import stat
import tempfile
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.cli import main
from hybridconn.config.listener import load_listener
from hybridconn.config.relay import load_relay
from hybridconn.config.sender import load_sender
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.sas import SasToken

SECRET = {
    "relay.toml",
    "relay.key",
    "ca.key",
    "listener.toml",
    "sender.toml",
    "listen.connection-string",
    "send.connection-string",
}


class CommandTests(SynchronousTestCase):
    """Each run has a folder of its own."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name) / "tunnel"

    def run_it(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)

    def init(self, *more: str) -> Result:
        return self.run_it(
            "init",
            str(self.folder),
            *("--host", "relay.example.net", "--entity", "db"),
            *("--endpoint", "db.corp:5432", *more),
        )

    def test_init(self) -> None:
        """All files are there, usable as they are, and secret where they must be."""
        done = self.init()
        self.assertEqual(done.exit_code, 0, done.output)
        files = {file.name: file for file in self.folder.iterdir()}
        self.assertEqual(set(files), SECRET | {"ca.pem", "relay.pem"})
        for name in SECRET:
            self.assertEqual(stat.S_IMODE(files[name].stat().st_mode), 0o600, name)
        relay = load_relay(self.folder / "relay.toml")
        (entity,) = relay.namespaces[0].hybrid_connections
        self.assertEqual((entity.path, entity.endpoint), ("db", "db.corp:5432"))
        listener = load_listener(self.folder / "listener.toml")
        self.assertEqual(str(listener.hybrid_connections[0].target), "db.corp:5432")
        sender = load_sender(self.folder / "sender.toml")
        self.assertEqual(str(sender.forwards[0].bind), "127.0.0.1:15432")
        for name in ("listen", "send"):
            text = files[f"{name}.connection-string"].read_text().strip()
            self.assertIn(text, done.output)
            self.assertEqual(ConnectionString.parse(text).entity_path, "db")

    def test_fresh_keys(self) -> None:
        """No two runs make the same keys, nor two rules of one run."""
        self.init()
        first = (self.folder / "listen.connection-string").read_text()
        self.assertNotIn(
            first.partition("SharedAccessKey=")[2].partition(";")[0],
            (self.folder / "send.connection-string").read_text(),
        )
        self.init("--force")
        second = (self.folder / "listen.connection-string").read_text()
        self.assertNotEqual(first, second)

    def test_keeps_what_is_there(self) -> None:
        """Nothing is overwritten without --force."""
        self.init()
        before = (self.folder / "relay.toml").read_bytes()
        done = self.init()
        self.assertNotEqual(done.exit_code, 0)
        self.assertIn("--force", done.output)
        self.assertEqual((self.folder / "relay.toml").read_bytes(), before)

    def test_token(self) -> None:
        """A token for the connection string, with the life that was asked for."""
        self.init()
        file = str(self.folder / "send.connection-string")
        done = self.run_it("token", "--connection-string-file", file)
        self.assertEqual(done.exit_code, 0, done.output)
        token = SasToken.parse(done.output.strip())
        self.assertEqual(token.key_name, "defaultSender")

    def test_check(self) -> None:
        """A configuration is checked and described, without its secrets."""
        self.init()
        for role in ("relay", "listener", "sender"):
            done = self.run_it(
                "check", str(self.folder / f"{role}.toml"), "--role", role
            )
            self.assertEqual(done.exit_code, 0, done.output)
            self.assertIn("db", done.output)
            self.assertNotIn("SharedAccessKey=", done.output)

    def test_check_mistakes(self) -> None:
        """Mistakes are said one a line, with status 1."""
        self.init()
        path = self.folder / "sender.toml"
        path.write_text(path.read_text().replace("bind", "bynd"))
        done = self.run_it("check", str(path), "--role", "sender")
        self.assertEqual(done.exit_code, 1)
        self.assertIn('did you mean "bind"', done.output)
