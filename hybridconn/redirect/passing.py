"""A way that is in force for as long as some command runs."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from hybridconn.files import inside
from hybridconn.redirect.errors import not_written
from hybridconn.redirect.way import STATE, Names, Way


@contextmanager
def for_a_while(way: Way, names: Names) -> Iterator[None]:
    """
    Have a way in force, until the last of all processes that want it for a while has
    ended.  What one of them left that was killed goes with the next one.

    @raise RedirectError: it cannot be done.
    """
    folder = inside(way.root, STATE)
    try:
        folder.mkdir(0o755, parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise not_written(folder, error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        try:
            way.install(names, for_a_while=True)
            yield
        finally:
            if _is_last(descriptor):
                way.end_of_while()
    finally:
        os.close(descriptor)


def _is_last(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
