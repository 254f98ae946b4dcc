"""Answers in bytes, and refusals as answers: what the relay says before a 101."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from email.utils import formatdate
from typing import Final

import h11

from hybridconn.core.http import RequestHead
from hybridconn.core.refusals import Refusal, describe
from hybridconn.core.text import printable
from hybridconn.core.tracking import TrackingId

TRACKING_HEADER: Final = "TrackingId"

Headers = Sequence[tuple[str, str]]

#: A segment of an entity's path.
_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]*")
#: RFC 9110 section 8.6: no length may stand in these.
_BODILESS: Final = (204, 304)


def render(
    http: h11.Connection,
    status: int,
    reason: str,
    headers: Headers,
    body: bytes,
    *,
    head: RequestHead | None,
    close: bool,
    now: float,
) -> bytes:
    """
    Write one whole answer.

    @param http: keeps account of the connection.
    @param head: the request; L{None} if it could not be read.
    @param close: whether to say that the connection ends with this answer.
    @param now: seconds since 1970-01-01 UTC.
    @raise h11.LocalProtocolError: status or header fields are not possible in
        HTTP: a mistake of the caller.
    """
    fields = [("Date", formatdate(now, usegmt=True)), *headers]
    if status not in _BODILESS:
        fields.append(("Content-Length", str(len(body))))
    if close:
        fields.append(("Connection", "close"))
    events: list[h11.Event] = [
        h11.Response(
            status_code=status,
            reason=printable(reason).encode("ascii"),
            headers=[
                (name.encode(), value.encode("latin-1")) for name, value in fields
            ],
        )
    ]
    if body and status not in _BODILESS and (head is None or head.method != "HEAD"):
        events.append(h11.Data(data=body))
    events.append(h11.EndOfMessage())
    return b"".join(http.send(event) or b"" for event in events)


def refusal_answer(
    refusal: Refusal, tracking: TrackingId, head: RequestHead | None, now: float
) -> tuple[int, str, Headers, bytes]:
    """
    Turn a refusal into an answer: its status, reason phrase, fields and body.

    Its words are the reason phrase, which most clients show, and the body,
    which is all that some do (relay-protocol section 4).

    @param head: the request; L{None} if it could not be read.
    @param now: seconds since 1970-01-01 UTC.
    """
    host, path = ("", "") if head is None else (head.host, _shown_path(head.target))
    text = describe(refusal, tracking, host, path, now)
    headers = (
        (TRACKING_HEADER, str(tracking)),
        ("Content-Type", "text/plain; charset=utf-8"),
        *refusal.headers,
    )
    return refusal.status, text, headers, text.encode("ascii")


def _shown_path(target: str) -> str:
    """
    The path without what may hold a token, and without C{/$hc}.

    Senders write these words into their logs.  No token is without a character
    that no entity's path has; what follows the first of them is left out.
    """
    segments = target.partition("?")[0].strip("/").split("/")
    if segments[0].lower() in ("$hc", "%24hc"):
        del segments[0]
    shown = list(itertools.takewhile(_PLAIN.fullmatch, segments))
    return "/".join(shown if len(shown) == len(segments) else [*shown, "..."])
