"""Tests of L{hybridconn.config.secrets}."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import Mock

from hybridconn.config.mistakes import Mistake
from hybridconn.config.secrets import (
    Source,
    carries_secrets,
    connection_string,
    read_bytes,
)
from tests.config.case import KEY, STRING, ConfigTestCase


class SecretsTestCase(ConfigTestCase):
    """With a source in the folder."""

    def source(self) -> Source:
        """A configuration file in the folder."""
        return Source("some.toml", self.folder, self.environ)

    def text(self, error: Mistake) -> str:
        """The mistake's text, which never has the key in it."""
        self.assertNotIn(KEY, error.text)
        self.assertNotIn(KEY, repr(error))
        return error.text


class ReadBytesTests(SecretsTestCase):
    """Files that a configuration names."""

    def test_from_the_folder(self) -> None:
        """A relative name is looked up from the configuration's folder."""
        self.write("a", "text")
        self.assertEqual(read_bytes("a", self.source(), private=True), b"text")
        whole = str(self.folder / "a")
        elsewhere = Source("some.toml", Path("/"), {})
        self.assertEqual(read_bytes(whole, elsewhere, private=True), b"text")

    def test_open_to_others(self) -> None:
        """A file with secrets is refused in any mode that lets others in."""
        for mode in (0o604, 0o640, 0o620, 0o601, 0o666, 0o755):
            path = self.write("my secret", "text", mode)
            error = self.assertRaises(
                Mistake, read_bytes, "my secret", self.source(), private=True
            )
            self.assertIn(f"(mode {mode:04o})", error.text)
            self.assertTrue(error.text.endswith(f"run: chmod 600 '{path}'"))
            self.assertEqual(
                read_bytes("my secret", self.source(), private=False), b"text"
            )

    def test_owner_only(self) -> None:
        """Modes that keep others out are fine."""
        for mode in (0o600, 0o400, 0o700):
            self.write("a", "text", mode)
            self.assertEqual(read_bytes("a", self.source(), private=True), b"text")

    def test_systemd_credentials(self) -> None:
        """Systemd's credentials show a mode of 0440, and nobody else can get there."""
        self.write("a", "text", 0o440)
        self.environ["CREDENTIALS_DIRECTORY"] = str(self.folder)
        self.assertEqual(read_bytes("a", self.source(), private=True), b"text")
        self.environ["CREDENTIALS_DIRECTORY"] = str(self.folder.parent)
        self.assertRaises(Mistake, read_bytes, "a", self.source(), private=True)

    def test_unreadable(self) -> None:
        """What cannot be read is said in words."""
        (self.folder / "folder").mkdir()
        self.write("large", b"x" * (1024 * 1024 + 1))
        for name, words in (
            (
                "gone",
                f'there is no file "gone"; it was looked for at "{self.folder}/gone"',
            ),
            ("folder", "is a folder"),
            ("", "name is empty"),
            ("a\0b", "name is empty"),
            ("large", "more than 1 MiB"),
            ("x" * 300, "cannot be read"),
            (STRING, "this is a connection string, not the name of a file"),
        ):
            error = self.assertRaises(
                Mistake, read_bytes, name, self.source(), private=True
            )
            self.assertIn(words, self.text(error))

    def test_forbidden(self) -> None:
        """A file that this user may not read is said to be one."""
        self.write("a", "text", 0o000)
        if os.geteuid() == 0:
            # Nothing is forbidden to root.
            refuse = Mock(side_effect=PermissionError(13, "Permission denied"))
            self.patch(Path, "open", refuse)
        error = self.assertRaises(Mistake, read_bytes, "a", self.source(), private=True)
        self.assertIn('this user may not read "a"', error.text)


class ConnectionStringTests(SecretsTestCase):
    """One of three keys leads to the connection string."""

    def test_each_way(self) -> None:
        """File, environment and the text itself give the same."""
        self.write("file", f"\ufeff{STRING}\n")
        self.environ["VARIABLE"] = STRING
        for table in (
            {"connection_string": STRING},
            {"connection_string_file": "file"},
            {"connection_string_env": "VARIABLE"},
        ):
            found = connection_string(table, self.source())
            self.assertEqual(
                (found.host, found.entity_path), ("relay.example.net", "db")
            )

    def test_exactly_one(self) -> None:
        """None is a mistake, and so are two."""
        error = self.assertRaises(Mistake, connection_string, {}, self.source())
        self.assertEqual(error.path, ("connection_string_file",))
        self.assertIn("is missing", error.text)
        table = {"connection_string": STRING, "connection_string_env": "X"}
        error = self.assertRaises(Mistake, connection_string, table, self.source())
        self.assertEqual(error.path, ("connection_string",))
        self.assertIn("one too many beside connection_string_env", error.text)

    def test_what_is_wrong(self) -> None:
        """The key, and the part of the string, are named; its text is not."""
        self.write("open", STRING, 0o644)
        self.write("broken", STRING.replace("Endpoint=sb", "Endpoint=ftp"))
        self.write("binary", b"\xff\xfe")
        for key, value, words in (
            ("connection_string", 5, "must be text in quotes, not 5"),
            (
                "connection_string",
                STRING.partition(";EntityPath")[0],
                "EntityPath is missing",
            ),
            ("connection_string", KEY, "part 1 is not one of"),
            ("connection_string_env", "GONE", 'has no variable "GONE"'),
            ("connection_string_file", "gone", 'no file "gone"'),
            ("connection_string_file", "open", "chmod 600"),
            ("connection_string_file", "broken", '"broken" holds no usable'),
            ("connection_string_file", "binary", "is not UTF-8"),
        ):
            error = self.assertRaises(
                Mistake, connection_string, {key: value}, self.source()
            )
            self.assertEqual(error.path, (key,))
            self.assertIn(words, self.text(error))


class CarriesSecretsTests(SecretsTestCase):
    """Whether a file must be for its owner only."""

    def test_deep(self) -> None:
        """Keys are found wherever they stand; names of files are none."""
        self.assertTrue(carries_secrets({"a": [{"b": {"primary_key": 1}}]}))
        self.assertTrue(carries_secrets({"forward": [{"connection_string": ""}]}))
        self.assertFalse(
            carries_secrets({"forward": [{"connection_string_file": "x"}], "key": "y"})
        )
