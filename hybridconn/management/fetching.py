"""Getting a small document over HTTPS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http_headers import Headers
from twisted.web.iweb import IAgent, IResponse

#: Bytes of the document, and seconds for all of it.
MOST_BYTES: Final = 1024 * 1024
TIMEOUT: Final = 10.0


class FetchError(Exception):
    """It cannot be had; the text says why."""


class _Gathering(Protocol):
    """Gathers a response's body of bounded size (Twisted)."""

    def __init__(self, done: Deferred[bytes]) -> None:
        self._done: Deferred[bytes] | None = done
        self._data = bytearray()

    def dataReceived(self, data: bytes) -> None:
        """More of it (Twisted)."""
        self._data += data
        if len(self._data) > MOST_BYTES:
            self._end(FetchError(f"it has more than {MOST_BYTES} bytes"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Its end (Twisted)."""
        if reason.check(ResponseDone, ConnectionDone):
            self._end(bytes(self._data))
        else:
            self._end(FetchError("it broke off"))

    def abort(self) -> None:
        """Want no more of it."""
        self._done = None
        transport: Any = self.transport
        if transport is not None:
            transport.abortConnection()

    def _end(self, result: bytes | FetchError) -> None:
        done, self._done = self._done, None
        if done is None:
            return
        if isinstance(result, bytes):
            done.callback(result)
        else:
            self.abort()
            done.errback(result)


def fetcher(agent: IAgent, url: str, clock: Any) -> Callable[[], Deferred[bytes]]:
    """
    Make a function that gets C{url}, which must be C{https} for an agent that looks at
    certificates.  A redirection is not followed: the operator named the place.

    @param clock: for the time-out.
    """

    async def get() -> bytes:
        response: IResponse = await agent.request(
            b"GET", url.encode("ascii"), Headers({"Accept": ["application/json"]})
        )
        done: Deferred[bytes] = Deferred(lambda _: gathering.abort())
        gathering = _Gathering(done)
        response.deliverBody(gathering)
        if response.code != 200:
            gathering.abort()
            done.addErrback(lambda _: None)
            raise FetchError(f"{url} answers {response.code}")
        return await done

    return lambda: Deferred.fromCoroutine(get()).addTimeout(TIMEOUT, clock)
