"""
Every "no" of the relay: which status it has and what it says.

::

    Refusal
      BadRequest 400             PathInvalid
      Unauthorized 401           TokenMissing TokenMalformed TokenInvalid TokenExpired
                                 AddressRefused
      Forbidden 403              WrongAudience ClaimMissing ListenerQuota
                                 RendezvousUnknown TLSTooOld
      NotFound 404               EndpointNotFound NoListeners ListenersExcluded
                                 AcceptTimedOut
      MethodNotAllowed 405, RequestTimedOut 408, RejectionTaken 410, TargetTooLong 414,
      MisdirectedRequest 421, VersionNotSupported 426, HeadersTooLarge 431,
      InternalError 500
      NotImplementedHere 501, a listener's
      BadGateway 502             NobodyListens ListenerFailed
      GatewayTimeout 504         ResponseTimedOut RendezvousTimedOut TargetTimedOut
      Later                      TooManyRequests 429
        Unavailable 503          ConnectionQuota TooManyPending ShuttingDown
                                 EndedByOperator
      Rejected                   400 to 999: the listener's own words

Statuses and sentences are those of relay-protocol section 4.  L{describe} words
a refusal for the wire.
"""

from __future__ import annotations

import math
from typing import ClassVar

from attrs import field, frozen

from hybridconn.core.entities import Claim
from hybridconn.core.text import printable, standard_phrase, utc_text

MAX_DESCRIPTION = 500
"""Most characters of a listener's own words (reliability-security T11)."""

Headers = tuple[tuple[str, str], ...]


class Refusal(Exception):
    """
    The relay says no.  Raised by the core and by services, turned into HTTP in
    one place.
    """

    _status: ClassVar[int]
    _sentence: ClassVar[str] = "{0.detail}"  # fields of the refusal may stand in it
    _headers: ClassVar[Headers] = ()

    @property
    def status(self) -> int:
        """The HTTP status of the answer."""
        return self._status

    @property
    def sentence(self) -> str:
        """What is wrong, for people, without a full stop at its end."""
        return self._sentence.format(self)

    @property
    def logged(self) -> str:
        """What the log says: the same, unless it is more than the client may know."""
        return self.sentence

    @property
    def headers(self) -> Headers:
        """Header fields that belong to the answer."""
        return self._headers

    def __str__(self) -> str:
        return self.sentence


@frozen
class Later(Refusal):
    """
    Not now.

    @ivar retry_after: seconds.
    """

    retry_after: float = field(default=10.0, kw_only=True)

    @property
    def headers(self) -> Headers:
        """When to come back."""
        return (("Retry-After", str(max(1, math.ceil(self.retry_after)))),)


@frozen
class BadRequest(Refusal):
    """The request is not one of this protocol."""

    _status = 400
    detail: str = "The request is malformed"


@frozen
class PathInvalid(BadRequest):
    """The path can be no endpoint's (reliability-security T5)."""


class Unauthorized(Refusal):
    """No token that would open anything."""

    _status = 401


@frozen
class TokenMissing(Unauthorized):
    """The request carries no token but needs one."""

    _sentence = "The token is missing"


@frozen
class TokenMalformed(Unauthorized):
    """
    The token cannot be read.

    @ivar detail: what is wrong with it; never a part of it.
    """

    _sentence = "The token is malformed: {0.detail}"
    detail: str = "it cannot be read"


@frozen
class TokenInvalid(Unauthorized):
    """
    The signature is wrong or there is no such rule: one answer for both, so
    that names of rules cannot be found out.
    """

    _sentence = "The token has an invalid signature"


@frozen
class TokenExpired(Unauthorized):
    """
    The token was good once.

    @ivar expires_at: seconds since 1970-01-01 UTC.
    """

    _sentence = "The token is expired. Expiration time: '{0.expiry}'"
    expires_at: float

    @property
    def expiry(self) -> str:
        """When it ended, for people."""
        return utc_text(self.expires_at)


@frozen
class AddressRefused(Unauthorized):
    """
    The namespace may not be reached from this address; the answer does not say so
    (product-behaviour section 6).

    @ivar namespace: its name.
    """

    _sentence = "The request is not authorized"
    namespace: str

    @property
    def logged(self) -> str:
        """Which rules say so."""
        return f"the network rules of {self.namespace} do not have this address"


class Forbidden(Refusal):
    """Known, but not for this."""

    _status = 403


@frozen
class WrongAudience(Forbidden):
    """The token is good, but for another resource."""

    _sentence = "The token is not valid for this endpoint"


@frozen
class ClaimMissing(Forbidden):
    """The token's rule does not give the right that is needed."""

    _sentence = "Authorization failed for specified action: {0.claim.value}"
    claim: Claim


@frozen
class ListenerQuota(Forbidden):
    """The hybrid connection has all the listeners that it may have."""

    _sentence = "Listener quota exceeded: an endpoint may have {0.limit} listeners"
    limit: int


@frozen
class RendezvousUnknown(Forbidden):
    """No sender waits behind this address: it was used, is too late or made up."""

    _sentence = "The rendezvous address is unknown, expired or already used"


@frozen
class TLSTooOld(Forbidden):
    """
    The namespace asks for a newer TLS.

    @ivar minimum: such as C{1.3}.
    """

    _sentence = "This namespace asks for TLS {0.minimum} or newer"
    minimum: str


class NotFound(Refusal):
    """
    Nothing there.  Some listeners take this answer to a listen as final, so it
    must never be given to one for a passing condition.
    """

    _status = 404


@frozen
class EndpointNotFound(NotFound):
    """No hybrid connection has this path."""

    _sentence = "Endpoint does not exist"


