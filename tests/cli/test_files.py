"""Tests of L{hybridconn.cli.files}."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from unittest.mock import Mock

from click import ClickException
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.cli.files import NewFile, existing, write_files


class WriteFilesTests(SynchronousTestCase):
    """Files whole or not at all."""

    def setUp(self) -> None:
        self.folder = Path(self.mktemp()).absolute() / "a" / "b"

    def mode(self, path: Path) -> int:
        """The permissions of a file."""
        return stat.S_IMODE(path.stat().st_mode)

    def test_modes(self) -> None:
        """Secrets are for the owner only, whatever the umask allows."""
        before = os.umask(0)
        try:
            write_files(
                self.folder, {"key": NewFile(b"k"), "pem": NewFile(b"p", private=False)}
            )
        finally:
            os.umask(before)
        self.assertEqual(self.mode(self.folder), 0o700)
        self.assertEqual(self.mode(self.folder / "key"), 0o600)
        self.assertEqual(self.mode(self.folder / "pem"), 0o644)
        self.assertEqual((self.folder / "key").read_bytes(), b"k")

    def test_from_the_first_moment(self) -> None:
        """No moment shows a secret to others: the file is made with its mode."""
        made: list[int] = []
        real = os.open

        def spy(path: os.PathLike[str], flags: int, mode: int = 0o777) -> int:
            if flags & os.O_CREAT:
                made.append(mode)
                self.assertTrue(flags & os.O_EXCL)
            return real(path, flags, mode)

        self.patch(os, "open", spy)
        write_files(self.folder, {"key": NewFile(b"k")})
        self.assertEqual(made, [0o600])

    def test_replaces(self) -> None:
        """An old file is replaced with its mode; what a link points to is not."""
        self.folder.mkdir(parents=True)
        aside = self.folder.parent / "aside"
        aside.write_text("old")
        (self.folder / "link").symlink_to(aside)
        (self.folder / "open").write_text("old")
        (self.folder / "open").chmod(0o666)
        files = {"link": NewFile(b"new"), "open": NewFile(b"new")}
        self.assertEqual(existing(self.folder, files), ["link", "open"])
        write_files(self.folder, files)
        self.assertEqual(aside.read_text(), "old")
        self.assertFalse((self.folder / "link").is_symlink())
        self.assertEqual(self.mode(self.folder / "open"), 0o600)

    def test_failure(self) -> None:
        """When writing fails the old file is there, whole, and nothing beside it."""
        write_files(self.folder, {"key": NewFile(b"old")})
        self.patch(os, "fsync", Mock(side_effect=OSError(28, "No space left")))
        new = {"key": NewFile(b"new")}
        error = self.assertRaises(ClickException, write_files, self.folder, new)
        self.assertEqual(str(error), f"{self.folder} cannot be written: No space left.")
        self.assertEqual(os.listdir(self.folder), ["key"])
        self.assertEqual((self.folder / "key").read_bytes(), b"old")
