"""Nobody listens, or what listens did not do its part."""

from __future__ import annotations

from attrs import frozen

from hybridconn.core.refusals.base import Headers, Refusal
from hybridconn.core.text import printable, standard_phrase

MAX_DESCRIPTION = 500
"""Most characters of a listener's own words (reliability-security T11)."""


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
class RejectionTaken(Refusal):
    """
    Tells a listener that its rejection reached the sender: the usual end of a
    rejection, not an error (relay-protocol section 6.3).
    """

    _status = 410
    _sentence = "The rejection was taken"


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
