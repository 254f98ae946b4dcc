"""What keeps names from being redirected."""

from __future__ import annotations

import errno


class RedirectError(Exception):
    """It cannot be done; the text says why, and what mends it."""


def not_written(path: object, error: OSError) -> RedirectError:
    """The error for a file that cannot be changed."""
    why = error.strerror or "unknown error"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RedirectError(f"{path} cannot be written: {why}. Make room there.")
    return RedirectError(
        f"{path} cannot be written: {why}. Run this as root; where that changes "
        "nothing, the file system is read-only or the file immutable (see lsattr): use "
        "another --way, or hybridconn exec."
    )
