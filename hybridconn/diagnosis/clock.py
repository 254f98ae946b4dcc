"""This machine's clock beside the relay's."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Final

#: Seconds by which clocks may differ; tokens are good a little longer.
TOLERANCE: Final = 60.0


def compare_clocks(date: str, now: float) -> tuple[bool, str, str] | None:
    """
    @param date: of the relay's answer, as HTTP writes it.
    @param now: seconds since 1970-01-01 UTC.
    @return: whether that is well, what was found, and what to do; L{None} if the relay
        does not say what time it is.
    """
    try:
        there = parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return None
    ahead = there - now
    if abs(ahead) < TOLERANCE:
        return True, "as the relay's", ""
    words = f"{ahead:+.0f} s from the relay's"
    return False, words, "set this machine's clock; tokens depend on it"
