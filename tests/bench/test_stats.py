"""Medians, ratios and rows."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from bench.report import Row, line, number, shown, table, write
from bench.stats import percentile, ratios, spread


class StatsTests(SynchronousTestCase):
    """Sums over rounds."""

    def test_spread(self) -> None:
        """Median and range."""
        found = spread([3.0, 1.0, 2.0])
        self.assertEqual((found.median, found.low, found.high), (2.0, 1.0, 3.0))
        self.assertRaises(ValueError, spread, [])

    def test_percentile(self) -> None:
        """The least value that so many do not exceed."""
        values = list(range(1, 101))
        self.assertEqual(percentile(values, 50), 50)
        self.assertEqual(percentile(values, 99), 99)
        self.assertEqual(percentile([7.0], 99), 7.0)
        self.assertRaises(ValueError, percentile, [], 50)
        self.assertRaises(ValueError, percentile, [1.0], 101)

    def test_ratios(self) -> None:
        """Round by round; what cannot be compared is left out."""
        self.assertEqual(ratios([2.0, 9.0, 1.0], [1.0, 3.0]), [2.0, 3.0])
        self.assertEqual(ratios([2.0, 9.0], [0.0, 3.0]), [3.0])


class RowTests(SynchronousTestCase):
    """What people see, and what is kept."""

    row = Row(
        "ping",
        "64 B, p50",
        "us",
        {"hybridconn": [300.0, 330.0], "ssh": [200.0, 300.0], "gone": []},
        base="ssh",
        goal="<= 1.5 x ssh",
    )

    def test_numbers(self) -> None:
        """Three digits."""
        self.assertEqual(
            [number(n) for n in (1.234, 12.34, 123.4, 0.012)],
            ["1.23", "12.3", "123", "0.01"],
        )
        self.assertEqual(shown([1.0]), "1.00")
        self.assertEqual(shown([]), "-")

    def test_line(self) -> None:
        """The ratio is the median of the rounds' ratios."""
        self.assertEqual(
            line(self.row),
            "ping: 64 B, p50, us: 315 [300-330] | ssh 250 [200-300]"
            " | 1.30 times ssh | goal <= 1.5 x ssh",
        )

    def test_table(self) -> None:
        """The same as a table."""
        self.assertEqual(
            table([self.row]).splitlines()[-1],
            "| 64 B, p50 | us | 315 [300-330] | ssh 250 [200-300] | 1.30 x ssh"
            " | <= 1.5 x ssh |",
        )

    def test_nothing_to_compare(self) -> None:
        """Without the other there is no ratio."""
        alone = Row("ping", "p50", "us", {"hybridconn": [1.0]}, base="ssh")
        self.assertIsNone(alone.ratio)
        self.assertEqual(line(alone), "ping: p50, us: 1.00")

    def test_kept(self) -> None:
        """Every round is kept, with machine and settings."""
        path = write(Path(self.mktemp()), [self.row], {"rounds": 2})
        kept = json.loads(path.read_text())
        self.assertEqual(kept["rows"][0]["rounds"]["ssh"], [200.0, 300.0])
        self.assertEqual(kept["settings"], {"rounds": 2})
        self.assertIn("twisted", kept["machine"]["versions"])
