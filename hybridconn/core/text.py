"""Text that goes into status lines, answers and logs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from http import HTTPStatus

MAX_REASON = 512
"""Most characters of a reason phrase (relay-protocol section 4)."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")


def printable(text: str, most: int = MAX_REASON) -> str:
    """
    Make one line of printable ASCII: line breaks and other controls become a
    space, what is not ASCII a question mark.

    @param most: characters; the rest is cut off.
    """
    return _NOT_ASCII.sub("?", _CONTROLS.sub(" ", text[: 2 * most]))[:most].strip()


def standard_phrase(status: int, otherwise: str = "") -> str:
    """The usual reason phrase of an HTTP status; C{otherwise} if there is none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return otherwise


def utc_text(when: float) -> str:
    """
    Write a time as ISO 8601 in UTC, to the second.

    >>> utc_text(1_900_000_000)
    '2030-03-17T17:46:40Z'

    @param when: seconds since 1970-01-01 UTC; what is beyond year 9999 is shown
        as its end, for a token may say so.
    """
    try:
        return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return "9999-12-31T23:59:59Z"
