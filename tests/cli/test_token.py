"""Tests of L{hybridconn.cli.token}."""

from __future__ import annotations

import time

from click.testing import CliRunner, Result
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.cli import main
from hybridconn.core.entities import Secret
from hybridconn.core.sas import SasToken
from tests.config.case import KEY, STRING, ConfigTestCase

VARIABLE = "HYBRIDCONN_CONNECTION_STRING"


class TokenTests(ConfigTestCase, SynchronousTestCase):
    """C{hybridconn token}."""

    def setUp(self) -> None:
        super().setUp()
        self.file = self.write("string", STRING)
        self.patch(time, "time", lambda: 1_800_000_000.5)

    def run_it(
        self, *arguments: str, variable: str | None = None, stdin: str = ""
    ) -> Result:
        """Run the command."""
        done = CliRunner().invoke(
            main, ["token", *arguments], env={VARIABLE: variable}, input=stdin
        )
        self.assertNotIn(KEY, done.output)
        return done

    def good(self, *arguments: str, variable: str | None = None) -> SasToken:
        """Run the command, which prints a token and nothing else."""
        done = self.run_it(*arguments, variable=variable)
        self.assertEqual(done.exit_code, 0, done.output)
        token = SasToken.parse(done.output.removesuffix("\n"))
        self.assertTrue(token.signed_with(Secret(KEY)))
        return token

    def test_file(self) -> None:
        """The token is for the string's entity, by its rule, for an hour."""
        token = self.good("--connection-string-file", str(self.file))
        self.assertEqual(token.key_name, "app")
        self.assertEqual(token.audience(), ("relay.example.net", ("db",)))
        self.assertEqual(token.expires_at, 1_800_003_600)

    def test_lifetime(self) -> None:
        """Or for as long as is asked for."""
        path = str(self.file)
        token = self.good("--connection-string-file", path, "--lifetime", "60")
        self.assertEqual(token.expires_at, 1_800_000_060)

    def test_namespace(self) -> None:
        """The string of a namespace makes a token for all of it."""
        self.file.write_text(STRING.replace(";EntityPath=db", ""))
        token = self.good("--connection-string-file", str(self.file))
        self.assertEqual(token.audience(), ("relay.example.net", ()))

    def test_environment(self) -> None:
        """The environment has it if no file is named."""
        self.assertEqual(self.good(variable=STRING).key_name, "app")

    def test_standard_input(self) -> None:
        """A dash stands for the standard input."""
        done = self.run_it("--connection-string-file", "-", stdin=STRING)
        self.assertEqual(done.exit_code, 0, done.output)
        self.assertEqual(SasToken.parse(done.output.strip()).key_name, "app")

    def test_mistakes(self) -> None:
        """What is wrong is one line, status 1, and never the key."""
        self.write("open", STRING, 0o644)
        self.write("broken", STRING.replace("SharedAccessKeyName=app;", ""))
        self.write("without", "Endpoint=sb://relay.example.net/;EntityPath=db")
        self.write("binary", b"\xff")
        for name, words in (
            ("gone", "there is no file"),
            ("open", "chmod 600"),
            ("broken", "SharedAccessKeyName is missing"),
            ("without", "nothing to make a token with"),
            ("binary", "not UTF-8"),
        ):
            path = str(self.folder / name)
            done = self.run_it("--connection-string-file", path)
            self.assertEqual(done.exit_code, 1, done.output)
            self.assertIn(words, done.output)
            self.assertEqual(len(done.output.splitlines()), 1, done.output)

    def test_written_wrongly(self) -> None:
        """A command without a string, or with a life of nothing, is status 2."""
        self.assertEqual(self.run_it().exit_code, 2)
        done = self.run_it("--lifetime", "0", variable=STRING)
        self.assertEqual(done.exit_code, 2)
