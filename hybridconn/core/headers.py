"""The headers of a sender as its listener gets them (relay-protocol section 5.1)."""

from __future__ import annotations

import re

from hybridconn.core.http import RequestHead
from hybridconn.core.limits import Limits
from hybridconn.core.refusals import BadRequest, HeadersTooLarge

_SPECIAL = {
    name.lower(): name
    for name in (
        "Content-MD5",
        "DNT",
        "ETag",
        "Sec-WebSocket-Accept",
        "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Protocol",
        "Sec-WebSocket-Version",
        "ServiceBusAuthorization",
        "TE",
        "WWW-Authenticate",
    )
}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FORBIDDEN = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_DEFAULT_LIMITS = Limits()


def canonical_name(name: str) -> str:
    """
    Write a header's name in its usual case: some listeners look names up by
    exactly that.  A name of mixed case that is not among those that are
    special is left as it is.

    >>> canonical_name("sec-websocket-protocol"), canonical_name("x-my-app")
    ('Sec-WebSocket-Protocol', 'X-My-App')
    """
    special = _SPECIAL.get(name.lower())
    if special is not None:
        return special
    if name.islower() or name.isupper():
        return "-".join(part.capitalize() for part in name.split("-"))
    return name


def check_headers(head: RequestHead, limits: Limits = _DEFAULT_LIMITS) -> None:
    """
    Count and check the header fields of a request.

    @raise HeadersTooLarge: if there are too many or they are too long.
    @raise BadRequest: if a name is no token or a value has a control character.
    """
    if len(head.headers) > limits.max_headers:
        raise HeadersTooLarge("The request has too many header fields")
    total = 0
    for name, value in head.headers:
        size = len(name) + len(value) + 4  # the colon, a space and the line's end
        if size > limits.max_header_bytes:
            raise HeadersTooLarge("A header field of the request is too large")
        total += size
        if not _TOKEN.fullmatch(name) or _FORBIDDEN.search(value):
            raise BadRequest("A header field of the request is malformed")
    if total > limits.max_headers_bytes:
        raise HeadersTooLarge()


def connect_headers(
    head: RequestHead,
    limits: Limits = _DEFAULT_LIMITS,
    strip_authorization: bool = False,
) -> dict[str, str]:
    """
    Make the C{connectHeaders} of an C{accept}: all of the sender's headers but
    those that authorize at the relay, which are none of the listener's
    business (relay-protocol section 3.1).

    @param strip_authorization: whether C{Authorization} held the token that was
        evaluated.
    @return: canonical names; values of equal names joined.
    @raise HeadersTooLarge: see L{check_headers}.
    @raise BadRequest: see L{check_headers}.
    """
    check_headers(head, limits)
    kept: dict[str, str] = {}
    seen = set()
    for name, _ in head.headers:
        folded = name.lower()
        if folded in seen:
            continue
        seen.add(folded)
        if folded == "servicebusauthorization" or folded.startswith("sb-hc-"):
            continue
        if strip_authorization and folded == "authorization":
            continue
        kept[canonical_name(name)] = head.get(folded) or ""
    return kept
