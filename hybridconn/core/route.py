"""
What a request wants: the only place where C{sb-hc-*} parameters are read
(relay-protocol section 2).
"""

from __future__ import annotations

import enum
import re
from typing import NamedTuple
from urllib.parse import unquote_plus

from attrs import field, frozen

from hybridconn.core.http import (
    RequestHead,
    names_host,
    origin_form,
    split_authority,
)
from hybridconn.core.names import MAX_ENTITY_PATH, decode_path
from hybridconn.core.refusals import (
    BadRequest,
    MethodNotAllowed,
    PathInvalid,
    VersionNotSupported,
)

ACTION = "sb-hc-action"
TRACKING_ID = "sb-hc-id"
TOKEN = "sb-hc-token"
TOKEN_HEADER = "ServiceBusAuthorization"

_OURS = "sb-hc-"
_PREFIX = re.compile(r"/(?:\$|%24)hc(?=/|$)", re.IGNORECASE)
_TARGET = re.compile(r"[\x21\x22\x24-\x7e]+")  # printable ASCII without space and #
_KEY = re.compile(r"[A-Za-z0-9+/]{22}==")


def split_query(raw_query: str) -> tuple[dict[str, str], str]:
    """
    Part the protocol's own parameters from the caller's.

    >>> split_query("a=%2B&sb-hc-action=connect&&b&sb-hc-x")
    ({'sb-hc-action': 'connect'}, 'a=%2B&&b&sb-hc-x')

    @return: the C{sb-hc-*} parameters with names in lower case and values
        decoded, the first of equal names; and the rest of the query byte for
        byte.  A name without C{=} is no parameter of ours.
    """
    ours: dict[str, str] = {}
    passed = []
    for piece in raw_query.split("&"):
        name, equals, value = piece.partition("=")
        if equals:
            folded = (unquote_plus(name) if "%" in name else name).lower()
            if folded.startswith(_OURS):
                ours.setdefault(folded, unquote_plus(value))
                continue
        passed.append(piece)
    return ours, "&".join(passed)


@frozen
class EntityAddress:
    """
    The target of a request, taken apart.

    @ivar raw_path: entity and suffix, undecoded, beginning with a slash,
        without the C{/$hc} in front.
    @ivar segments: the path's decoded segments.
    @ivar raw_query: as received; L{None} if there is no question mark.
    @ivar parameters: the C{sb-hc-*} ones, see L{split_query}.
    @ivar passed_query: what is left of the query for the listener; may be
        empty.
    """

    raw_path: str
    segments: tuple[str, ...]
    raw_query: str | None = field(default=None, repr=False)
    parameters: dict[str, str] = field(factory=dict, repr=False)
    passed_query: str = field(default="", repr=False)

    @property
    def path(self) -> str:
        """The decoded path without slashes at its ends, for logs and answers."""
        return "/".join(self.segments)

    @property
    def sb_hc_id(self) -> str | None:
        """The caller's own name for the request, if any."""
        return self.parameters.get(TRACKING_ID) or None


@frozen
class Route:
    """What a request wants, one subclass for each."""

    address: EntityAddress


@frozen
class Listen(Route):
    """A listener opens its control channel."""


@frozen
class Connect(Route):
    """A sender opens a WebSocket."""


@frozen
class Accept(Route):
    """A listener comes for a sender, or rejects it."""


@frozen
class RequestRendezvous(Route):
    """A listener opens a WebSocket for one HTTP request."""


@frozen
class HttpRequest(Route):
    """A sender's plain HTTP request."""


_BY_ACTION: dict[str, type[Route]] = {
    "listen": Listen,
    "connect": Connect,
    "accept": Accept,
    "request": RequestRendezvous,
}


