"""Looks closer: at a hybrid connection, at an address, at the whole service."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredSemaphore, gatherResults, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IResponse

from hybridconn.config.addresses import parse_host_name, parse_target
from hybridconn.core.text import printable
from hybridconn.diagnosis.check import Check
from hybridconn.diagnosis.clock import compare_clocks
from hybridconn.diagnosis.mends import target_step
from hybridconn.hcm.connection import ManagedConnection
from hybridconn.hcm.connector import Reached, WatchedConnector
from hybridconn.hcm.errors import ManagerError
from hybridconn.hcm.manager import Manager
from hybridconn.hcm.steward import Steward
from hybridconn.hcm.timeline import TunnelBook
from hybridconn.hcm.words import (
    CONNECTED,
    DEGRADED,
    DISCONTINUED,
    DRAINED,
    DRAINING,
    relay_step,
)
from hybridconn.listener.reject import Reject
from hybridconn.web.agents import pooled_agent
from hybridconn.web.description import (
    Description,
    DescriptionError,
)
from hybridconn.web.description_reader import DescriptionReader
from hybridconn.websocket.client import with_timeout
from hybridconn.websocket.words import explain, is_surprise

try:
    import resource
except ImportError:  # there is none on Windows
    resource = None  # type: ignore[assignment]  # see above

#: Seconds for one look.
PATIENCE: Final = 10.0
#: The same, when somebody wants to see something.
_SHORT: Final = 3.0
#: Seconds for which a description is good enough to be shown.
_FRESH: Final = 60.0
#: How many are examined at a time.
_AT_ONCE: Final = 8
#: Open files for each hybrid connection, and a tunnel or two of it.
_FILES_EACH: Final = 8


#: Status of those whose relay knows them and answers.
_KNOWN_THERE: Final = (CONNECTED, DEGRADED, DRAINING, DRAINED)

Report = list[dict[str, Any]]


class Doctor:
    """
    @param wall: seconds since 1970-01-01 UTC.
    """

    log = Logger()

    def __init__(
        self,
        manager: Manager,
        steward: Steward,
        reactor: Any,
        wall: Callable[[], float],
    ) -> None:
        self._manager = manager
        self._steward = steward
        self._clock = reactor
        self._wall = wall

    # --- one hybrid connection ---

    def examine(self, connection: ManagedConnection) -> Deferred[Report]:
        """Look at its relay and at its target now."""
        return self._examine(connection).addCallback(_views)

    def _examine(self, connection: ManagedConnection) -> Deferred[list[Check]]:
        verdict = connection.verdict()
        good = verdict.word in (CONNECTED, DEGRADED)
        # What is wrong with the target has a check of its own.
        words = [CONNECTED] if good else [verdict.word, verdict.reason]
        state = Check(
            connection.name,
            "registration",
            good,
            ": ".join(filter(None, words)),
            "" if good else verdict.next_step,
        )
        if connection.listener is None:
            return succeed([state])
        looks = [self._look_at_relay(connection)]
        if verdict.word != DISCONTINUED:
            looks.append(self._look_at_target(connection))
        found: Deferred[Any] = gatherResults(looks)
        return found.addCallback(lambda lists: [state, *lists[0], *lists[1]])

    def _look_at_relay(self, connection: ManagedConnection) -> Deferred[list[Check]]:
        began = self._clock.seconds()

        def answered(described: Description) -> list[Check]:
            seconds = self._clock.seconds() - began
            count = described.listeners
            words = f"answered in {seconds:.3f} s"
            if count is not None:
                words += f"; {count} listening there now"
            return [
                Check(connection.name, "relay", True, words),
                *self._compare_clocks(connection.name, described.date),
            ]

        def failed(failure: Failure) -> list[Check]:
            error = failure.value
            known = isinstance(error, DescriptionError)
            if is_surprise(failure) and not known:
                self.log.failure("a look at a relay failed", failure)
            words = str(error) if known else explain(failure)
            status = error.status if isinstance(error, DescriptionError) else 0
            step = relay_step(status, words)
            return [Check(connection.name, "relay", False, words, step)]

        return self._describe(connection, PATIENCE).addCallbacks(answered, failed)

    def describe(self, connection: ManagedConnection) -> Deferred[None]:
        """
        Have what the relay says of C{connection} be no older than a minute.

        @return: fires, never fails, when that is done, well or not.
        """
        age = self._clock.seconds() - connection.described_at
        fresh = connection.described is not None and age < _FRESH
        if fresh or connection.verdict().word not in _KNOWN_THERE:
            return succeed(None)
        return self._describe(connection, _SHORT).addBoth(lambda _: None)

    def _describe(
        self, connection: ManagedConnection, timeout: float
    ) -> Deferred[Description]:
        reader = DescriptionReader(
            connection.one.connection,
            self._manager.dialer,
            self._clock,
            self._wall,
            timeout,
        )

        def remember(described: Description) -> Description:
            connection.described = described
            connection.described_at = self._clock.seconds()
            return described

        return reader.read().addCallback(remember)

    def _compare_clocks(self, subject: str, date: str) -> Iterable[Check]:
        found = compare_clocks(date, self._wall())
        if found is not None:
            yield Check(subject, "clock", *found)

    def _look_at_target(self, connection: ManagedConnection) -> Deferred[list[Check]]:
        listener = connection.listener
        assert listener is not None
        shown = listener.known_target
        if listener.many_targets:
            words = f"senders say which they want, among {shown}"
            return succeed([Check(connection.name, "target", True, words)])
        return self._told(connection.name, shown, listener.probe(PATIENCE))

    def _told(
        self, subject: str, target: str, probed: Deferred[Reached]
    ) -> Deferred[list[Check]]:
        def taken(reached: Reached) -> list[Check]:
            by = f" by {reached.address}" if reached.address else ""
            words = f"{target} took a connection{by} in {reached.seconds:.3f} s"
            return [Check(subject, "target", True, words.strip())]

        def failed(failure: Failure) -> list[Check]:
            no = failure.value
            if not isinstance(no, Reject):
                self.log.failure("a look at a target failed", failure)
            words = no.description if isinstance(no, Reject) else "it failed; see logs"
            return [Check(subject, "target", False, words, target_step(words))]

        return probed.addCallbacks(taken, failed)

    # --- an address ---

    def examine_address(self, text: str) -> Deferred[Report]:
        """
        See whether C{host:port} takes a connection, or a relay's host answers.

        @raise ManagerError: it is no address.
        """
        bare = text.removeprefix("https://").removeprefix("sb://").rstrip("/")
        try:
            host = parse_host_name(bare)
        except ValueError:
            return self._examine_target(text).addCallback(_views)
        return self._examine_host(host).addCallback(_views)

    def _examine_target(self, text: str) -> Deferred[list[Check]]:
        try:
            target = parse_target(text)
        except ValueError as error:
            raise ManagerError(
                f"{printable(text, 80)!r} is no address: {error}."
            ) from None
        connector = WatchedConnector(
            lambda: target,
            "",
            self._clock,
            PATIENCE,
            self._manager.loaded.config.allowed,
            TunnelBook(self._clock, self._wall),
        )
        return self._told(str(target), str(target), connector.probe())

    def _examine_host(self, host: str) -> Deferred[list[Check]]:
        began = self._clock.seconds()
        shown = f"[{host}]" if ":" in host else host
        agent = pooled_agent(self._clock, self._manager.dialer, persistent=False)
        asked: Deferred[Any] = agent.request(b"GET", f"https://{shown}/".encode())

        def answered(response: IResponse) -> list[Check]:
            seconds = self._clock.seconds() - began
            good = 200 <= response.code < 300
            words = f"answered {response.code} over TLS in {seconds:.3f} s"
            step = "" if good else "is that the host of a relay?"
            return [
                Check(host, "relay", good, words, step),
                *self._compare_clocks(
                    host, (response.headers.getRawHeaders("Date") or [""])[0]
                ),
            ]

        def failed(failure: Failure) -> list[Check]:
            reasons = getattr(failure.value, "reasons", None)
            cause = reasons[0] if reasons else failure
            words = explain(cause)
            step = relay_step(0, words)
            if "name cannot be resolved" in words:
                step = "mend the name, or this machine's DNS"
            return [Check(host, "relay", False, words, step)]

        waited: Deferred[Any] = with_timeout(asked, self._clock, PATIENCE)
        return waited.addCallbacks(answered, failed)

    # --- everything ---

    def examine_all(self) -> Deferred[Report]:
        """Look at the service and at each of its hybrid connections."""
        turnstile = DeferredSemaphore(_AT_ONCE)
        looks = [turnstile.run(self._examine, one) for one in self._manager]
        found: Deferred[Any] = gatherResults(looks)
        return found.addCallback(
            lambda lists: _views(
                [*self._service(), *(check for some in lists for check in some)]
            )
        )

    def _service(self) -> Iterable[Check]:
        trouble = self._steward.trouble
        yield Check(
            "service",
            "configuration",
            not trouble,
            trouble or f"hybrid connections: {self._manager.count}",
            "mend it; it is taken over at once" if trouble else "",
        )
        waiting = self._manager.needs_restart
        if waiting:
            words = f"{' and '.join(waiting)} changed since the start"
            step = "restart the service, then it counts"
            yield Check("service", "restart", False, words, step)
        settings = self._manager.loaded.config.connections
        if settings.folder:
            sealed = bool(settings.keys)
            yield Check(
                "service",
                "connection strings",
                True,
                f"{'encrypted' if sealed else 'in private files'} in {settings.folder}",
            )
        if resource is not None:
            most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            needed = _FILES_EACH * self._manager.count + 64
            good = most == resource.RLIM_INFINITY or most >= needed
            step = f"raise the limit (LimitNOFILE=65536), {needed} at least"
            words = f"{most} at most"
            yield Check("service", "open files", good, words, "" if good else step)


def _views(checks: Iterable[Check]) -> Report:
    return [check.view() for check in checks]
