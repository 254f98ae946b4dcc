"""
Writes files whole or not at all, with their mode from the first moment.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import click
from attrs import frozen

from hybridconn.files import replace_file


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
            replace_file(folder / name, file.content, file.private)
    except OSError as error:
        raise click.ClickException(
            f"{folder} cannot be written: {error.strerror}."
        ) from None
