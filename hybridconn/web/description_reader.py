"""
Asking a relay what it says of a hybrid connection, as Azure's own connection
managers do: C{GET https://HOST/PATH?api-version=2016-07} with a token for it
(product-behaviour section 2).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseFailed
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.relay_url import description_url
from hybridconn.core.text import printable
from hybridconn.interfaces import IDialer
from hybridconn.web.agents import pooled_agent
from hybridconn.web.description import (
    MOST_BYTES,
    Description,
    DescriptionError,
    NotDescribed,
    parse_description,
)
from hybridconn.websocket.client import with_timeout
from hybridconn.websocket.words import explain, is_surprise

#: How often the metadata is read while all is well, seconds.
METADATA_REFRESH = 300.0
_TOKEN_LIFETIME = 300.0
_PATIENCE = 20.0


class DescriptionReader:
    """
    Reads the description of one hybrid connection.

    @param reactor: the clock.
    @param wall: seconds since 1970-01-01 UTC, for the token.
    """

    def __init__(
        self,
        connection: ConnectionString,
        dialer: IDialer,
        reactor: Any,
        wall: Callable[[], float] = time.time,
        timeout: float = _PATIENCE,
    ) -> None:
        self._connection = connection
        self._clock = reactor
        self._wall = wall
        self._timeout = timeout
        self._url = description_url(connection).encode("ascii")
        self._agent = pooled_agent(reactor, dialer, persistent=False)

    def read(self) -> Deferred[Description]:
        """
        @return: fails with L{DescriptionError}, L{TimeoutError
            <twisted.internet.error.TimeoutError>} after C{timeout} seconds, or
            what the dialer failed with.
        """
        token = self._connection.token(int(self._wall() + _TOKEN_LIFETIME))
        headers = Headers({"X-PROCESS-AT": ["ServiceBus"]})
        if token is not None:
            headers.setRawHeaders("Authorization", [token.reveal()])
        answered: Deferred[Any] = self._agent.request(b"GET", self._url, headers)
        answered.addErrback(_name_loss).addCallback(_read_answer)
        return with_timeout(answered, self._clock, self._timeout)


def _name_loss(failure: Failure) -> Failure:
    if not isinstance(failure.value, ResponseFailed):
        return failure
    why = failure.value.reasons[0]
    if is_surprise(why) or why.check(ConnectionClosed):
        return Failure(DescriptionError("the relay's answer broke off"))
    return Failure(DescriptionError(explain(why)))


def _read_answer(response: IResponse) -> Deferred[Description]:
    collector = _Collector()
    response.deliverBody(collector)

    def parse(body: bytes) -> Description:
        if response.code == 404:
            raise NotDescribed("the relay does not know this hybrid connection")
        if response.code != 200:
            reason = printable(response.phrase.decode("latin-1"))
            raise DescriptionError(f"the relay answered {response.code} {reason}")
        kinds = response.headers.getRawHeaders("Content-Type") or [""]
        return parse_description(body, kinds[0])

    return collector.body.addCallback(parse)


class _Collector(Protocol):
    """Gathers a body of bounded size."""

    def __init__(self) -> None:
        self.body: Deferred[bytes] = Deferred(self._give_up)
        self._parts: list[bytes] = []
        self._size = 0

    def dataReceived(self, data: bytes) -> None:
        """A part of the body (Twisted)."""
        self._size += len(data)
        self._parts.append(data)
        if self._size > MOST_BYTES:
            self._parts.clear()
            self._give_up()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end of the body (Twisted)."""
        body = self.body
        if body.called:
            return
        if self._size > MOST_BYTES:
            body.errback(DescriptionError("the description is longer than 1 MiB"))
        elif reason.check(ResponseDone, PotentialDataLoss):
            body.callback(b"".join(self._parts))
        else:
            body.errback(DescriptionError("the relay's answer broke off"))

    def _give_up(self, _: object = None) -> None:
        transport: Any = self.transport
        transport.loseConnection()
