"""
Metrics of a relay in Prometheus' format (docs/metrics.md), of all its nodes together.

Labels are names of namespaces and hybrid connections, and of the classes of refusals.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from attrs import frozen
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from hybridconn.core.live import Counts
from hybridconn.core.resources import ConnectionResource, NamespaceResource
from hybridconn.exposition import exposition
from hybridconn.management.calls import Call, Result
from hybridconn.management.routing import Route, route
from hybridconn.management.server import Server

#: Hybrid connections that get series of their own; all are in those of namespaces.
MOST_CONNECTIONS: Final = 1000

_NAMESPACE: Final = ("namespace",)
_CONNECTION: Final = ("namespace", "connection")


class MetricsRoutes:
    """
    @param server: what the operations run on.
    """

    def __init__(self, server: Server) -> None:
        self._live = server.live

    def routes(self) -> Iterator[Route]:
        """For every role; Prometheus sends no version of an API."""
        yield route("GET", "/metrics", self._metrics, versioned=False)

    async def _metrics(self, call: Call) -> Result:
        draft = call.draft
        spaces = {one.key: one.name for one in draft.below(NamespaceResource, ())}
        paths = [
            key
            for namespace in sorted(spaces)
            for key in sorted(draft.keys(ConnectionResource, namespace))
        ]
        shown = list(islice(paths, MOST_CONNECTIONS))
        sums = await self._live.sums()
        counts = await self._live.counts(shown)
        look = _Look(
            since=self._live.since,
            namespaces={
                (name,): sums.get(key[0], Counts()) for key, name in spaces.items()
            },
            connections={
                (spaces[key[:1]], _path(call, key)): found
                for key, found in zip(shown, counts, strict=True)
            },
            without_series=len(paths) - len(shown),
            refusals=await self._live.refusals(),
        )
        text, kind = exposition(look)
        return Result(text=text, kind=kind)


def _path(call: Call, key: tuple[str, ...]) -> str:
    found = call.draft.get(ConnectionResource, key)
    assert found is not None
    return found.path


@frozen(eq=False)
class _Look(Collector):
    """What was so at one moment."""

    since: float
    namespaces: Mapping[tuple[str, ...], Counts]
    connections: Mapping[tuple[str, ...], Counts]
    without_series: int
    refusals: Mapping[str, int]

    def collect(self) -> Iterable[Metric]:
        """All of it (prometheus_client)."""
        yield GaugeMetricFamily(
            "hybridconn_relay_started_timestamp_seconds",
            "When the process that answers was started.",
            value=self.since,
        )
        refusals = CounterMetricFamily(
            "hybridconn_relay_refusals",
            "Requests that were refused, by the kind of refusal.",
            labels=["reason"],
        )
        for reason, number in sorted(self.refusals.items()):
            refusals.add_metric([reason], number)
        yield refusals
        yield from _families("hybridconn_relay_namespace", _NAMESPACE, self.namespaces)
        yield from _families(
            "hybridconn_relay_connection", _CONNECTION, self.connections
        )
        yield GaugeMetricFamily(
            "hybridconn_relay_connections_without_series",
            "Hybrid connections that are in the sums alone.",
            value=self.without_series,
        )


def _families(
    prefix: str, labels: tuple[str, ...], found: Mapping[tuple[str, ...], Counts]
) -> Iterator[Metric]:
    def gauge(name: str, text: str) -> GaugeMetricFamily:
        return GaugeMetricFamily(f"{prefix}_{name}", text, labels=labels)

    def counter(name: str, text: str, *more: str) -> CounterMetricFamily:
        return CounterMetricFamily(f"{prefix}_{name}", text, labels=(*labels, *more))

    listeners = gauge("listeners", "Control channels that are open.")
    tunnels = gauge("tunnels_open", "Tunnels that are open.")
    requests = gauge("http_requests_open", "HTTP requests not answered in full.")
    pending = gauge("waiting_senders", "Senders that wait for a listener.")
    all_tunnels = counter("tunnels", "Tunnels, open ones included.")
    all_requests = counter("http_requests", "HTTP requests, open ones included.")
    carried = counter(
        "bytes", "Bytes of tunnels and requests, open ones included.", "direction"
    )
    for names, one in found.items():
        listeners.add_metric(names, one.listeners)
        tunnels.add_metric(names, one.tunnels)
        requests.add_metric(names, one.requests)
        pending.add_metric(names, one.waiting)
        all_tunnels.add_metric(names, one.tunnels + one.ended_tunnels)
        all_requests.add_metric(names, one.requests + one.ended_requests)
        sender = one.sender_bytes + one.ended_sender_bytes
        listener = one.listener_bytes + one.ended_listener_bytes
        carried.add_metric([*names, "from_sender"], sender)
        carried.add_metric([*names, "from_listener"], listener)
    yield from (listeners, tunnels, requests, pending)
    yield from (all_tunnels, all_requests, carried)
