"""
Header fields on their way through the relay: a sender's as its listener gets them
(relay-protocol sections 5.1 and 7.2), a listener's as the sender does (7.3).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from hybridconn.core.http import RequestHead
from hybridconn.core.limits import Limits
from hybridconn.core.refusals import BadRequest, HeadersTooLarge, ListenerFailed

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
_LENGTH = "content-length"
#: What the relay adds to the C{connectHeaders}: the name of the rule that let the
#: sender in.  A sender's own is dropped, from its HTTP requests as well.
RULE_HEADER = "HybridConn-Rule"
_RULE = RULE_HEADER.lower()

#: Sections 7.2 and 7.3, and RFC 9110 section 7.6.1.  The second part: what is between
#: a client and its proxy (reliability-security T12).
_HOP_BY_HOP = frozenset(
    {
        "close",
        "connection",
        _LENGTH,
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
    }
)


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
    rule_name: str = "",
) -> dict[str, str]:
    """
    Make the C{connectHeaders} of an C{accept}: all of the sender's headers but
    those that authorize at the relay, which are none of the listener's
    business (relay-protocol section 3.1).

    @param strip_authorization: whether C{Authorization} held the token that was
        evaluated.
    @param rule_name: the rule that let the sender in; empty: it needed none.
    @return: canonical names; values of equal names joined.
    @raise HeadersTooLarge: see L{check_headers}.
    @raise BadRequest: see L{check_headers}.
    """
    check_headers(head, limits)
    kept = _kept(head, frozenset({_RULE}), strip_authorization)
    headers = {canonical_name(name): head.get(name) or "" for name in kept}
    return headers | ({RULE_HEADER: rule_name} if rule_name else {})


def request_headers(
    head: RequestHead,
    via: str,
    limits: Limits = _DEFAULT_LIMITS,
    strip_authorization: bool = False,
) -> dict[str, str]:
    """
    Make the C{requestHeaders} of a C{request}: all that is for more than one hop,
    and the relay in C{Via} (relay-protocol section 7.2).

    @param via: the relay's name.
    @param strip_authorization: whether C{Authorization} held the token that was
        evaluated.
    @return: names as they were sent; values of equal names joined.
    @raise HeadersTooLarge: see L{check_headers}.
    @raise BadRequest: see L{check_headers}.
    """
    check_headers(head, limits)
    headers = end_to_end(head, strip_authorization)
    kept = {
        name: text
        for name, text in headers.items()
        if name.lower() not in ("via", _RULE)
    }
    return kept | {"Via": _with_via(head.get_all("via"), via)}


def end_to_end(head: RequestHead, strip_authorization: bool = False) -> dict[str, str]:
    """
    The fields of a request that are for more than one hop, without those that
    authorize at a relay.

    @return: names as they were sent; values of equal names joined.
    """
    dropped = _HOP_BY_HOP | {"expect"} | _named_in(head.get_all("connection"))
    kept = _kept(head, dropped, strip_authorization)
    return {name: head.get(name) or "" for name in kept}


def response_headers(
    headers: Iterable[tuple[str, str]], via: str | None
) -> list[tuple[str, str]]:
    """
    Make the fields of an answer of those that a listener gave (relay-protocol
    section 7.3): what is for one hop is left out, the relay is added to C{Via}.

    @param via: the relay's name; L{None} to leave C{Via} alone.
    @return: each value as ISO 8859-1; what is beyond that becomes the octets of
        UTF-8.
    @raise ListenerFailed: a name is no token, or a value has a control character:
        it could split the answer in two.
    """
    headers = list(headers)
    dropped = _HOP_BY_HOP | _named_in(
        value for name, value in headers if name.lower() == "connection"
    )
    kept = []
    passed: list[str] = []
    for name, value in headers:
        if not _TOKEN.fullmatch(name) or _FORBIDDEN.search(value):
            raise ListenerFailed("The listener's response has a malformed header field")
        if via is not None and name.lower() == "via":
            passed.append(value)
        elif name.lower() not in dropped:
            kept.append((name, _octets(value.strip(" \t"))))
    if via is not None:
        kept.append(("Via", _octets(_with_via(passed, via))))
    return kept


def content_length(headers: Iterable[tuple[str, str]]) -> int | None:
    """The C{Content-Length} among C{headers}; L{None} if it is not there or wrong."""
    values = {value.strip() for name, value in headers if name.lower() == _LENGTH}
    text = values.pop() if len(values) == 1 else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _kept(
    head: RequestHead, dropped: frozenset[str] | set[str], strip_authorization: bool
) -> Iterator[str]:
    """The names of the fields that go on, each once, as it was first written."""
    seen = {"servicebusauthorization", *dropped}
    if strip_authorization:
        seen.add("authorization")
    for name, _ in head.headers:
        folded = name.lower()
        if folded not in seen and not folded.startswith("sb-hc-"):
            seen.add(folded)
            yield name


def _named_in(connection: Iterable[str]) -> set[str]:
    """The fields that C{Connection} says are for this hop."""
    # Host, Via and the tokens have rules of their own.
    names = {one.strip().lower() for value in connection for one in value.split(",")}
    return names - {"host", "via", ""}


def _with_via(before: Iterable[str], host: str) -> str:
    passed = (value.strip(" \t") for value in before)
    return ", ".join([*filter(None, passed), f"1.1 {host}"])


def _octets(value: str) -> str:
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8", "replace").decode("latin-1")
    return value