@frozen
class NoListeners(NotFound):
    """The hybrid connection exists, but nobody listens."""

    _sentence = "There are no listeners connected for the endpoint"


@frozen
class ListenersExcluded(NotFound):
    """The request names the listeners that it may go to, and none is connected."""

    _sentence = (
        "None of the connected listeners meet the AllowedListeners/DisallowedListeners"
        " criteria"
    )


@frozen
class AcceptTimedOut(NotFound):
    """No listener that was offered the sender came for it in time."""

    _sentence = (
        "None of the connected listeners accepted the connection"
        " within the allowed timeout"
    )


@frozen
class MethodNotAllowed(Refusal):
    """
    The method cannot be relayed.

    @ivar allowed: for the C{Allow} field.
    """

    _status = 405
    _sentence = "The method is not allowed here"
    allowed: str = "GET"

    @property
    def headers(self) -> Headers:
        """The methods that are allowed."""
        return (("Allow", self.allowed),)


@frozen
class RequestTimedOut(Refusal):
    """The request's head, or a part of its body, did not arrive in time."""

    _status = 408
    _sentence = "The request did not arrive in time"


@frozen
class RejectionTaken(Refusal):
    """
    Tells a listener that its rejection reached the sender: the usual end of a
    rejection, not an error (relay-protocol section 6.3).
    """

    _status = 410
    _sentence = "The rejection was taken"


@frozen
class TargetTooLong(Refusal):
    """The request line is too long."""

    _status = 414
    _sentence = "The request target is too long"


@frozen
class MisdirectedRequest(Refusal):
    """
    A sender's HTTP port was asked by a name that is not its own: a web page may have
    made that name lead here, to read what only this machine may (reliability-security
    T21).
    """

    _status = 421
    _sentence = "This port is not called '{0.name}'; if it is, say so in its host_names"
    name: str


@frozen
class VersionNotSupported(Refusal):
    """A WebSocket version other than 13."""

    _status = 426
    _sentence = "The WebSocket version is not supported; use 13"
    _headers = (("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket"))


@frozen
class TooManyRequests(Later):
    """
    One address asks too often.

    @ivar detail: which limit it is.
    """

    _status = 429
    retry_after: float = 1.0
    detail: str = "Too many requests from this address"


@frozen
class HeadersTooLarge(Refusal):
    """The header fields are too large or too many (reliability-security T14)."""

    _status = 431
    detail: str = "The request's header fields are too large"


@frozen
class InternalError(Refusal):
    """A mistake of ours, which was logged."""

    _status = 500
    _sentence = "InternalServerError"


@frozen
class NotImplementedHere(Refusal):
    """A listener's answer to an HTTP request that it has nobody for."""

    _status = 501
    _sentence = "This listener serves no HTTP requests"


class BadGateway(Refusal):
    """An HTTP request reached the relay, and found nothing good behind it."""

    _status = 502


@frozen
class NobodyListens(BadGateway):
    """
    The hybrid connection exists, but nobody listens.  To an HTTP request that is
    502; to a WebSocket L{NoListeners} (relay-protocol section 7.5).
    """

    _sentence = "There are no listeners connected for the endpoint"


@frozen
class ListenerFailed(BadGateway):
    """The listener vanished, or did not keep to the protocol."""

    detail: str = "The listener was lost before it responded"


class GatewayTimeout(Refusal):
    """An HTTP request was passed on, and nothing came back in time."""

    _status = 504


@frozen
class ResponseTimedOut(GatewayTimeout):
    """The listener has the request and does not answer."""

    _sentence = (
        "The request was routed to the listener but the listener did not respond"
        " in the required time"
    )


@frozen
class TargetTimedOut(GatewayTimeout):
    """A listener's answer for a target that does not answer."""

    detail: str = "The target did not respond in time"


@frozen
class RendezvousTimedOut(GatewayTimeout):
    """The listener did not come for the request."""

    _sentence = (
        "The request was routed to the listener but the listener did not open the"
        " rendezvous in the required time"
    )


@frozen
class Unavailable(Later):
    """The relay is short of something."""

    _status = 503
    _sentence = "The service is not available now"


@frozen
class ConnectionQuota(Unavailable):
    """The namespace has all the connections that it may have."""

    _sentence = "Connection quota exceeded: a namespace may have {0.limit} connections"
    limit: int


@frozen
class TooManyPending(Unavailable):
    """Too many senders wait for listeners."""

    _sentence = "Too many senders are waiting for listeners"


@frozen
class ShuttingDown(Unavailable):
    """The relay is about to stop."""

    _sentence = "The relay is shutting down"


@frozen
class EndedByOperator(Unavailable):
    """Somebody who looks after the relay ended the request."""

    _sentence = "The request was ended by an operator of the relay"


@frozen
class Rejected(Refusal):
    """
    The listener said no, in its own words, which the sender gets as they are
    but for what cannot stand in a reason phrase.

    @ivar code: as the listener gave it; below 400 it would be no refusal for a
        WebSocket client, so L{status} is 502 then (relay-protocol section 6.3).
    @ivar description: the standard phrase is used if it is empty.
    @ivar more: header fields of the relay's own for the answer.
    """

    _sentence = "{0.description_or_phrase}"
    code: int
    description: str = ""
    more: Headers = ()

    @property
    def status(self) -> int:
        """The status for the sender."""
        return self.code if 400 <= self.code <= 999 else 502

    @property
    def headers(self) -> Headers:
        """Those of the relay's own."""
        return self.more

    @property
    def description_or_phrase(self) -> str:
        """The description, cleaned."""
        said = printable(self.description, MAX_DESCRIPTION)
        return said or standard_phrase(self.status, "Rejected")


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
