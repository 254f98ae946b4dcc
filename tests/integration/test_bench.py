"""The bench runs; what it measures is nobody's business here."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tests.integration.case import IntegrationTestCase
from tests.integration.programs import output_of

ROOT = Path(__file__).resolve().parents[2]


class BenchTests(IntegrationTestCase):
    """Small runs of it, of ours alone."""

    def test_cases(self) -> None:
        """Each gives its figures, and they are kept."""
        folder = Path(self.mktemp()).resolve()
        cases = [
            *("relay-bulk", "relay-1k", "tiny", "tunnel-bulk", "ping", "connect"),
            *("manager", "names"),
        ]
        status, said = output_of(
            [
                *(sys.executable, "-m", "bench", *cases),
                *("--rounds", "1", "--scale", "0.01", "--ours-only"),
                *("--out", str(folder)),
            ],
            120,
        )
        self.assertEqual(status, 0, said[-3000:])
        (kept,) = folder.iterdir()
        rows = json.loads(kept.read_text())["rows"]
        self.assertEqual({row["case"] for row in rows}, set(cases))
        for row in rows:
            self.assertTrue(row["rounds"][row["ours"]], row)
