"""What a store fails with; apart from it, as a database's library is large."""

from __future__ import annotations


class StoreError(Exception):
    """The database cannot be used; the text says why, without a secret."""


class ChangeInDoubt(StoreError):
    """
    The database was lost while it kept a change: it may have, or not.  A look at it
    later tells.
    """
