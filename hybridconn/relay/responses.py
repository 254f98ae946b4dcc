"""A listener's response as a sender may get it (relay-protocol section 7.3)."""

from __future__ import annotations

from hybridconn.core.headers import content_length, response_headers
from hybridconn.core.http_commands import Response
from hybridconn.core.refusals import ListenerFailed

Headers = list[tuple[str, str]]
#: Answers without a body, whatever a listener sends.
_BODILESS = (204, 304)


def passed_headers(response: Response, via: str) -> Headers:
    """
    The headers for the sender.

    @raise ListenerFailed: it is no response that could be passed on.
    """
    # A 1xx would be no answer, and a 101 another protocol.
    if not 200 <= response.status <= 999:
        raise ListenerFailed("The listener's response has no valid status")
    return response_headers(response.headers, via)


def bodiless(response: Response, method: str) -> bool:
    """
    Whether its answer has no body.

    @param method: of the request.
    """
    return response.status in _BODILESS or method == "HEAD"


def told_length(response: Response, method: str) -> int | None:
    """
    How long a body would be that is not in the answer, in bytes; L{None} if the answer
    is to say nothing of it.
    """
    if bodiless(response, method) and response.status != 204:
        return content_length(response.headers)
    return None
