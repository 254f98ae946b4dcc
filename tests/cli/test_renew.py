"""Tests of L{hybridconn.cli.renew}."""

from __future__ import annotations

import stat
from pathlib import Path

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.certificates import check_pair, names_of
from hybridconn.cli import main
from hybridconn.config import load_relay


class RenewTests(SynchronousTestCase):
    """The relay's next certificate."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute()
        self.run_command("init", "--host", "a.example", "--host", "192.0.2.7")

    def run_command(self, command: str, *options: str) -> Result:
        """Run one command on the folder."""
        return CliRunner().invoke(main, [command, str(self.folder), *options])

    def read(self, name: str) -> bytes:
        """A file of the folder."""
        return (self.folder / name).read_bytes()

    def test_good(self) -> None:
        """New certificate and key for the same names, by the same authority."""
        authority, old = self.read("ca.pem"), self.read("relay.pem")
        done = self.run_command("renew")
        self.assertEqual(done.exit_code, 0, done.output)
        new = self.read("relay.pem")
        self.assertNotEqual(new, old)
        self.assertEqual(names_of(new), names_of(old))
        self.assertIn("a.example, 192.0.2.7, localhost", done.output)
        self.assertEqual(self.read("ca.pem"), authority)
        check_pair(new, self.read("relay.key"))
        load_relay(self.folder / "relay.toml", {})
        mode = (self.folder / "relay.key").stat().st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_bad(self) -> None:
        """What is missing or wrong is said in a line; nothing is changed."""
        old, key = self.read("relay.pem"), self.read("ca.key")
        for name, content, words in (
            ("ca.key", None, "cannot be read: No such file"),
            ("ca.key", self.read("relay.key"), "do not belong together"),
            ("ca.key", b"x", "no block -----BEGIN PRIVATE KEY-----"),
        ):
            (self.folder / name).unlink(missing_ok=True)
            if content is not None:
                (self.folder / name).write_bytes(content)
            done = self.run_command("renew")
            self.assertEqual(done.exit_code, 1, done.output)
            self.assertIn(words, done.output)
            self.assertEqual(len(done.output.splitlines()), 1)
            self.assertEqual(self.read("relay.pem"), old)
        (self.folder / "ca.key").write_bytes(key)
        (self.folder / "relay.pem").write_bytes(b"x")
        self.assertIn("no block -----BEGIN CERT", self.run_command("renew").output)
