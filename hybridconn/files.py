"""
Files that are written whole or not at all, with their mode from the first moment.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path, PurePosixPath

#: What only the owner may read, and what others may too.
PRIVATE, PUBLIC = 0o600, 0o644
#: Links may lead in a circle.
_MOST_STEPS = 400


def replace_file(path: Path, content: bytes, private: bool = True) -> None:
    """
    Put C{content} into the place of a file, in one step: after a crash there is the
    old file or the new one.

    @param private: only its owner may read it.
    @raise OSError: it cannot be written; then the old file is as it was.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    descriptor = os.open(beside, flags, PRIVATE if private else PUBLIC)
    try:
        with open(descriptor, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(opened.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def remove_file(path: Path) -> None:
    """
    Remove a file, for good also if the machine stops at once.

    @raise OSError: it cannot be removed.
    """
    path.unlink()
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Have what changed in a folder's list of files on the disk."""
    if os.name == "nt":  # there a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def inside(root: Path, name: str) -> Path:
    """
    Where a path leads to if C{root} stands for C{/}: links in it do not lead out, as
    those of an image that is being prepared would.

    @param name: the path, below C{root}.
    """
    at, left = root, [*reversed(PurePosixPath(name).parts)]
    for _ in range(_MOST_STEPS):
        if not left:
            break
        part = left.pop()
        if part == "/":
            at = root
        elif part == "..":
            at = at if at == root else at.parent
        elif (at / part).is_symlink():
            left += reversed(PurePosixPath(os.readlink(at / part)).parts)
        else:
            at /= part
    return at.joinpath(*reversed(left))


#: By which a change of a file is noticed.
FileState = tuple[int, int, int]


def file_state(path: str | os.PathLike[str]) -> FileState | None:
    """How a file is now; L{None}: it is not there, or nobody can tell."""
    try:
        state = os.stat(path)
    except (OSError, ValueError):  # a name with a zero byte is a ValueError
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino
