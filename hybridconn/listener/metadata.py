"""
A listener's target from its hybrid connection's metadata, as Azure's own
connection managers find it: C{GET https://HOST/PATH?api-version=2016-07} with
the listen token (product-behaviour section 2).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionClosed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse

from hybridconn.config.addresses import Target, parse_target
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.relay_url import description_url
from hybridconn.core.text import printable
from hybridconn.interfaces import IDialer
from hybridconn.listener.description import (
    MOST_BYTES,
    Description,
    DescriptionError,
    NotDescribed,
    parse_description,
)
from hybridconn.listener.reject import Reject
from hybridconn.web.agents import pooled_agent
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


class _Reading:
    """One reading that is under way."""

    answer: Deferred[Any]


class MetadataTarget:
    """
    The target that the metadata names, kept up to date.  While the relay does
    not answer, the one that is known stays good.

    @ivar description: the last one that was read.

    @param refresh: seconds between two readings.
    """

    log = Logger()

    def __init__(
        self,
        reader: DescriptionReader,
        entity: str,
        reactor: Any,
        refresh: float = METADATA_REFRESH,
    ) -> None:
        self._reader = reader
        self._entity = entity
        self.description: Description | None = None
        self._was_read = False
        self._target: Target | None = None
        self._error = "its metadata was not read yet"
        self._reading: _Reading | None = None
        self._waiting: list[Deferred[None]] = []
        self._refresh = refresh
        self._loop = LoopingCall(self._read_again)
        self._loop.clock = reactor

    @property
    def known(self) -> Target | None:
        """The target, as far as it was read."""
        return self._target

    @property
    def error(self) -> str:
        """Why the last reading gave no target; empty if it did, or was not made."""
        return self._error if self._was_read else ""

    def start(self) -> None:
        """The listener is online: read now, and again from time to time."""
        if self._loop.running:
            self._loop.stop()
        self._loop.start(self._refresh, now=True)

    def stop(self) -> None:
        """Read no more."""
        if self._loop.running:
            self._loop.stop()
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.answer.cancel()
            self._release()

    def target(self) -> Deferred[Target]:
        """
        The target for one sender.

        @return: fails with L{Reject} if it cannot be found out.
        """
        if self._target is not None:
            return succeed(self._target)

        def known(_: None) -> Target:
            if self._target is None:
                raise Reject(502, f"The target is not known: {self._error}")
            return self._target

        return self.read().addCallback(known)

    def read(self) -> Deferred[None]:
        """
        Read the metadata now.

        @return: fires, never fails, when that is done, well or not.
        """
        waiting: Deferred[None] = Deferred(self._leave)
        self._waiting.append(waiting)
        if self._reading is None:
            reading = self._reading = _Reading()
            reading.answer = self._reader.read()
            reading.answer.addBoth(self._read, reading)
            reading.answer.addErrback(self._bug)
        return waiting

    # --- ours ---

    def _read_again(self) -> None:
        # Not returned: the loop is not to wait for the relay.
        self.read()

    def _leave(self, waiting: Deferred[None]) -> None:
        if waiting in self._waiting:
            self._waiting.remove(waiting)

    def _read(self, result: Description | Failure, reading: _Reading) -> None:
        if self._reading is not reading:
            return  # given up
        self._reading = None
        self._was_read = True
        if isinstance(result, Failure):
            self._complain(result)
        else:
            self._take(result)
        self._release()

    def _release(self) -> None:
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(None)

    def _bug(self, failure: Failure) -> None:
        self.log.failure("{entity}: its metadata", failure, entity=self._entity)

    def _take(self, description: Description) -> None:
        self.description = description
        endpoint = description.endpoint
        if endpoint is None:
            self._keep('its metadata has no key "endpoint" with host:port')
            return
        try:
            target = parse_target(endpoint)
        except ValueError as error:
            self._keep(f"its metadata names no usable endpoint: {error}")
            return
        self._error = ""
        if target != self._target:
            self._target = target
            self.log.info(
                "{entity}: the target is {target}, from its metadata",
                entity=self._entity,
                target=str(target),
            )

    def _complain(self, failure: Failure) -> None:
        if failure.check(DescriptionError):
            self._keep(str(failure.value))
            return
        if is_surprise(failure):
            self._bug(failure)
        self._keep(f"its metadata cannot be read: {explain(failure)}")

    def _keep(self, error: str) -> None:
        self._error = error
        self.log.warn(
            "{entity}: {error}; {kept}",
            entity=self._entity,
            error=error,
            kept=(
                f"{self._target} stays the target"
                if self._target is not None
                else "there is no target"
            ),
        )


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
            raise DescriptionError(f"the relay answered {response.code} {reason}")
        kinds = response.headers.getRawHeaders("Content-Type") or [""]
        dates = response.headers.getRawHeaders("Date") or [""]
        return evolve(parse_description(body, kinds[0]), date=dates[0])

    return body.addCallback(parse)
