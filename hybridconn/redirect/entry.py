"""
What stands at a path, as it can be put back: a file, a symbolic link or nothing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, evolve, frozen

from hybridconn.files import sync_folder

#: Whatever we write beside a file is called so until it takes its place.
_BESIDE = ".hybridconn-new"


@frozen
class Entry:
    """
    @ivar kind: C{file}, C{link} or C{none}.
    @ivar digest: SHA-256 of a file's content, in hexadecimal.
    @ivar link: where a link points to.
    @ivar attributes: the extended ones (xattr(7)), in hexadecimal.
    """

    kind: str
    digest: str = ""
    link: str = ""
    mode: int = 0
    owner: int = 0
    group: int = 0
    attributes: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def look(path: Path) -> Entry:
        """What stands there now."""
        try:
            found = path.lstat()
        except FileNotFoundError:
            return Entry("none")
        owner, group = found.st_uid, found.st_gid
        if stat.S_ISLNK(found.st_mode):
            return Entry("link", "", os.readlink(path), 0, owner, group)
        return Entry(
            "file",
            digest(path.read_bytes()),
            "",
            stat.S_IMODE(found.st_mode),
            owner,
            group,
            tuple(sorted(_attributes(path))),
        )

    def with_content(self, content: bytes) -> Entry:
        """A file like this one with other content; a new one is for all to read."""
        known = self if self.kind == "file" else new_file(0o644)
        return evolve(known, digest=digest(content))

    def to_json(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Entry:
        """
        @raise TypeError: that is none.
        """
        attributes = tuple((name, value) for name, value in values["attributes"])
        return Entry(**{**values, "attributes": attributes})


def new_file(mode: int) -> Entry:
    """A file of ours."""
    return Entry("file", mode=mode, owner=os.geteuid(), group=os.getegid())


def digest(content: bytes) -> str:
    """SHA-256, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def put(path: Path, entry: Entry, content: bytes, in_place: bool = False) -> None:
    """
    Have C{entry} stand at C{path}, in one step: at any time there is either what was
    there or what is to be there.

    @param content: of a file.
    @param in_place: write into the file that is there, which is no single step: for
        one that is a mount point, as in containers.
    @raise OSError: it cannot be written; nothing changed unless C{in_place}.
    """
    if entry.kind == "none":
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
        return
    if in_place:
        _write_in_place(path, content)
        return
    beside = beside_of(path)
    beside.unlink(missing_ok=True)
    try:
        if entry.kind == "link":
            os.symlink(entry.link, beside)
            os.lchown(beside, entry.owner, entry.group)
        else:
            _write_new(beside, entry, content)
        os.replace(beside, path)
    except OSError:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def beside_of(path: Path) -> Path:
    """Where the next content of a file is written."""
    return path.with_name(f".{path.name}{_BESIDE}")


def is_mount_point(error: OSError) -> bool:
    """Whether a file cannot be replaced because it is one."""
    return error.errno == errno.EBUSY


def _write_new(path: Path, entry: Entry, content: bytes) -> None:
    # Nobody else reads it before it has its owner and mode.
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "wb") as opened:
        opened.write(content)
        os.fchown(descriptor, entry.owner, entry.group)
        os.fchmod(descriptor, entry.mode)
        for name, value in entry.attributes:
            os.setxattr(descriptor, name, bytes.fromhex(value))
        opened.flush()
        os.fsync(descriptor)


def _write_in_place(path: Path, content: bytes) -> None:
    with path.open("r+b") as opened:
        opened.write(content)
        opened.truncate()
        opened.flush()
        os.fsync(opened.fileno())


def _attributes(path: Path) -> list[tuple[str, str]]:
    if not hasattr(os, "listxattr"):
        return []
    try:
        names = os.listxattr(path)
        return [(name, os.getxattr(path, name).hex()) for name in names]
    except OSError:
        return []  # a file system without any
