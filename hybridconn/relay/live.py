"""What goes on at one node of a relay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from heapq import nsmallest
from typing import TYPE_CHECKING, Protocol

from attrs import define, evolve

from hybridconn.core.live import Counts, LiveListener, LiveTunnel, order
from hybridconn.relay.control import ControlChannel
from hybridconn.websocket.closing import GOING_AWAY

if TYPE_CHECKING:
    from hybridconn.relay.desk import Desk, EntityKey

#: What a listener and both ends of a tunnel are told.
REASON = "closed by an operator of the relay"


class Open(Protocol):
    """A tunnel, or an HTTP request that is not answered in full."""

    @property
    def id(self) -> str:
        """Names it in this process."""

    @property
    def carried(self) -> tuple[int, int]:
        """Bytes from the sender and from the listener so far."""

    def live(self, wall: float) -> LiveTunnel:
        """
        As it is shown.

        @param wall: now, seconds since 1970-01-01 UTC.
        """

    def close(self, code: int, reason: str) -> None:
        """End it from here."""


@define
class Ended:
    """What is over at one hybrid connection."""

    tunnels: int = 0
    requests: int = 0
    sender_bytes: int = 0
    listener_bytes: int = 0

    def add(self, one: Open, http: bool) -> None:
        """One more is over."""
        if http:
            self.requests += 1
        else:
            self.tunnels += 1
        sender, listener = one.carried
        self.sender_bytes += sender
        self.listener_bytes += listener


class LiveRelay:
    """
    A look at the desk of this node.

    @param wall: seconds since 1970-01-01 UTC.
    @param node: stands before the ids of what is here, if there are other nodes.
    """

    def __init__(self, desk: Desk, wall: Callable[[], float], node: str) -> None:
        self._desk = desk
        self._wall = wall
        self._prefix = f"{node}/" if node else ""

    def sums(self) -> dict[str, Counts]:
        """What goes on, by namespace; it looks at every tunnel."""
        keys: dict[str, list[EntityKey]] = defaultdict(list)
        for key in self._desk.known:
            keys[key[0]].append(key)
        return {name: self._count(own) for name, own in keys.items()}

    def counts(self, key: EntityKey) -> Counts:
        """What goes on at an entity; it looks at every tunnel there."""
        return self._count((key,))

    def _count(self, keys: Iterable[EntityKey]) -> Counts:
        # Plain numbers: there may be ten thousand entities, and somebody looks often.
        listeners = draining = tunnels = requests = waiting = sender = listener = 0
        ended_tunnels = ended_requests = ended_sender = ended_listener = 0
        for key in keys:
            entity, ended = self._desk.at(key)
            for channel in entity.channels:
                if isinstance(channel, ControlChannel):
                    listeners += 1
                    draining += channel.draining
            tunnels += len(entity.tunnels)
            requests += len(entity.exchanges)
            waiting += len(entity.pending)
            for one in entity.open:
                from_sender, from_listener = one.carried
                sender += from_sender
                listener += from_listener
            ended_tunnels += ended.tunnels
            ended_requests += ended.requests
            ended_sender += ended.sender_bytes
            ended_listener += ended.listener_bytes
        return Counts(
            listeners=listeners,
            tunnels=tunnels,
            requests=requests,
            waiting=waiting,
            sender_bytes=sender,
            listener_bytes=listener,
            ended_tunnels=ended_tunnels,
            ended_requests=ended_requests,
            ended_sender_bytes=ended_sender,
            ended_listener_bytes=ended_listener,
            draining=draining,
        )

    def listeners(self, key: EntityKey) -> list[LiveListener]:
        """Who listens here."""
        found = [channel.live for channel in self._channels(key)]
        return [evolve(one, id=self._prefix + one.id) for one in found]

    def tunnels(self, key: EntityKey, after: str, most: int) -> list[LiveTunnel]:
        """Some of those that are open here, in the order of their ids."""
        # There may be thousands: only those that are wanted are made to be shown.
        by_order = {order(self._prefix + one.id): one for one in self._open(key)}
        first = nsmallest(most, (place for place in by_order if place > after))
        return [self._shown(by_order[place]) for place in first]

    def tunnel(self, key: EntityKey, id: str) -> LiveTunnel | None:
        """One of them."""
        found = self._find(key, id)
        return None if found is None else self._shown(found)

    def close_listener(self, key: EntityKey, id: str) -> bool:
        """End one; whether there was one."""
        channel = self._channel(key, id)
        if channel is not None:
            channel.close(GOING_AWAY, REASON)
        return channel is not None

    def drain_listener(
        self, key: EntityKey, id: str, on: bool
    ) -> ControlChannel | None:
        """
        Have one offered nothing new, or things again.

        @return: the one, if there is one.
        """
        channel = self._channel(key, id)
        if channel is not None:
            channel.draining = on
        return channel

    def close_tunnel(self, key: EntityKey, id: str) -> bool:
        """End one; whether there was one."""
        found = self._find(key, id)
        if found is not None:
            found.close(GOING_AWAY, REASON)
        return found is not None

    def _channel(self, key: EntityKey, id: str) -> ControlChannel | None:
        for channel in self._channels(key):
            if self._prefix + channel.id == id:
                return channel
        return None

    def _channels(self, key: EntityKey) -> list[ControlChannel]:
        channels = self._desk.at(key)[0].channels
        return [one for one in channels if isinstance(one, ControlChannel)]

    def _open(self, key: EntityKey) -> tuple[Open, ...]:
        return self._desk.at(key)[0].open

    def _find(self, key: EntityKey, id: str) -> Open | None:
        for one in self._open(key):
            if self._prefix + one.id == id:
                return one
        return None

    def _shown(self, one: Open) -> LiveTunnel:
        found = one.live(self._wall())
        listener = found.listener
        if listener and "/" not in listener:  # a listener of this node
            listener = self._prefix + listener
        return evolve(found, id=self._prefix + found.id, listener=listener)
