"""What goes on at a relay, for whoever looks after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from attrs import define
from zope.interface import implementer

from hybridconn.core.live import Counts, LiveListener, LiveTunnel
from hybridconn.interfaces import ILiveRelay
from hybridconn.websocket.closing import GOING_AWAY

if TYPE_CHECKING:
    from hybridconn.relay.desk import Desk, Entity

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


@implementer(ILiveRelay)
class LiveRelay:
    """
    A look at a desk.

    @param wall: seconds since 1970-01-01 UTC.
    @ivar since: when it was made.
    """

    def __init__(self, desk: Desk, wall: Callable[[], float]) -> None:
        self._desk = desk
        self._wall = wall
        self.since = wall()

    def counts(self, key: tuple[str, ...]) -> Counts:
        """See L{ILiveRelay}; it looks at every tunnel of the hybrid connection."""
        namespace, path = key
        entity, ended = self._desk.at((namespace, path))
        return _counts(entity, ended)

    def sums(self) -> Mapping[str, Counts]:
        """See L{ILiveRelay}; it looks at every tunnel of the relay."""
        sums: dict[str, Counts] = defaultdict(Counts)
        for key in self._desk.known:
            sums[key[0]] += _counts(*self._desk.at(key))
        return sums

    def listeners(self, key: tuple[str, ...]) -> Sequence[LiveListener]:
        """See L{ILiveRelay}."""
        return [channel.live for channel in self._entity(key).channels]

    def tunnels(self, key: tuple[str, ...]) -> Mapping[str, Callable[[], LiveTunnel]]:
        """See L{ILiveRelay}."""
        wall = self._wall()
        return {one.id: partial(one.live, wall) for one in self._entity(key).open}

    def close_listener(self, key: tuple[str, ...], id: str) -> bool:
        """See L{ILiveRelay}."""
        for channel in self._entity(key).channels:
            if channel.live.id == id:
                channel.close(GOING_AWAY, REASON)
                return True
        return False

    def close_tunnel(self, key: tuple[str, ...], id: str) -> bool:
        """See L{ILiveRelay}."""
        for one in self._entity(key).open:
            if one.id == id:
                one.close(GOING_AWAY, REASON)
                return True
        return False

    def _entity(self, key: tuple[str, ...]) -> Entity:
        namespace, path = key
        return self._desk.at((namespace, path))[0]


def _counts(entity: Entity, ended: Ended) -> Counts:
    sender = listener = 0
    for one in entity.open:
        from_sender, from_listener = one.carried
        sender += from_sender
        listener += from_listener
    return Counts(
        listeners=len(entity.channels),
        tunnels=len(entity.tunnels),
        requests=len(entity.exchanges),
        waiting=len(entity.pending),
        sender_bytes=sender,
        listener_bytes=listener,
        ended_tunnels=ended.tunnels,
        ended_requests=ended.requests,
        ended_sender_bytes=ended.sender_bytes,
        ended_listener_bytes=ended.listener_bytes,
    )
