"""
Tests of L{hybridconn.cli.apply} and L{hybridconn.cli.store}, with SQLite.
"""

from __future__ import annotations

from tests.cli.store_case import StoreCommandCase, StoreCommandsMixin


class SQLiteCommandTests(StoreCommandsMixin, StoreCommandCase):
    """SQLite."""

    def test_backup(self) -> None:
        """A copy that is a store like the first, for its owner only."""
        self.apply()
        copy = self.folder / "copy.db"
        self.assertEqual(
            self.run_command("store-backup", str(copy)), f"Wrote {copy}.\n"
        )
        self.assertEqual(copy.stat().st_mode & 0o777, 0o600)
        self.assertIn("already", self.run_command("store-backup", str(copy), status=1))
        before = self.export("before.toml")
        copy.rename(self.folder / "relay.db")
        self.assertEqual(self.export("after.toml"), before)
        for config in (self.plain, str(copy)):
            self.config = config
            self.run_command("store-backup", str(copy), status=1)
