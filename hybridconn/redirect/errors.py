"""What keeps names from being redirected."""

from __future__ import annotations


class RedirectError(Exception):
    """It cannot be done; the text says why, and what mends it."""


def not_written(path: object, error: OSError) -> RedirectError:
    """The error for a file that cannot be changed."""
    why = error.strerror or "unknown error"
    return RedirectError(
        f"{path} cannot be written: {why}. Run this as root; where that changes "
        "nothing, the file system is read-only: use another --way, or hybridconn exec."
    )
