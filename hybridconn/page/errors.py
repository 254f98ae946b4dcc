"""What an admin port says no with, before there is an answer to make of it."""

from __future__ import annotations


class CannotDo(Exception):
    """
    Something cannot be done; the text says why and how to mend it.

    @ivar code: for programs.
    """

    status = 400
    code = "BadRequest"
