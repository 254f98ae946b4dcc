"""The command line."""

from __future__ import annotations

import contextlib
import io

from twisted.trial.unittest import SynchronousTestCase

from bench.__main__ import main, parse
from bench.cases import CASES


class CommandTests(SynchronousTestCase):
    """What may be asked for."""

    def wrong(self, *arguments: str) -> str:
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            end = self.assertRaises(SystemExit, parse, arguments)
        self.assertEqual(end.code, 2)
        return said.getvalue()

    def test_list(self) -> None:
        """Every case and what it measures."""
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            self.assertEqual(main(["--list"]), 0)
        lines = said.getvalue().splitlines()
        self.assertEqual([line.split()[0] for line in lines], list(CASES))
        self.assertTrue(all(len(line.split()) > 3 for line in lines))

    def test_wrong(self) -> None:
        """Each mistake is named."""
        self.assertIn("there is no case pong; there are relay-bulk", self.wrong("pong"))
        self.assertIn("must be 1 or more", self.wrong("--rounds", "0"))
        self.assertIn("--scale must be more than 0", self.wrong("--scale", "0"))

    def test_right(self) -> None:
        """Cases, rounds and scale."""
        given = parse(["ping", "--rounds", "5", "--scale", "0.1"])
        self.assertEqual((given.cases, given.rounds, given.scale), (["ping"], 5, 0.1))
