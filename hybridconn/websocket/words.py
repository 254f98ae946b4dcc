"""What went wrong with a dial, in words for people."""

from __future__ import annotations

import os

from OpenSSL import SSL
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    ConnectionRefusedError,
    DNSLookupError,
    TCPTimedOutError,
    TimeoutError,
)
from twisted.python.failure import Failure

from hybridconn.tls import CertificateRejected
from hybridconn.wayout.errors import LocalAddressError, ProxyError
from hybridconn.websocket.base import ProtocolViolation
from hybridconn.websocket.client import HandshakeRefused

#: What the world does to a dial; anything else is a mistake of a program.
_EXPECTED = (
    CancelledError,
    ConnectError,
    ConnectingCancelledError,
    ConnectionClosed,
    OSError,
    SSL.Error,
)

#: Those that say themselves what happened.
_IN_WORDS = (ProtocolViolation, CertificateRejected, LocalAddressError, ProxyError)

#: Nobody answered, or hung up instead.
SILENT = "no answer in time"
SHUT = "the connection was closed without an answer"


def is_surprise(failure: Failure) -> bool:
    """Whether this is a bug, whose traceback belongs into the log."""
    return not isinstance(failure.value, _EXPECTED)


def explain(failure: Failure) -> str:
    """
    Say in one line, without a full stop, why something could not be reached.
    Of what L{is_surprise} it is the exception's name only.
    """
    error = failure.value
    if isinstance(error, HandshakeRefused):
        known = error.tracking_id in str(error)
        return str(error) if known else f"{error}, tracking id {error.tracking_id}"
    if isinstance(error, _IN_WORDS):
        return str(error).rstrip(".")
    if isinstance(error, ConnectionRefusedError):
        return "the connection was refused"
    if isinstance(error, DNSLookupError):
        return "the name cannot be resolved"
    if isinstance(error, TimeoutError | TCPTimedOutError):
        return SILENT
    if isinstance(error, ConnectionClosed):
        return SHUT
    if isinstance(error, CancelledError | ConnectingCancelledError):
        return "given up"
    if isinstance(error, SSL.Error):
        queue = error.args[0] if error.args and isinstance(error.args[0], list) else []
        words = "; ".join(str(entry[-1]) for entry in queue)
        if "wrong version number" in words:
            words += "; what answers there may speak no TLS"
        return f"TLS failed: {words}" if words else "TLS failed"
    if isinstance(error, ConnectError):
        number = error.osError
        return (
            os.strerror(number) if isinstance(number, int) else str(error).rstrip(".")
        )
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__
