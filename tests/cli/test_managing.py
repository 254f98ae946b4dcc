"""Tests of L{hybridconn.cli.managing} and of what needs no relay to be refused."""

from __future__ import annotations

from typing import Any

import click
from click.testing import CliRunner
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.cli import main
from hybridconn.cli.managing import Output, member, size, tags_of


def one(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


class ShownTests(SynchronousTestCase):
    """How answers are shown."""

    def test_size(self) -> None:
        """Bytes in the unit that fits, the largest for what is beyond."""
        for number, text in (
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536 * 1024, "1.5 MiB"),
            (5 * 1024**3, "5.0 GiB"),
            (7000 * 1024**4, "7000.0 TiB"),
        ):
            self.assertEqual(size("bytes")(one(bytes=number)), text)
        self.assertEqual(size("ended", "bytes")(one(ended={"bytes": 2})), "2 B")
        self.assertEqual(size("bytes")(one()), "0 B")

    def test_member(self) -> None:
        """What is not there is nothing."""
        self.assertEqual(member("rule")(one()), "")

    def test_table(self) -> None:
        """Whatever stands in an answer is shown as it is: it is no mark-up."""

        @click.command()
        def show() -> None:
            Output(False).items([one(x="[red]a[/red] [b]")], {"x": member("x")})
            Output(False).one({"a": {"b": [1, {"c": "d"}]}})

        said = CliRunner().invoke(show).output
        self.assertIn("[red]a[/red] [b]", said)
        self.assertIn("1, d", said)

    def test_one(self) -> None:
        """Values stand below one another, and no two have the same name."""

        @click.command()
        def show() -> None:
            plan = {"name": "web", "sku": {"name": "S1"}, "p": {"x" * 30: True}}
            Output(False).one(plan)

        lines = CliRunner().invoke(show).output.splitlines()
        self.assertEqual(
            [line.split() for line in lines],
            [["name", "web"], ["sku.name", "S1"], ["x" * 30, "True"]],
        )
        self.assertEqual({line.index(line.split()[1]) for line in lines}, {31})

    def test_tags(self) -> None:
        """C{NAME=VALUE}; a value may have an equals sign, or be empty."""
        self.assertEqual(tags_of(("a=b=c", "d=")), {"a": "b=c", "d": ""})
        for wrong in ("a", "=b"):
            self.assertRaises(click.BadParameter, tags_of, (wrong,))


class WrittenWronglyTests(SynchronousTestCase):
    """Exit status 2, and nobody is asked."""

    def test_mistakes(self) -> None:
        """What does not go together is said."""
        file = ("--connection-string-file", "x")
        for arguments, words in (
            (("token", "--role", "listen"), "need --namespace"),
            (("token", "--rule", "x", *file), "need --namespace"),
            (("token", "--namespace", "a", "--role", "send", *file), "not both"),
            (("token", "--namespace", "a"), "--role or --rule"),
            (("token", "--namespace", "a", "--role", "read"), "'read' is not one of"),
            (("network", "set", "a"), "--only NETWORK, or --anybody"),
            (("network", "set", "a", "--anybody", "--only", "b"), "or --anybody"),
            (("rule", "create", "a", "b"), "--right"),
            (("app", "attach", "a", "b", "c", "--port", "0"), "--port"),
        ):
            options = (
                ("--url", "https://127.0.0.1:9") if arguments[0] != "token" else ()
            )
            done = CliRunner().invoke(
                main,
                [*arguments, *options],
                env={
                    "HYBRIDCONN_MANAGEMENT_TOKEN": "x",
                    "HYBRIDCONN_CONNECTION_STRING": None,
                },
            )
            self.assertEqual(done.exit_code, 2, (arguments, done.output))
            self.assertIn(words, done.output)
