"""Why a tunnel could not be opened, as exceptions that Twisted's users know."""

from __future__ import annotations

from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionRefusedError,
    TCPTimedOutError,
    TimeoutError,
)
from twisted.python.failure import Failure

from hybridconn.websocket.client import HandshakeRefused
from hybridconn.websocket.words import explain, is_surprise


class HybridConnectionError(ConnectError):
    """
    No tunnel.

    @ivar status_code: the relay's or the listener's answer; 0 if there was none.
    @ivar reason: in words, for people.
    @ivar tracking_id: names the attempt in the relay's log; may be empty.
    """

    def __init__(self, status_code: int, reason: str, tracking_id: str = "") -> None:
        self.status_code = status_code
        self.reason = reason
        self.tracking_id = tracking_id
        super().__init__(string=reason)

    def __str__(self) -> str:
        told = self.tracking_id and self.tracking_id not in self.reason
        words = f"{self.status_code} {self.reason}" if self.status_code else self.reason
        return f"{words}, tracking id {self.tracking_id}" if told else words


class HybridConnectionRefused(HybridConnectionError, ConnectionRefusedError):
    """Nobody listens, or the listener or its target said no."""


class OneTargetOnly(HybridConnectionRefused):
    """The listener does not know of targets that a sender wants."""

    def __init__(self, target: str, tracking_id: str = "") -> None:
        super().__init__(
            0,
            f"{target} was wanted, and the listener at the other end serves one target"
            " only; give its hybrid connection targets, or have none wanted here",
            tracking_id,
        )


class HybridConnectionTimeout(HybridConnectionError, TimeoutError):
    """There was no answer in time."""


#: Every other status is a refusal: of the relay, the listener or its target.
_BY_STATUS = {
    # Not an answer in HTTP at all.
    0: HybridConnectionError,
    401: HybridConnectionError,
    403: HybridConnectionError,
    408: HybridConnectionTimeout,
    504: HybridConnectionTimeout,
}


def as_connect_error(failure: Failure, tracking_id: str) -> Failure:
    """
    Name what a dial failed with; bugs and cancellations stay what they are.

    @param tracking_id: of the attempt, if the answer has none.
    """
    error = failure.value
    if isinstance(error, HandshakeRefused):
        kind = _BY_STATUS.get(error.status, HybridConnectionRefused)
        tracking_id = error.tracking_id or tracking_id
        return Failure(kind(error.status, error.reason, tracking_id))
    if is_surprise(failure) or failure.check(CancelledError, ConnectingCancelledError):
        return failure
    kind = HybridConnectionError
    if isinstance(error, TimeoutError | TCPTimedOutError):
        kind = HybridConnectionTimeout
    elif isinstance(error, ConnectionRefusedError):
        kind = HybridConnectionRefused
    return Failure(kind(0, explain(failure), tracking_id))
