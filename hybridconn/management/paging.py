"""Lists that come in pages (management-api section 5)."""

from __future__ import annotations

import base64
import bisect
from collections.abc import Sequence

from hybridconn.core.names import fold
from hybridconn.core.resources import Key
from hybridconn.management.errors import ApiError, bad_request

PAGE = 100
_BETWEEN = "\x1f"


def page_of(
    keys: Sequence[Key], marker: str | None, siblings: bool
) -> tuple[Sequence[Key], str]:
    """
    One page, and the marker of the next.

    @param keys: all of them, in order.
    @param siblings: whether they differ in their last name only.
    @param marker: of the page; L{None} is the first.
    @return: the marker is empty behind the last page.
    @raise ApiError: 400, it is no marker of ours.
    """
    start = 0
    if marker is not None:
        last = decode(marker)
        same = len(keys[0]) - 1 if siblings and keys else 0
        if keys and (len(last) != len(keys[0]) or last[:same] != keys[0][:same]):
            raise _unknown()
        start = bisect.bisect_right(keys, last)
    page = keys[start : start + PAGE]
    more = start + PAGE < len(keys)
    return page, _encode(page[-1]) if more else ""


def _encode(key: Key) -> str:
    text = _BETWEEN.join(key).encode("utf-8")
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode("ascii")


def decode(marker: str) -> Key:
    """
    The last key of the page before that of a marker.

    @raise ApiError: 400, it is no marker of ours.
    """
    try:
        padded = marker + "=" * (-len(marker) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("utf-8")
    except ValueError:
        raise _unknown() from None
    key = tuple(text.split(_BETWEEN))
    # Names are in the form in which they are compared, and there is one way to write
    # each marker.
    if _encode(tuple(map(fold, key))) != marker or not key[-1]:
        raise _unknown()
    return key


def _unknown() -> ApiError:
    return bad_request("'$skiptoken' is none that this server gave.")
