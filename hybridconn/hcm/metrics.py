"""
What a monitoring system asks for: metrics in Prometheus' format, and whether the
service lives and is ready (docs/metrics.md).

Labels are names out of the configuration and fixed words, never addresses, error texts
or tracking ids: how many series there are is bounded by the configuration.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    InfoMetricFamily,
    StateSetMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from hybridconn.exposition import exposition
from hybridconn.hcm.connection import ManagedConnection
from hybridconn.hcm.manager import Manager
from hybridconn.hcm.steward import Steward
from hybridconn.hcm.words import (
    CONNECTED,
    CONNECTING,
    DEGRADED,
    DISCONTINUED,
    DRAINED,
    DRAINING,
    NOT_CONNECTED,
    NOT_FOUND,
)
from hybridconn.management.routing import Route, route
from hybridconn.operation.version import own_version
from hybridconn.page.handler import Answer, Call

#: Hybrid connections that get series of their own; all are in the sums.
MOST_CONNECTIONS: Final = 1000

STATUSES: Final = (
    CONNECTED,
    DEGRADED,
    CONNECTING,
    NOT_CONNECTED,
    NOT_FOUND,
    DRAINING,
    DRAINED,
    DISCONTINUED,
)
#: In which it stands on the relay's list of listeners.
REGISTERED: Final = (CONNECTED, DEGRADED)
#: What listeners answer to senders; whatever else a target says is C{other}.
_CODES: Final = (400, 403, 404, 500, 501, 502, 503, 504)


class MetricsRoutes:
    """
    @param steward: knows whether the files on the disk are in force.
    """

    def __init__(self, manager: Manager, steward: Steward) -> None:
        self._manager = manager
        self._collector = _Manager(manager, steward)

    def routes(self) -> Iterator[Route]:
        """For those who may."""
        yield route("GET", "/metrics", self._metrics)

    def open_routes(self) -> Iterator[Route]:
        """For everybody: they say nothing but numbers."""
        yield route("GET", "/healthz", self._healthy)
        yield route("GET", "/readyz", self._ready)

    def text(self) -> str:
        """The metrics in the usual format."""
        return exposition(self._collector)[0].decode("utf-8")

    def _metrics(self, call: Call) -> Answer:
        accept = call.request.head.get("Accept") or ""
        body, kind = exposition(self._collector, accept)
        return Answer(body=body, kind=kind)

    def _healthy(self, call: Call) -> Answer:
        # Who can answer turns the event loop, which is all that a restart would mend.
        return Answer({"status": "ok"})

    def _ready(self, call: Call) -> Answer:
        words = [one.verdict().word for one in self._manager]
        registered = sum(word in REGISTERED for word in words)
        ready = bool(registered) or not words
        value = {"ready": ready, "connections": len(words), "registered": registered}
        return Answer(value, 200 if ready else 503)


class _Manager(Collector):
    def __init__(self, manager: Manager, steward: Steward) -> None:
        self._manager = manager
        self._steward = steward

    def collect(self) -> Iterable[Metric]:
        """What is so now (prometheus_client)."""
        build = InfoMetricFamily("hybridconn_build", "Version of the program.")
        build.add_metric([], {"version": own_version()})
        yield build
        yield GaugeMetricFamily(
            "hybridconn_hcm_configuration_good",
            "1: the files on the disk are in force; 0: they are wrong, the old "
            "configuration is.",
            value=float(not self._steward.trouble),
        )
        yield GaugeMetricFamily(
            "hybridconn_hcm_started_timestamp_seconds",
            "When the service was started.",
            value=self._manager.started_at,
        )
        connections = sorted(self._manager, key=lambda one: one.name)
        words = [one.verdict().word for one in connections]
        sums = GaugeMetricFamily(
            "hybridconn_hcm_connections",
            "Hybrid connections by status.",
            labels=["status"],
        )
        for word in STATUSES:
            sums.add_metric([word], words.count(word))
        yield sums
        yield GaugeMetricFamily(
            "hybridconn_hcm_connections_without_series",
            "Hybrid connections that are counted, but have no series of their own.",
            value=max(0, len(connections) - MOST_CONNECTIONS),
        )
        families = _Families()
        for one in islice(connections, MOST_CONNECTIONS):
            families.add(one)
        yield from families.all


class _Families:
    """The series of single hybrid connections."""

    def __init__(self) -> None:
        self.all: list[Metric] = []
        prefix = "hybridconn_hcm_connection_"
        mark = ["connection"]

        def gauge(name: str, text: str) -> GaugeMetricFamily:
            family = GaugeMetricFamily(prefix + name, text, labels=mark)
            self.all.append(family)
            return family

        def counter(name: str, text: str, *more: str) -> CounterMetricFamily:
            family = CounterMetricFamily(prefix + name, text, labels=[*mark, *more])
            self.all.append(family)
            return family

        self._status = StateSetMetricFamily(
            prefix + "status", "1 for the status that it has.", labels=mark
        )
        self.all.append(self._status)
        self._registered = gauge("registered", "1: senders can come.")
        self._draining = gauge(
            "draining",
            "1: it was told to take no more senders, and is not told to come back yet.",
        )
        self._registrations = counter(
            "registrations", "How often it came online at the relay."
        )
        self._reconnects = counter(
            "reconnects", "How often it came online again after the first time."
        )
        self._reachable = gauge(
            "target_reachable",
            "1: the target took the last connection; 0: it did not; absent: none was "
            "tried.",
        )
        self._dial = gauge(
            "target_dial_seconds", "How long the target took for its last connection."
        )
        self._open = gauge("tunnels_open", "Tunnels that are open.")
        self._tunnels = counter("tunnels", "Tunnels that were joined.")
        self._requests = counter("http_requests", "HTTP requests that came.")
        self._bytes = counter(
            "bytes", "Bytes that went through tunnels, open ones included.", "direction"
        )
        self._refusals = counter(
            "refusals", "Senders that were told no, by the status they got.", "code"
        )

    def add(self, one: ManagedConnection) -> None:
        """Those of one."""
        mark, book, listener = [one.name], one.book, one.listener
        word = one.verdict().word
        self._status.add_metric(mark, {name: name == word for name in STATUSES})
        self._registered.add_metric(mark, word in REGISTERED)
        self._draining.add_metric(mark, one.drained)
        self._registrations.add_metric(mark, book.registrations)
        self._reconnects.add_metric(mark, max(0, book.registrations - 1))
        health = None if listener is None else listener.health
        if health is not None and health.reachable is not None:
            self._reachable.add_metric(mark, health.reachable)
        if health is not None and health.seconds is not None:
            self._dial.add_metric(mark, health.seconds)
        self._open.add_metric(mark, book.open)
        self._tunnels.add_metric(mark, book.total)
        self._requests.add_metric(mark, one.requests.total)
        from_target, from_sender = book.bytes()
        self._bytes.add_metric([*mark, "from_target"], from_target)
        self._bytes.add_metric([*mark, "from_sender"], from_sender)
        known = {code: book.refusals[code] for code in _CODES}
        for code, number in known.items():
            if number:
                self._refusals.add_metric([*mark, str(code)], number)
        other = sum(book.refusals.values()) - sum(known.values())
        if other:
            self._refusals.add_metric([*mark, "other"], other)
