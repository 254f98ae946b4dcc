"""Tests of L{hybridconn.config.reference}."""

from __future__ import annotations

from pathlib import Path

from attrs import fields
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config.reference import render
from hybridconn.core.limits import Limits

PAGE = Path(__file__).parents[2] / "docs" / "options.md"


class ReferenceTests(SynchronousTestCase):
    """The page of all options."""

    def test_up_to_date(self) -> None:
        """The page in docs/ is what the classes say."""
        self.assertEqual(
            PAGE.read_text(encoding="utf-8"),
            render(),
            "run: python -m hybridconn.config.reference > docs/options.md",
        )

    def test_complete(self) -> None:
        """Every table and every limit is there, each option with words."""
        page = render()
        for title in (
            "## relay.toml",
            "### `[listen]`",
            "### `[[listen.certificates]]`",
            "### `[[namespace.hybrid_connection.rule]]`",
            "## listener.toml",
            "### `[[hybrid_connection]]`",
            "## sender.toml",
            "### `[[forward]]`",
        ):
            self.assertIn(f"\n{title}\n", page)
        for limit in fields(Limits):
            self.assertIn(f"| `{limit.name}` | ", page)
        for line in page.splitlines():
            if line.startswith("| `"):
                cells = [cell.strip() for cell in line.strip("| ").split(" | ")]
                self.assertEqual(len(cells), 4, line)
                self.assertNotIn("", cells, line)
