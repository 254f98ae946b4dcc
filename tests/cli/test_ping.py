"""What C{hybridconn ping} takes, and what it prints of its rounds."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.cli import main
from hybridconn.cli.diagnosis_words import round_line, summary
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

    def test_other_name(self) -> None:
        """A connection string is for one hybrid connection."""
        said = self.refused("web", "-f", self.string(), status=1)
        self.assertIn('is for the hybrid connection "db", not "web"', said)

    def test_behind_tls(self) -> None:
        """What stands alone behind --tls is what to ping."""
        said = self.refused("-f", self.string(), "--tls", "web", status=1)
        self.assertIn('not "web"', said)


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
