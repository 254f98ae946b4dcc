"""Refusals as answers: what the relay itself says instead of what was asked for."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Sequence
from typing import Final

from hybridconn.core.http import RequestHead
from hybridconn.core.refusals import Refusal, describe
from hybridconn.core.tracking import TrackingId

TRACKING_HEADER: Final = "TrackingId"

Headers = Sequence[tuple[str, str]]
#: Makes status, reason phrase, fields and body of a refusal; see L{refusal_answer}.
RefusalAnswer = Callable[
    [Refusal, TrackingId, RequestHead | None, float], tuple[int, str, Headers, bytes]
]

#: A segment of an entity's path.
_PLAIN: Final = re.compile(r"[A-Za-z0-9._-]*")


def refusal_answer(
    refusal: Refusal, tracking: TrackingId, head: RequestHead | None, now: float
) -> tuple[int, str, Headers, bytes]:
    """
    Turn a refusal into an answer: its status, reason phrase, fields and body.

    Its words are the reason phrase, which most clients show, and the body,
    which is all that some do (relay-protocol section 4).  A plain HTTP request gets
    them as JSON (section 7.5).

    @param head: the request; L{None} if it could not be read.
    @param now: seconds since 1970-01-01 UTC.
    """
    host, path = ("", "") if head is None else (head.host, _shown_path(head.target))
    text = describe(refusal, tracking, host, path, now)
    body, kind = text, "text/plain; charset=utf-8"
    if head is None or not head.wants_websocket:
        kind = "application/json"
        body = json.dumps({"code": refusal.status, "message": text})
    headers = (
        (TRACKING_HEADER, str(tracking)),
        ("Content-Type", kind),
        *refusal.headers,
    )
    return refusal.status, text, headers, body.encode("ascii")


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
