"""Tests of L{hybridconn.config.loader}."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from attrs import field, frozen, validators

from hybridconn.config.kinds import Key, Port, Seconds
from hybridconn.config.loader import load_file, load_options
from hybridconn.config.mistakes import ConfigError, Mistake
from hybridconn.config.secrets import Source
from tests.config.case import KEY, ConfigTestCase


@frozen
class Item:
    """C{[[item]]}."""

    name: str
    port: Port = 1
    primary_key: Key | None = None

    @staticmethod
    def check(table: Mapping[str, Any], source: Source) -> Iterator[Mistake]:
        """No item is called C{x}."""
        if table.get("name") == "x":
            yield Mistake("is x.", "name")


@frozen
class Part:
    """C{[part]}."""

    timeout: Seconds = 2.0
    count: int = field(default=3, validator=validators.ge(2))
    names: tuple[str, ...] = ()


@frozen
class Whole:
    """A file."""

    switch: bool = False
    part: Part = field(factory=Part, metadata={"table": True})
    items: tuple[Item, ...] = field(default=(), metadata={"table": True, "key": "item"})


def load(file: Path, environ: Mapping[str, str]) -> Whole:
    return load_file(file, Whole, {}, environ)


class GoodTests(ConfigTestCase):
    """Files that can be used."""

    def test_values(self) -> None:
        """Each value comes out in the type that its field has."""
        path = self.write(
            "a.toml",
            "switch = true\n"
            '[part]\ntimeout = 5\nnames = ["a", "b"]\n'
            f'[[item]]\nname = "n"\nport = 0\nprimary_key = "{KEY}"\n'
            '[[item]]\nname = "m"\n',
        )
        whole = load(path, {})
        self.assertEqual(whole.part, Part(5.0, 3, ("a", "b")))
        self.assertIsInstance(whole.part.timeout, float)
        first, second = whole.items
        self.assertEqual((first.name, first.port, second.port), ("n", 0, 1))
        assert first.primary_key is not None
        self.assertEqual(first.primary_key.reveal(), KEY)
        self.assertNotIn(KEY, repr(whole))

    def test_empty(self) -> None:
        """An empty file is all defaults."""
        self.assertEqual(load(self.write("a.toml", ""), {}), Whole())

    def test_byte_order_mark(self) -> None:
        """A mark that editors put in front does no harm."""
        self.assertTrue(load(self.write("a.toml", "\ufeffswitch = true"), {}).switch)

    def test_open_without_secrets(self) -> None:
        """A file without secrets may be read by anyone."""
        self.assertTrue(load(self.write("a.toml", "switch = true", 0o644), {}).switch)


class BadTests(ConfigTestCase):
    """Files that cannot be used."""

    def check_lines(self, text: str, *expected: str) -> None:
        self.assertEqual(self.mistakes(load, text), list(expected))

    def test_all_at_once(self) -> None:
        """Every mistake is found, in the order of the file."""
        self.check_lines(
            'swich = 1\n[[item]]\nprot = 1\nport = 70000\n[[item]]\nname = "x"\n'
            'port = "y"\n[part]\ntimeout = 0\ncount = 1\nnames = ["a", 2]\n',
            'swich: there is no such setting; did you mean "switch"?',
            '[[item]] number 1, prot: there is no such setting; did you mean "port"?',
            "[[item]] number 1, port: 70000 is no port; use 1 to 65535, or 0 for any "
            "free one.",
            "[[item]] number 1, name: is missing; add it.",
            '[[item]] "x", name: is x.',
            '[[item]] "x", port: must be a whole number, not "y".',
            "[part] timeout: 0.0 is no usable time; write seconds, more than 0.",
            "[part] count: 'count' must be >= 2: 1.",
            "[part] names[1]: must be text in quotes, not 2.",
        )

    def test_types(self) -> None:
        """Types are not guessed: no text for numbers, no numbers for switches."""
        for line, words in (
            ("switch = 1", "must be true or false, not 1"),
            ('switch = "yes"', 'must be true or false, not "yes"'),
            ("switch = 2026-01-01", "must be true or false, not 2026-01-01"),
            ("[part]\ncount = 2.5", "must be a whole number, not 2.5"),
            ("[part]\ncount = true", "must be a whole number, not true"),
            ("[part]\ntimeout = true", "must be a number, not true"),
            ("[part]\ntimeout = inf", "must be a number, not inf"),
            ("[part]\ntimeout = nan", "must be a number, not nan"),
            (f"[part]\ntimeout = 1{'0' * 400}", "must be a number"),
            ("[part]\ntimeout = 1e9", "no usable time"),
            ('[part]\nnames = "a"', 'must be a list, not "a"; write [ ] around it'),
            ("part = 1", "must be a table, not 1"),
            ("[[part]]\ncount = 1", "single brackets"),
            ("[item]\nname = 1", "double brackets"),
            ("item = [1]", "must be a table, not 1"),
        ):
            (mistake,) = self.mistakes(load, line)
            self.assertIn(words, mistake)

    def test_keys_stay_secret(self) -> None:
        """No message shows a key, whatever is wrong with it or its place."""
        for line, words in (
            ("primary_key = 12345678", "primary_key: must be text in quotes."),
            ('primary_key = ""', "is empty"),
            (f'primary_key = "{"k" * 257}"', "has 257 characters; use 256 at most"),
            (f'primary_key = "{KEY};"', "a semicolon"),
            (f'primary_key = " {KEY}"', "a blank at an end"),
            (f'primary_key = """{KEY}\n"""', "a line break"),
            (f'primary_ky = "{KEY}"', 'did you mean "primary_key"?'),
            (f'port = "{KEY}"', "not this text of 44 characters"),
        ):
            (mistake,) = self.mistakes(load, f'[[item]]\nname = "n"\n{line}\n')
            self.assertIn(words, mistake)
            self.assertNotIn("12345678", mistake)

    def test_open_to_others(self) -> None:
        """A file with secrets that others can read is refused, with the mend."""
        path = self.write("a.toml", '[[item]]\nname = "n"\nprimary_key = "k"', 0o644)
        (mistake,) = self.mistakes(load, path)
        self.assertEqual(
            mistake,
            "others can read it (mode 0644) and it holds secrets; "
            f"run: chmod 600 {path}",
        )

    def test_syntax(self) -> None:
        """A syntax error is named with its line and column."""
        for text, words in (
            ("a = 1\nb = = 2", "line 2, column 5: is no TOML: Invalid value"),
            ("a = [1,\n", "line 2, column 1: is no TOML:"),
            ("a = 1\na = 2", "line 2, column 6: is no TOML: Cannot overwrite"),
            ("[a\n", "line 1, column 3: is no TOML:"),
        ):
            (mistake,) = self.mistakes(load, text)
            self.assertIn(words, mistake)

    def test_no_text(self) -> None:
        """What is no text, or hopelessly nested, is said so."""
        (mistake,) = self.mistakes(load, self.write("a.toml", b"ab\xff"))
        self.assertEqual(mistake, "is not UTF-8 text (byte 3).")
        (mistake,) = self.mistakes(load, "a = " + "[" * 5000)
        self.assertEqual(mistake, "is nested too deeply to be a configuration.")

    def test_no_file(self) -> None:
        """A missing file and a folder are said to be that."""
        path = self.folder / "gone.toml"
        (mistake,) = self.mistakes(load, path)
        self.assertEqual(
            mistake, f'there is no file "{path}"; it was looked for at "{path}".'
        )
        (mistake,) = self.mistakes(load, self.folder)
        self.assertIn("is a folder", mistake)

    def test_a_bug_is_no_mistake(self) -> None:
        """What the code itself does wrong is not put on the user."""

        def broken(table: Item, source: Source) -> int:
            raise KeyError("no such thing")

        @frozen
        class Broken:
            item: int = field(metadata={})

        path = self.write("a.toml", '[item]\nname = "n"\n')
        builders = {int: (Item, broken)}
        self.assertRaises(KeyError, load_file, path, Broken, builders, {})


class OptionTests(ConfigTestCase):
    """The same from a command line."""

    def test_mistakes(self) -> None:
        """A mistake names the option."""
        raw = {"item": [{"name": "n", "port": "x"}]}
        error = self.assertRaises(ConfigError, load_options, raw, Whole, {}, {})
        self.assertEqual(
            str(error), 'command line: --port: must be a whole number, not "x".'
        )
