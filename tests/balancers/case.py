"""Listeners and senders for tests of balancers."""

from __future__ import annotations

from collections.abc import Sequence

from hybridconn.core.listeners import ListenerRef, SenderRequest
from hybridconn.interfaces import ILoadBalancer


def listeners(*connections: int) -> list[ListenerRef]:
    """One listener for each number of connections, in the order they came."""
    return [
        ListenerRef(f"L{index}", "192.0.2.1", 4000 + index, 1000.0 + index, count)
        for index, count in enumerate(connections)
    ]


def request(entity: str = "db", namespace: str = "contoso") -> SenderRequest:
    """A sender for an entity."""
    return SenderRequest(namespace, entity, "192.0.2.9", 5000)


def chosen(
    balancer: ILoadBalancer, candidates: Sequence[ListenerRef], entity: str = "db"
) -> str:
    """The id of the listener that one sender gets."""
    return balancer.choose(candidates, request(entity)).id
