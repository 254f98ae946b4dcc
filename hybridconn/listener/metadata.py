"""
A listener's target from its hybrid connection's metadata, as Azure's own
connection managers find it (product-behaviour section 2).
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.config.addresses import Target, parse_target
from hybridconn.listener.reject import Reject
from hybridconn.web.description import Description, DescriptionError
from hybridconn.web.description_reader import METADATA_REFRESH, DescriptionReader
from hybridconn.websocket.words import explain, is_surprise


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
