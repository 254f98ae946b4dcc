"""A copy of a SQLite store, made while it is used."""

from __future__ import annotations

import os
import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

from hybridconn.stores.errors import StoreError


def copy_sqlite(path: str, copy: str) -> None:
    """
    Write a copy, whole or not at all, for its owner only.

    @raise StoreError: C{path} is no store, or C{copy} is there or cannot be written.
    """
    target = Path(copy)
    if os.path.lexists(target):
        raise StoreError(f"{copy} is there already; name another")
    beside = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            _copy(Path(path), beside)
            os.rename(beside, target)
            _sync(target.parent)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{copy} cannot be written: {error.strerror}") from None
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be copied: {error}") from None


def _copy(path: Path, target: Path) -> None:
    # Not "ro": that could not read what is in the log of a relay that was killed.
    with closing(
        sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True)
    ) as it:
        it.execute("PRAGMA busy_timeout=10000")
        with closing(sqlite3.connect(target)) as there:
            it.backup(there)
    _sync(target)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
