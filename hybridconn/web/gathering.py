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
    failed: Callable[[Refusal], None] | None = None,
) -> None:
    """
    Read the body of C{request}.  One of the callables is called, once.

    @param most: bytes that it may have.
    @param done: gets it.
    @param too_long: called instead, if it has more.
    @param failed: called instead, if the client breaks it off or takes too long; by
        default it is refused.
    """
    if request.body_length == 0:
        done(b"")
    else:
        sink = _Gathering(most, done, too_long, failed or request.refuse)
        request.read_body(sink)


@implementer(IBodySink)
class _Gathering:
    def __init__(
        self,
        most: int,
        done: Callable[[bytes], None],
        too_long: Callable[[], None],
        failed: Callable[[Refusal], None],
    ) -> None:
        self._most = most
        self._done = done
        self._too_long = too_long
        self._failed = failed
        self._parts: list[bytes] = []
        self._size = 0
        self._over = False

    def body_received(self, data: bytes) -> None:
        if self._over:
            return
        self._size += len(data)
        self._parts.append(data)
        if self._size > self._most:
            self._end(self._too_long)

    def body_ended(self) -> None:
        body = b"".join(self._parts)
        self._end(lambda: self._done(body))

    def body_failed(self, refusal: Refusal) -> None:
        self._end(lambda: self._failed(refusal))

    def _end(self, say: Callable[[], None]) -> None:
        if not self._over:
            self._over = True
            self._parts = []
            say()
