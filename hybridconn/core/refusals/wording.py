"""A refusal in words, for the wire."""

from __future__ import annotations

from hybridconn.core.refusals.base import Refusal
from hybridconn.core.refusals.beyond import Rejected
from hybridconn.core.text import printable, utc_text


def describe(
    refusal: Refusal, tracking: object, host: str, path: str, now: float
) -> str:
    """
    Word a refusal for the reason phrase and the body of the answer
    (relay-protocol section 4).  A listener's rejection is passed on verbatim.

    @param tracking: the request's tracking id.
    @param host: by which the relay was reached.
    @param path: of the request, without query.
    @param now: seconds since 1970-01-01 UTC.
    @return: one line of printable ASCII, at most
        L{hybridconn.core.text.MAX_REASON} characters.
    """
    if isinstance(refusal, Rejected):
        return refusal.sentence
    sentence = printable(refusal.sentence, 200).rstrip(".")
    place = printable(f"{host}/{path.lstrip('/')}", 200)
    return printable(
        f"{sentence}. TrackingId:{tracking}, SystemTracker:sb://{place}, "
        f"Timestamp:{utc_text(now)}"
    )
