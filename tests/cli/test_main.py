"""Tests of L{hybridconn.cli} and of C{python -m hybridconn}."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

import hybridconn
from hybridconn.cli import main
from hybridconn.operation.version import own_version

SOURCE = Path(hybridconn.__file__).parents[1]


class MainTests(SynchronousTestCase):
    """The command as people start it."""

    def test_module(self) -> None:
        """C{python -m hybridconn} is the command, with its statuses."""
        for arguments, status, words in (
            (["--help"], 0, "init"),
            (["-h"], 0, "Usage: hybridconn"),
            (["--version"], 0, f"hybridconn {own_version()}\n"),
            (["token", "--connection-string-file", "gone"], 1, "no file"),
            (["nonsense"], 2, "No such command"),
        ):
            done = subprocess.run(
                [sys.executable, "-m", "hybridconn", *arguments],
                env={**os.environ, "PYTHONPATH": str(SOURCE)},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            self.assertEqual(done.returncode, status, done.stderr)
            self.assertIn(words, done.stdout + done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    def test_summaries(self) -> None:
        """What a command does stands in the list of commands, and not half of it."""

        def groups(group: click.Group, *words: str) -> list[list[str]]:
            context = click.Context(group)
            found = [list(words)]
            for name in group.list_commands(context):
                command = group.get_command(context, name)
                if isinstance(command, click.Group):
                    found += groups(command, *words, name)
            return found

        for words in groups(main):
            said = CliRunner().invoke(main, [*words, "--help"]).output
            listed = said.partition("Commands:")[2]
            self.assertTrue(listed, words)
            for line in listed.splitlines():
                self.assertFalse(line.endswith("..."), line)
