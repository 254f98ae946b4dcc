"""What is asked for is no request of this protocol, whoever asks."""

from __future__ import annotations

from attrs import frozen

from hybridconn.core.refusals.base import Headers, Refusal


@frozen
class BadRequest(Refusal):
    """The request is not one of this protocol."""

    _status = 400
    detail: str = "The request is malformed"


@frozen
class PathInvalid(BadRequest):
    """The path can be no endpoint's (reliability-security T5)."""


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
class HeadersTooLarge(Refusal):
    """The header fields are too large or too many (reliability-security T14)."""

    _status = 431
    detail: str = "The request's header fields are too large"
