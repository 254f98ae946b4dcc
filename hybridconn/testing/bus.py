"""A cluster's bus in memory: several relays in one test."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from hybridconn.interfaces import IClusterBus, IClusterMember


class MemoryCluster:
    """
    Joins L{MemoryBus}es.

    >>> from twisted.internet.task import Clock
    >>> cluster = MemoryCluster(Clock())
    >>> first, second = cluster.bus("1"), cluster.bus("2")

    @param clock: what is said is heard when it is advanced, even by nothing.
    """

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._buses: dict[str, MemoryBus] = {}

    def bus(self, node: str) -> MemoryBus:
        """The bus of a new node."""
        bus = MemoryBus(node, self)
        self._buses[node] = bus
        return bus

    def lose(self, node: str) -> None:
        """A node is gone, without a word of its own."""
        del self._buses[node]
        for bus in tuple(self._buses.values()):
            self._call(bus, lambda member: member.node_lost(node))

    def joined(self, newcomer: MemoryBus) -> None:
        """A bus has its member (called by it)."""
        others = [
            bus
            for bus in self._buses.values()
            if bus is not newcomer and bus.member is not None
        ]
        nodes = [bus.node for bus in others]
        self._call(newcomer, lambda member: member.welcomed(nodes))
        for bus in others:
            self._meet(bus, newcomer.node)

    def tell(self, sender: str, to: str | None, message: Mapping[str, Any]) -> None:
        """A node says something (called by its bus)."""
        if sender not in self._buses:
            return
        # As over a wire: what cannot be written as JSON cannot be said.
        copy = json.loads(json.dumps(message))
        for node, bus in tuple(self._buses.items()):
            if node != sender and to in (None, node):
                self._call(bus, lambda member: member.message_received(sender, copy))

    def _meet(self, bus: MemoryBus, node: str) -> None:
        self._call(bus, lambda member: member.node_joined(node))

    def _call(self, bus: MemoryBus, what: Callable[[IClusterMember], None]) -> None:
        def call() -> None:
            if bus.member is not None and self._buses.get(bus.node) is bus:
                what(bus.member)

        self._clock.callLater(0, call)


@implementer(IClusterBus)
class MemoryBus:
    """One node's way to the others of a L{MemoryCluster}."""

    def __init__(self, node: str, cluster: MemoryCluster) -> None:
        self.node = node
        self.member: IClusterMember | None = None
        self._cluster = cluster

    def join(self, member: IClusterMember) -> None:
        self.member = member
        self._cluster.joined(self)

    def tell(self, node: str | None, message: Mapping[str, Any]) -> None:
        self._cluster.tell(self.node, node, message)
