"""What C{hybridconn ping} takes, and what it prints of its rounds."""

from __future__ import annotations

from pathlib import Path

import click
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.cli import main
from hybridconn.cli.diagnosis_words import (
    HopPrinter,
    all_through,
    round_line,
    summary,
    table_lines,
)
from hybridconn.cli.ping import is_bind
from hybridconn.core.host_port import parse_host_port
from hybridconn.diagnosis.check import Check

STRING = "Endpoint=sb://relay.test/;EntityPath=db"


class ArgumentTests(SynchronousTestCase):
    """What is refused before anything is dialled."""

    def refused(self, *arguments: str, status: int) -> str:
        result = CliRunner().invoke(main, ["ping", *arguments])
        self.assertEqual(result.exit_code, status, result.output)
        return result.output

    def string(self) -> str:
        path = Path(self.mktemp())
        path.write_text(STRING)
        path.chmod(0o600)
        return str(path)

    def test_nothing(self) -> None:
        """Something is to be named, and one way to it."""
        self.assertIn("say what to ping", self.refused("-c", "x", status=2))
        words = "give --config or --connection-string-file"
        self.assertIn(words, self.refused("db", status=2))
        self.assertIn(words, self.refused("db", "-c", "x", "-f", "y", status=2))

    def test_of_a_string(self) -> None:
        """What belongs to a connection string is refused beside a configuration."""
        for option in (("--ca-file", "x"), ("--insecure",)):
            said = self.refused("db", "-c", "x", *option, status=2)
            self.assertIn("go with --connection-string-file", said)

    def test_seconds(self) -> None:
        """What is no time is refused, and what nobody waits for."""
        for option in ("--timeout", "--interval"):
            for value in ("nan", "inf", "0"):
                self.refused("db", "-c", "x", option, value, status=2)
        result = CliRunner().invoke(main, ["doctor", "-c", "x", "--timeout", "nan"])
        self.assertEqual(result.exit_code, 2)

    def test_other_name(self) -> None:
        """A connection string is for one hybrid connection."""
        said = self.refused("web", "-f", self.string(), status=1)
        self.assertIn('is for the hybrid connection "db", not "web"', said)

    def test_behind_tls(self) -> None:
        """What stands alone behind --tls is what to ping."""
        said = self.refused("-f", self.string(), "--tls", "web", status=1)
        self.assertIn('not "web"', said)


class OwnPortTests(SynchronousTestCase):
    """The sender's own port is named as its apps name it."""

    def test_own_port(self) -> None:
        """By its address, or as this machine's; never by another port."""
        for bind, where, own in (
            ("127.0.0.1:5432", "127.0.0.1:5432", True),
            ("127.0.0.1:5432", "localhost:5432", True),
            ("[::1]:5432", "[::1]:5432", True),
            ("0.0.0.0:5432", "localhost:5432", True),
            ("127.0.0.1:5432", "localhost:5433", False),
            ("10.0.0.1:5432", "localhost:5432", False),
            ("127.0.0.1:5432", "db.corp:5432", False),
            ("127.0.0.1:5432", "db", False),
            ("127.0.0.1:5432", "localhost:99999", False),
        ):
            self.assertEqual(is_bind(parse_host_port(bind), where), own, where)


def listener(name: str, seconds: float, good: bool = True) -> list[Check]:
    """What one listener told."""
    subject = f"db, {name}"
    return [
        Check(subject, "listener", True, f"{name}, hybridconn 1", "", seconds),
        Check(subject, "target port", good, "as it is", "", 0.001),
    ]


class RoundTests(SynchronousTestCase):
    """Later rounds have a line each, and all together one more."""

    def test_line(self) -> None:
        """Each listener by name, with its time, and what is wrong."""
        checks = [*listener("alpha", 0.01), *listener("beta", 0.02, good=False)]
        self.assertEqual(
            round_line(2, checks),
            "2: alpha 10.0 ms; beta 20.0 ms, target port FAIL: as it is",
        )
        nobody = [Check("db", "listeners", False, "nobody listens")]
        self.assertIn("nobody listens", round_line(3, nobody))

    def test_summary(self) -> None:
        """A round counts if every listener let us through."""
        good, bad = listener("a", 0.01), listener("b", 0.03, good=False)
        for rounds, whole in (([good], True), ([good, [*good, *bad]], False)):
            self.assertEqual(summary("db", rounds), whole)
        self.assertFalse(summary("db", []))
        self.assertFalse(summary("db", [[]]))
        before = [Check("relay", "clock", True, "as the relay's")]
        self.assertFalse(all_through([before]))


class WidthTests(SynchronousTestCase):
    """What is printed fits a terminal, and is whole where there is none."""

    SEEN = " ".join(f"word{n}" for n in range(30))
    MEND = " ".join(f"mend{n}" for n in range(20))

    def setUp(self) -> None:
        subject = "/a/path/that/is/longer/than/the/names/of/all/checks.toml"
        self.checks = [
            Check(subject, "file modes", True, "well"),
            Check(subject, "relay TLS", False, self.SEEN, self.MEND, 0.01),
            Check(subject, "clock", False, "x" * 100, "is it on?"),
        ]

    def test_table(self) -> None:
        """No line is longer than the terminal, and no word is lost."""
        for width in (60, 80, 120):
            text = "\n".join(table_lines(self.checks, width))
            lines = click.unstyle(text).splitlines()
            self.assertLessEqual(max(map(len, lines)), width)
            words = " ".join(" ".join(lines).split())
            for text in (self.SEEN, f"To do: {self.MEND}.", "is it on?"):
                self.assertIn(text, words)

    def test_no_terminal(self) -> None:
        """Each check is one line, with its mend."""
        lines = list(table_lines(self.checks, None))
        self.assertEqual(len(lines), 5)
        self.assertEqual(
            lines[3], f"  relay TLS   FAIL    {self.SEEN} (10.0 ms)  {self.MEND}"
        )
        self.assertNotIn("\x1b", "".join(lines))

    def test_hops(self) -> None:
        """So it is with hops."""
        for width in (80, None):

            @click.command()
            def show(width: int | None = width) -> None:
                printer = HopPrinter(width)
                for check in self.checks:
                    printer.print(check)

            lines = CliRunner().invoke(show).output.splitlines()[1:]
            whole = "\n".join(lines)
            self.assertEqual(max(map(len, lines)) <= 80, width is not None)
            self.assertEqual(f"{self.SEEN}\n" in whole, width is None)
            self.assertIn("To do: is it on?\n", whole + "\n")
