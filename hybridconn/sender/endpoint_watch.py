"""What a hybrid connection stands for, read from its metadata again and again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import parse_redirected
from hybridconn.web.description import Description, DescriptionError
from hybridconn.web.description_reader import METADATA_REFRESH, DescriptionReader
from hybridconn.websocket.words import explain, is_surprise

#: Seconds before the first new attempt after a failure; each time twice as long.
_FIRST_RETRY = 2.0


class UnknownEndpoint(Exception):
    """The metadata name no endpoint that can be redirected; the text says why."""


def read_endpoint(description: Description) -> HostPort:
    """
    @raise UnknownEndpoint: if there is none that can be redirected.
    """
    text = description.endpoint
    if text is None:
        raise UnknownEndpoint('its metadata has no key "endpoint" with host:port')
    try:
        return parse_redirected(text)
    except ValueError as error:
        raise UnknownEndpoint(
            f"its metadata names no usable endpoint: {error}"
        ) from None


def why_unknown(failure: Failure) -> str | None:
    """In words, why an endpoint could not be read; L{None} for a bug."""
    if failure.check(UnknownEndpoint, DescriptionError):
        return str(failure.value)
    if is_surprise(failure):
        return None
    return f"its metadata cannot be read: {explain(failure)}"


class EndpointWatch:
    """
    Keeps the endpoint of one hybrid connection up to date.  While the relay does not
    answer, the one that is known stays good.

    @ivar endpoint: L{None} while it is not known.
    @param read: called after each reading, well or not.
    """

    log = Logger()

    def __init__(
        self,
        reader: DescriptionReader,
        entity: str,
        reactor: Any,
        read: Callable[[], None],
        refresh: float = METADATA_REFRESH,
    ) -> None:
        self.endpoint: HostPort | None = None
        self._reader = reader
        self._entity = entity
        self._reactor = reactor
        self._tell = read
        self._refresh = refresh
        self._retry = _FIRST_RETRY
        self._reading: Deferred[Any] | None = None
        self._next: IDelayedCall | None = None

    def start(self) -> None:
        """Read now, and again from time to time."""
        self._next = None
        self._reading = reading = self._reader.read().addCallback(read_endpoint)
        reading.addCallbacks(self._read, self._failed)
        reading.addErrback(self._bug)

    def stop(self) -> None:
        """Read no more."""
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.cancel()
        later, self._next = self._next, None
        if later is not None:
            later.cancel()

    def _read(self, endpoint: HostPort) -> None:
        self._retry = _FIRST_RETRY
        self._again_in(self._refresh)
        news, self.endpoint = endpoint != self.endpoint, endpoint
        if news:
            self.log.info(
                "{entity}: stands for {endpoint}, says its metadata",
                entity=self._entity,
                endpoint=str(endpoint),
            )
        self._tell()

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError) and self._reading is None:
            return
        self._again_in(min(self._retry, self._refresh))
        self._retry *= 2
        why = why_unknown(failure)
        if why is None:
            self._bug(failure)
        known = self.endpoint
        self.log.warn(
            "{entity}: {why}; {kept}",
            entity=self._entity,
            why=why or "its metadata cannot be read",
            kept="nothing is redirected to it" if known is None else f"{known} stays",
        )
        self._tell()

    def _again_in(self, seconds: float) -> None:
        self._reading = None
        self._next = self._reactor.callLater(seconds, self.start)

    def _bug(self, failure: Failure) -> None:
        self.log.failure("{entity}: its metadata", failure, entity=self._entity)
