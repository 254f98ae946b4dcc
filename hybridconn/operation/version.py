"""Which hybridconn this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """Of this program."""
    try:
        return version("hybridconn")
    except PackageNotFoundError:  # run from a source tree that was not installed
        return "unknown"
