"""
Writes files whole or not at all, with their mode from the first moment.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import click
from attrs import frozen

#: What only the owner may read, and what others may too.
PRIVATE, PUBLIC = 0o600, 0o644


@frozen
class NewFile:
    """A file to be written; C{private} if it is for its owner only."""

    content: bytes
    private: bool = True


def existing(folder: Path, names: Mapping[str, NewFile]) -> list[str]:
    """Those names that are taken in a folder, by files or by anything else."""
    return [name for name in names if os.path.lexists(folder / name)]


def write_files(folder: Path, files: Mapping[str, NewFile]) -> None:
    """
    Write files into a folder, which is made for its owner only if it does not
    exist.  Files of the same names are replaced, each in one step.

    @raise click.ClickException: if a file cannot be written.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name, file in files.items():
            _write(folder / name, file)
    except OSError as error:
        raise click.ClickException(
            f"{folder} cannot be written: {error.strerror}."
        ) from None


def _write(path: Path, file: NewFile) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = os.open(beside, flags, PRIVATE if file.private else PUBLIC)
    try:
        with open(descriptor, "wb") as opened:
            opened.write(file.content)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
