"""
The relay itself cannot: too much is asked of it, it stops, or it made a mistake.
"""

from __future__ import annotations

from attrs import frozen

from hybridconn.core.refusals.base import Later, Refusal


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
class InternalError(Refusal):
    """A mistake of ours, which was logged."""

    _status = 500
    _sentence = "InternalServerError"


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
