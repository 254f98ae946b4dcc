"""Bodies of requests that are read whole, because they are short."""

from __future__ import annotations

from collections.abc import Callable

from zope.interface import implementer

from hybridconn.core.refusals import Refusal
from hybridconn.interfaces import IBodySink, IServerRequest


def gather_body(
    request: IServerRequest,
    most: int,
    done: Callable[[bytes], None],
    too_long: Callable[[], None],
) -> None:
    """
    Read the body of C{request}; a client that breaks it off, or takes too long, is
    refused.

    @param most: bytes that it may have.
    @param done: gets it.
    @param too_long: called instead, if it has more.
    """
    if request.body_length == 0:
        done(b"")
    else:
        request.read_body(_Gathering(request, most, done, too_long))


@implementer(IBodySink)
class _Gathering:
    def __init__(
        self,
        request: IServerRequest,
        most: int,
        done: Callable[[bytes], None],
        too_long: Callable[[], None],
    ) -> None:
        self._request = request
        self._most = most
        self._done = done
        self._too_long = too_long
        self._parts: list[bytes] = []
        self._size = 0

    def body_received(self, data: bytes) -> None:
        before, self._size = self._size, self._size + len(data)
        if self._size <= self._most:
            self._parts.append(data)
        elif before <= self._most:
            self._parts = []
            self._too_long()

    def body_ended(self) -> None:
        if self._size <= self._most:
            self._done(b"".join(self._parts))

    def body_failed(self, refusal: Refusal) -> None:
        self._request.refuse(refusal)
