"""A hybrid connection in the hands of a manager, over all restarts of its listener."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReactorTime

from hybridconn.config.hybrid_connection import HybridConnectionTarget
from hybridconn.core.text import utc_text
from hybridconn.hcm.managed import ManagedListener
from hybridconn.hcm.requests import RequestBook
from hybridconn.hcm.settings import settings_view
from hybridconn.hcm.timeline import Timeline, TunnelBook
from hybridconn.hcm.words import Facts, Verdict, judge
from hybridconn.listener.states import ChannelStatus
from hybridconn.web.description import Description


class ManagedConnection:
    """
    @ivar name: what commands call it.
    @ivar one: its configuration.
    @ivar place: the file that it stands in; empty: it came from a command line.
    @ivar removable: whether a command may remove it: the file has nothing else.
    @ivar listener: the one that serves it now; L{None}: there is none.
    @ivar drained: it was told to take no more senders.
    @ivar book: its tunnels.
    @ivar requests: its HTTP requests.
    @ivar described: what the relay said last of it, when somebody asked.
    @ivar described_at: when that was, seconds of the clock.
    @param created: when it was put there, seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        name: str,
        one: HybridConnectionTarget,
        clock: IReactorTime,
        wall: Callable[[], float],
        created: float,
        place: str = "",
        removable: bool = False,
    ) -> None:
        self.name = name
        self.one = one
        self.place = place
        self.removable = removable
        self.listener: ManagedListener | None = None
        self.drained = False
        self.described: Description | None = None
        self.described_at = 0.0
        self.book = TunnelBook(clock, wall)
        self.requests = RequestBook(clock, wall)
        self._wall = wall
        self._created = created
        self._updated = wall()
        self._verdict = Verdict("")
        self._since = wall()

    @property
    def namespace(self) -> str:
        """The first word of the relay's host name, as Azure has it; or all of it."""
        host = self.one.connection.host
        first, _, rest = host.partition(".")
        return first if rest and not first.isdigit() else host

    def watch_tunnels(self, changed: Callable[[Timeline], None]) -> None:
        """Call C{changed} with each tunnel that is over."""
        self.book.changed = changed

    def touch(self) -> None:
        """It was changed."""
        self._updated = self._wall()

    # --- how it is ---

    def verdict(self) -> Verdict:
        """How it is now."""
        found = judge(self._facts())
        if found.word != self._verdict.word:
            self._since = self._wall()
        self._verdict = found
        return found

    def _facts(self) -> Facts:
        listener = self.listener
        if listener is None:
            return Facts(discontinued=self.one.discontinued)
        channel = listener.channel
        refusal = channel.last_refusal
        registered = channel.status is ChannelStatus.ONLINE
        return Facts(
            registered=registered,
            dialling=channel.status is ChannelStatus.CONNECTING,
            unanswered=channel.unanswered,
            # What follows is different each time, and shown apart.
            error=channel.last_error.partition(" TrackingId:")[0].rstrip("."),
            status=0 if refusal is None else refusal.status,
            withdrawn=listener.withdrawn,
            drained=self.drained,
            tunnels=self.book.open,
            target_error=listener.forbidden or listener.health.error,
            no_target=listener.no_target,
        )

    # --- to be shown ---

    def view(self) -> dict[str, Any]:
        """Everything but its tunnels, as JSON has it; nothing secret is in it."""
        verdict = self.verdict()
        connection = self.one.connection
        listener = self.listener
        described = self.described
        if listener is not None and not (self.drained and described):
            described = listener.description or described
        from_target, from_sender = self.book.bytes()
        return {
            "name": self.name,
            "namespace": self.namespace,
            "entityPath": connection.entity_path,
            "status": verdict.word,
            "reason": verdict.reason,
            "nextStep": verdict.next_step,
            "since": utc_text(self._since),
            "relay": connection.authority,
            "serviceBusEndpoint": f"sb://{connection.authority}/",
            "keyName": connection.key_name or "",
            "endpoint": "" if listener is None else listener.known_target,
            "endpointFrom": "configuration" if self.one.is_told_target else "metadata",
            "numberOfListeners": None if described is None else described.listeners,
            "settings": settings_view(self.one),
            "target": self._target_view(),
            "tunnels": {
                "open": self.book.open,
                "total": self.book.total,
                "refused": self.book.refused,
                "requests": self.requests.total,
                "bytesFromTarget": from_target,
                "bytesFromSender": from_sender,
            },
            "lastError": self._error_view(),
            "trackingId": "" if listener is None else listener.channel.tracking_id,
            "createdOn": (described and described.created) or utc_text(self._created),
            "lastUpdated": (described and described.updated) or utc_text(self._updated),
            "file": self.place,
            "removable": self.removable,
        }

    def _target_view(self) -> dict[str, Any]:
        listener = self.listener
        if listener is None:
            return {"reachable": None, "checked": False}
        health = listener.health
        return {
            "reachable": health.reachable,
            "since": None if health.since is None else utc_text(health.since),
            "lastTried": (
                None if health.checked_at is None else utc_text(health.checked_at)
            ),
            "seconds": None if health.seconds is None else round(health.seconds, 4),
            "address": health.address,
            "error": listener.forbidden or health.error,
            "checked": listener.checks_target,
            "whenDown": "withdraw" if self.one.withdraw else "reject",
        }

    def _error_view(self) -> dict[str, Any] | None:
        book = self.book
        if not book.last_error:
            return None
        return {
            "text": book.last_error,
            "at": utc_text(book.last_error_at),
            "trackingId": book.last_error_id,
        }
