"""
Asking a relay what it says of a hybrid connection, as Azure's own connection
managers do: C{GET https://HOST/PATH?api-version=2016-07} with a token for it
(product-behaviour section 2).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionClosed
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed
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
from hybridconn.web.short_body import short_body
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
    body = short_body(
        response,
        MOST_BYTES,
        DescriptionError("the description is longer than 1 MiB"),
        DescriptionError("the relay's answer broke off"),
    )

    def parse(body: bytes) -> Description:
        if response.code == 404:
            raise NotDescribed("the relay does not know this hybrid connection")
        if response.code != 200:
            reason = printable(response.phrase.decode("latin-1"))
            words = f"the relay answered {response.code} {reason}"
            raise DescriptionError(words, response.code)
        kinds = response.headers.getRawHeaders("Content-Type") or [""]
        dates = response.headers.getRawHeaders("Date") or [""]
        return evolve(parse_description(body, kinds[0]), date=dates[0])

    return body.addCallback(parse)
