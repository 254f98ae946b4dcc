"""How many files, connections among them, this process may have open."""

from __future__ import annotations

import math
import sys

if sys.platform != "win32":
    import resource


def most_open_files() -> float:
    """The limit of now; infinite where there is none."""
    if sys.platform == "win32":
        return math.inf
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return math.inf if most == resource.RLIM_INFINITY else most
