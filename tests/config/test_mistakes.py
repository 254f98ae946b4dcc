"""Tests of L{hybridconn.config.mistakes}."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config.mistakes import (
    ConfigError,
    did_you_mean,
    in_file_order,
    place_in_options,
    place_in_toml,
    shown,
)
from tests.config.case import KEY, STRING

RAW: dict[str, Any] = {
    "ca_file": "ca.pem",
    "listen": {"port": 1, "certificates": [{"key": 1}]},
    "namespace": [
        {
            "name": "contoso",
            "rule": [{"name": "app", "rights": ["Listen", "Sent"]}, {"name": "app"}],
            "hybrid_connection": [{"path": "db"}, {"rule": [{"name": KEY}]}],
        }
    ],
}


class ConfigErrorTests(SynchronousTestCase):
    """What a program prints."""

    def test_one(self) -> None:
        """One mistake is one line."""
        self.assertEqual(str(ConfigError("a.toml", ["a.toml: b: c."])), "a.toml: b: c.")

    def test_several(self) -> None:
        """Several are counted, each on a line that can stand alone."""
        error = ConfigError("a.toml", ["a.toml: b: c.", "a.toml: d: e."])
        self.assertEqual(
            str(error), "a.toml has 2 mistakes:\n  a.toml: b: c.\n  a.toml: d: e."
        )
        self.assertEqual(error.mistakes, ("a.toml: b: c.", "a.toml: d: e."))


class ShownTests(SynchronousTestCase):
    """Values in messages."""

    def test_as_written(self) -> None:
        """Values look as in the file."""
        for value, text in (
            (True, "true"),
            (False, "false"),
            (7, "7"),
            (0.5, "0.5"),
            ("db", '"db"'),
            ({}, "a table"),
            ([KEY], "a list"),
        ):
            self.assertEqual(shown(value), text)

    def test_secrets(self) -> None:
        """What could be a secret in the wrong place is counted, not quoted."""
        for text in (
            KEY,
            f"x{KEY}",
            STRING,
            "SharedAccessSignature sr=x",
            "sr=a&sig=b",
            "-----BEGIN PRIVATE KEY-----",
            "a" * 40,
        ):
            self.assertEqual(shown(text), f"this text of {len(text)} characters")

    def test_file_names(self) -> None:
        """Names of files are no secrets, however long."""
        name = (
            "/etc/hybridconn/certificates/relay-of-contoso-in-the-north/fullchain.pem"
        )
        self.assertEqual(shown(name), f'"{name}"')
        longer = f"{name}{name}"
        self.assertEqual(shown(longer), f'"{longer[:80]}…"')
        self.assertEqual(shown(longer, whole=True), f'"{longer}"')

    def test_one_line(self) -> None:
        """Control characters do not reach a terminal."""
        self.assertEqual(shown("a\nb\x1b[2J"), '"a?b?[2J"')


class DidYouMeanTests(SynchronousTestCase):
    """The nearest known word."""

    def test_near(self) -> None:
        """A near one is asked for, in its own case."""
        self.assertEqual(did_you_mean("prot", ["port"]), '; did you mean "port"?')
        self.assertEqual(did_you_mean("LISEN", ["Listen"]), '; did you mean "Listen"?')

    def test_far(self) -> None:
        """Without one, all are named."""
        self.assertEqual(did_you_mean("x", ["port", "key"]), "; use key or port.")
        self.assertEqual(did_you_mean("x", ["port"]), "; use port.")
        self.assertEqual(did_you_mean("x", []), ".")


class PlaceTests(SynchronousTestCase):
    """Where a mistake is."""

    def test_toml(self) -> None:
        """Tables are written as in the file and called by their names."""
        cases: tuple[tuple[list[str | int], str], ...] = (
            (["ca_file"], "ca_file"),
            (["listen", "port"], "[listen] port"),
            (["listen"], "[listen]"),
            (["limits", "port"], "[limits] port"),
            (
                ["listen", "certificates", 0, "key"],
                "[listen] certificates number 1, key",
            ),
            (["namespace", 0], '[[namespace]] "contoso"'),
            (["namespace", 0, "name"], '[[namespace]] "contoso", name'),
            (
                ["namespace", 0, "rule", 0, "rights", 1],
                '[[namespace]] "contoso", rule "app" (number 1), rights[1]',
            ),
            (
                ["namespace", 0, "hybrid_connection", 0, "path"],
                '[[namespace]] "contoso", hybrid_connection "db", path',
            ),
            (
                ["namespace", 0, "hybrid_connection", 1, "rule", 0, "name"],
                '[[namespace]] "contoso", hybrid_connection number 2,'
                " rule number 1, name",
            ),
        )
        for path, text in cases:
            self.assertEqual(place_in_toml(path, RAW), text)

    def test_options(self) -> None:
        """On a command line an option is meant; a variable is none."""
        self.assertEqual(place_in_options(["ca_file"], {}), "--ca-file")
        self.assertEqual(place_in_options(["forward", 0, "bind"], {}), "--bind")
        path: list[str | int] = ["forward", 0, "connection_string_env"]
        self.assertEqual(place_in_options(path, {}), "")

    def test_order(self) -> None:
        """Mistakes sort as the file does; what is missing comes last."""
        paths: list[list[str | int]] = [
            ["listen", "port"],
            ["namespace", 0, "rule", 0, "name"],
            ["namespace", 0, "rule", 1, "name"],
            ["namespace", 0, "hybrid_connection", 0],
            ["namespace", 0, "gone"],
            ["limits", "gone"],
        ]
        mixed = [paths[i] for i in (3, 5, 0, 4, 2, 1)]
        self.assertEqual(sorted(mixed, key=lambda p: in_file_order(p, RAW)), paths)
