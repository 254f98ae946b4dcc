"""Metrics as monitoring systems read them: Prometheus' format, or OpenMetrics."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector


def exposition(collector: Collector, accept: str = "") -> tuple[bytes, str]:
    """
    What C{collector} says, and how this process is.

    @param accept: the formats that are wanted, as C{Accept} has them.
    @return: the text, and its C{Content-Type}.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    encoder, kind = choose_encoder(accept)
    return encoder(registry), kind