def classify(head: RequestHead) -> Route:
    """
    Say what a request wants.  Nothing is looked up: whether the entity exists
    is not asked here.

    @raise BadRequest: the target, the C{Host} field, the action or the
        WebSocket handshake is malformed.
    @raise PathInvalid: the path can be no entity's (reliability-security T5).
    @raise MethodNotAllowed: C{CONNECT}, or a WebSocket without C{GET}.
    @raise VersionNotSupported: a WebSocket version other than 13.
    """
    if head.method == "CONNECT":
        raise MethodNotAllowed("GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH")
    try:
        split_authority(head.authority)
    except ValueError as error:
        raise BadRequest(f"The Host header field is wrong: {error}") from None
    if not names_host(head.target, head.authority):
        # One of the two would be believed here, the other one elsewhere.
        raise BadRequest("The Host header field and the request target differ")
    websocket = head.wants_websocket
    address, prefixed = _address(head.target)
    if not websocket:
        if prefixed:
            raise BadRequest("A WebSocket upgrade is needed for this address")
        return HttpRequest(address)
    _check_upgrade(head)
    kind = _BY_ACTION.get(address.parameters.get(ACTION, "connect").lower())
    if kind is None:
        raise BadRequest("The sb-hc-action is unknown")
    if not address.segments:
        raise PathInvalid("The address names no endpoint")
    if kind is Listen and len(address.path) > MAX_ENTITY_PATH:
        raise PathInvalid("The path is too long for any endpoint")
    return kind(address)


def _address(target: str) -> tuple[EntityAddress, bool]:
    if not _TARGET.fullmatch(target):
        raise BadRequest("The request target has characters that must be escaped")
    try:
        target = origin_form(target)
    except ValueError:
        raise BadRequest("The request target is not a path") from None
    raw_path, question, raw_query = target.partition("?")
    prefix = _PREFIX.match(raw_path)
    if prefix is not None:
        raw_path = raw_path[prefix.end() :] or "/"
    try:
        segments = decode_path(raw_path)
    except ValueError as error:
        raise PathInvalid(f"The address is invalid: {error}") from None
    if not question:
        return EntityAddress(raw_path, segments), prefix is not None
    parameters, passed = split_query(raw_query)
    address = EntityAddress(raw_path, segments, raw_query, parameters, passed)
    return address, prefix is not None


def _check_upgrade(head: RequestHead) -> None:
    if head.method != "GET":
        raise MethodNotAllowed("GET")
    if head.version != "1.1":
        raise BadRequest("A WebSocket needs HTTP/1.1")
    # Only what HTTP calls blanks may stand around a value: the key goes on to
    # another parser as it is.
    if (head.get("sec-websocket-version") or "").strip(" \t") != "13":
        raise VersionNotSupported()
    if not _KEY.fullmatch((head.get("sec-websocket-key") or "").strip(" \t")):
        raise BadRequest("The Sec-WebSocket-Key is missing or wrong")


# --- the token ---------------------------------------------------------------


class TokenSource(enum.Enum):
    """Where a token was found."""

    NONE = "none"
    QUERY = TOKEN
    SERVICE_BUS_HEADER = TOKEN_HEADER
    AUTHORIZATION_HEADER = "Authorization"


class FoundToken(NamedTuple):
    """A token as it came, and where it was."""

    token: str | None
    source: TokenSource

    def __repr__(self) -> str:
        return f"FoundToken(…, {self.source})"


def token_from(
    head: RequestHead, address: EntityAddress, websocket: bool
) -> FoundToken:
    """
    Find the one token that counts (relay-protocol section 3.1): a bad one is
    not rescued by a good one in another place.

    @param websocket: whether the header comes before the query.
    """
    query = (address.parameters.get(TOKEN), TokenSource.QUERY)
    header = (head.get(TOKEN_HEADER), TokenSource.SERVICE_BUS_HEADER)
    last = (head.get("Authorization"), TokenSource.AUTHORIZATION_HEADER)
    order = (header, query, last) if websocket else (query, header, last)
    for token, source in order:
        if token:
            return FoundToken(token, source)
    return FoundToken(None, TokenSource.NONE)


def find_token(
    head: RequestHead, address: EntityAddress, websocket: bool = True
) -> str | None:
    """The token alone that L{token_from} finds."""
    return token_from(head, address, websocket).token
