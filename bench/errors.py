"""What can go wrong with a measurement."""

from __future__ import annotations


class BenchError(Exception):
    """A measurement cannot be made; the text says why."""


class Missing(BenchError):
    """A program is not there; the text names it and its mend."""
