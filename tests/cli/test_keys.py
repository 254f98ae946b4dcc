"""Tests of L{hybridconn.cli.keys}."""

from __future__ import annotations

import hashlib

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.cli import main
from hybridconn.core.entities import Secret
from hybridconn.stores.vault import Vault


class KeyTests(SynchronousTestCase):
    """Fresh secrets, each time others."""

    def run_command(self, name: str) -> str:
        result = CliRunner().invoke(main, [name])
        self.assertEqual(result.exit_code, 0, result.output)
        return result.output

    def test_store_key(self) -> None:
        """One line, with which a vault can be opened."""
        first, second = self.run_command("store-key"), self.run_command("store-key")
        self.assertNotEqual(first, second)
        vault = Vault([first.strip()])
        self.assertEqual(vault.open(vault.seal(Secret("x"))), Secret("x"))

    def test_management_token(self) -> None:
        """A token and the hash of it."""
        token, sha256 = (
            line.split()[1]
            for line in self.run_command("management-token").splitlines()
        )
        self.assertEqual(hashlib.sha256(token.encode()).hexdigest(), sha256)
        self.assertGreaterEqual(len(token), 43)
