"""
The one-time address to which a listener comes for a sender, and the rejection
that it may hang onto it (relay-protocol sections 5.1 and 6.3).
"""

from __future__ import annotations

import re
from collections import Counter
from urllib.parse import quote, unquote_plus

from attrs import frozen

from hybridconn.core.refusals import BadRequest, Rejected
from hybridconn.core.route import ACTION, TRACKING_ID, EntityAddress, split_query
from hybridconn.core.tracking import TrackingId

CAPABILITY = "sb-hc-rendezvous"
"""The parameter with the secret; its prefix hides it from applications."""

_PREFIX = re.compile(r"^/(?:\$|%24)hc(?=/)", re.IGNORECASE)
_SAFE = re.compile(r"[A-Za-z0-9._-]+")
_STATUS = re.compile(r"[1-9][0-9]{2}")
_STATUS_CODE = "sb-hc-statuscode"
_STATUS_DESCRIPTION = "sb-hc-statusdescription"


def build_address(
    authority: str,
    secure: bool,
    path: str,
    passed_query: str,
    action: str,
    capability: str,
    tracking: TrackingId,
) -> str:
    """
    Write a rendezvous address.  The sender's path and query stand in it as they
    came, ours follow.

    @param authority: C{host[:port]} by which the listener reaches the relay.
    @param secure: C{wss} or C{ws}.
    @param path: the sender's, undecoded, beginning with a slash.
    @param passed_query: the sender's, undecoded, may be empty.
    @param action: C{"accept"} or C{"request"}.
    @param capability: the secret: letters, digits, C{-}, C{_} and C{.} only, as
        Java listeners fail on others.
    @raise ValueError: if C{action} or C{capability} has other characters.
    """
    if not _SAFE.fullmatch(capability) or not _SAFE.fullmatch(action):
        raise ValueError("only letters, digits, -, _ and . may stand in an address")
    ours = f"{ACTION}={action}&{TRACKING_ID}={tracking.guid}&{CAPABILITY}={capability}"
    query = f"{passed_query}&{ours}" if passed_query else ours
    return f"{'wss' if secure else 'ws'}://{authority}/$hc{path}?{query}"


def sender_target(address: str) -> str:
    """
    The path and query with which a sender came, of a rendezvous address.

    >>> sender_target("wss://r/$hc/hyco/a?x=1&sb-hc-action=accept&sb-hc-id=9")
    '/hyco/a?x=1'
    """
    resource = "/" + address.partition("://")[2].partition("/")[2]
    path, _, query = resource.partition("?")
    passed = split_query(query)[1]
    path = _PREFIX.sub("", path, count=1)
    return f"{path}?{passed}" if passed else path


def query_of(address: str) -> str:
    """The query of an address, to be kept for L{parse_rejection}."""
    return address.partition("?")[2]


def capability_of(address: EntityAddress) -> str | None:
    """The secret of a rendezvous address that a listener dialled."""
    return address.parameters.get(CAPABILITY) or None


@frozen
class Rejection:
    """
    A listener's no.

    @ivar status: 100 to 999, as the listener gave it.
    @ivar description: decoded; empty if there is none.
    """

    status: int
    description: str = ""

    @property
    def refusal(self) -> Rejected:
        """What the sender is answered."""
        return Rejected(self.status, self.description)


def parse_rejection(issued_query: str, dialled_query: str) -> Rejection | None:
    """
    See whether a listener came to reject.

    Old listeners use the names C{statusCode} and C{statusDescription}, which a
    sender may use as well; so these count only in what the listener added
    behind the parameters of ours.

    @param issued_query: the query of the address that was sent out.
    @param dialled_query: the query with which the listener came.
    @return: L{None} if it came to accept.
    @raise BadRequest: if the status is no integer from 100 to 999.
    """
    values = dict(split_query(dialled_query)[0])
    for piece in _appended(issued_query, dialled_query):
        name, _, value = piece.partition("=")
        values.setdefault("sb-hc-" + unquote_plus(name).lower(), unquote_plus(value))
    status = values.get(_STATUS_CODE)
    description = values.get(_STATUS_DESCRIPTION)
    if status is None and description is None:
        return None
    if status is None or not _STATUS.fullmatch(status):
        raise BadRequest("The status code is not an integer from 100 to 999")
    return Rejection(int(status), description or "")


def _appended(issued: str, dialled: str) -> list[str]:
    if dialled == issued:
        return []
    if dialled.startswith(issued + "&"):
        return dialled[len(issued) + 1 :].split("&")
    # The listener's library wrote the query anew: take what stands behind our
    # last parameter and was not in the query that we issued.
    pieces = dialled.split("&")
    ours = [n for n, piece in enumerate(pieces) if _is_ours(piece)]
    behind = pieces[ours[-1] + 1 :] if ours else []
    known = Counter(unquote_plus(piece) for piece in issued.split("&"))
    return [piece for piece in behind if unquote_plus(piece) not in known]


def _is_ours(piece: str) -> bool:
    return piece.partition("=")[0].lower() in (ACTION, TRACKING_ID, CAPABILITY)


def reject_address(address: str, status: int, description: str) -> str:
    """
    Write the address with which a listener rejects a sender.

    @param address: of the C{accept} command, as it came.
    @raise ValueError: if C{status} is not from 100 to 999.
    """
    if not 100 <= status <= 999:
        raise ValueError("the status is not from 100 to 999")
    joint = "&" if "?" in address else "?"
    return (
        f"{address}{joint}sb-hc-statusCode={status}"
        f"&sb-hc-statusDescription={quote(description, safe='')}"
    )
