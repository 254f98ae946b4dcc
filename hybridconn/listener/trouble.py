"""Why a target could not be reached, in words for its sender."""

from __future__ import annotations

from twisted.internet.error import (
    ConnectionRefusedError,
    DNSLookupError,
    TCPTimedOutError,
    TimeoutError,
    UnknownHostError,
)
from twisted.python.failure import Failure

from hybridconn.websocket.words import explain


def target_trouble(failure: Failure, target: str, timeout: float) -> str:
    """
    One line without a full stop: the target's address and the reason, no more.

    @param timeout: the seconds that it had.
    """
    if failure.check(ConnectionRefusedError):
        return f"target {target} refused the connection"
    if failure.check(TimeoutError, TCPTimedOutError):
        return f"target {target} did not answer in time: {timeout:g} s"
    if failure.check(DNSLookupError, UnknownHostError):
        return f"target {target}: its name cannot be resolved"
    return f"target {target} cannot be reached: {explain(failure)}"
