"""Which hybridconn this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def own_version() -> str:
    """The version of what runs; C{0} if that was never installed."""
    try:
        return version("hybridconn")
    except PackageNotFoundError:  # run from a source tree that was not installed
        return "0"
