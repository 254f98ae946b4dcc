"""
Who is here: listeners by entity, offers by their secret, tunnels by entity.

Everything in this module is synchronous and in memory.
"""

from __future__ import annotations

import base64
import hashlib
import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from typing import TypeVar
from uuid import UUID

from attrs import define, field
from twisted.logger import Logger

from hybridconn.core.limits import Limits
from hybridconn.core.listeners import SenderRequest
from hybridconn.core.names import fold
from hybridconn.core.refusals import (
    ConnectionQuota,
    EndpointNotFound,
    ListenerQuota,
    ListenersExcluded,
    NobodyListens,
    NoListeners,
    Refusal,
    RendezvousUnknown,
    ShuttingDown,
    TooManyPending,
)
from hybridconn.interfaces import ILoadBalancer
from hybridconn.relay.control import ControlChannel
from hybridconn.relay.exchange import Exchange
from hybridconn.relay.exchange_host import Ticket
from hybridconn.relay.live import Ended, Open
from hybridconn.relay.rendezvous import Channel, Offer, Rendezvous
from hybridconn.websocket.closing import GOING_AWAY

#: 256 bits: twice what relay-protocol section 5.1 asks for.
_CAPABILITY_BYTES = 32

_Offer = TypeVar("_Offer", Offer, Ticket)

#: Namespace name and entity path, both in lower case.
EntityKey = tuple[str, str]


def entity_key(namespace: str, path: str) -> EntityKey:
    """One key for all spellings of an entity's path (section 11)."""
    return fold(namespace), fold(path)


@define
class Entity:
    """What is going on at one hybrid connection."""

    channels: list[Channel] = field(factory=list)
    pending: set[Rendezvous] = field(factory=set)
    tunnels: set[Open] = field(factory=set)
    exchanges: set[Exchange] = field(factory=set)

    @property
    def waiting(self) -> tuple[Rendezvous | Exchange, ...]:
        return (*self.pending, *self.exchanges)

    @property
    def open(self) -> tuple[Open, ...]:
        """Tunnels and HTTP requests."""
        return (*self.tunnels, *self.exchanges)

    @property
    def idle(self) -> bool:
        return not (self.channels or self.pending or self.tunnels or self.exchanges)


_NOBODY = Entity()
_NOTHING = Ended()


class Desk:
    """
    The relay's register.

    @param balancer: chooses among listeners.
    @param random_bytes: C{random_bytes(n)} gives n unguessable bytes.
    @ivar pending: how many senders wait for a listener.
    """

    _log = Logger()

    def __init__(
        self,
        balancer: ILoadBalancer,
        limits: Limits,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._balancer = balancer
        self._limits = limits
        self._random_bytes = random_bytes
        self._entities: dict[EntityKey, Entity] = defaultdict(Entity)
        self._offers: dict[bytes, Offer | Ticket] = {}
        self._connections: Counter[str] = Counter()
        # Of those where somebody listens or did, until they are deleted.
        self._ended: dict[EntityKey, Ended] = {}
        self._serial = itertools.count(1)
        #: How often each reason was given, by the names of their classes.
        self.refusals: Counter[str] = Counter()
        self._open = True
        self.pending = 0

    # --- listeners ---

    def check_in(self, key: EntityKey, channel: ControlChannel) -> None:
        """
        Put a listener on duty.

        @raise ListenerQuota: the entity has as many as it may.
        @raise ShuttingDown: the desk is closed.
        """
        self._check_open()
        if self.listeners(key) >= self._limits.listeners_per_entity:
            raise ListenerQuota(self._limits.listeners_per_entity)
        self._entities[key].channels.append(channel)
        self._ended.setdefault(key, Ended())

    def check_in_remote(self, key: EntityKey, channel: Channel) -> bool:
        """
        Put a listener of another process on duty; that one keeps the quota.

        @return: whether this desk is open.
        """
        if self._open:
            self._entities[key].channels.append(channel)
            self._ended.setdefault(key, Ended())
        return self._open

    def check_out(self, key: EntityKey, channel: Channel) -> None:
        """Take it off duty, and its offers to others or back."""
        if key not in self._entities:
            return
        entity = self._entities[key]
        if channel in entity.channels:
            entity.channels.remove(channel)
        for waiting in entity.waiting:
            waiting.lose(channel)
        self._tidy(key)

    def listeners(self, key: EntityKey) -> int:
        """How many listeners are on duty."""
        return len(self._entities[key].channels) if key in self._entities else 0

    def choose(
        self, key: EntityKey, request: SenderRequest, tried: Collection[Channel]
    ) -> Channel | None:
        """
        The next listener to offer C{request} to, of those not yet C{tried}.

        @raise ListenersExcluded: there are some, but none that it may go to.
        """
        channels = self._entities.get(key, _NOBODY).channels
        # One that drains is as good as gone for whoever is new.
        on_duty = [channel for channel in channels if not channel.draining]
        candidates = {
            channel.ref: channel
            for channel in on_duty
            if channel.online
            and channel not in tried
            and request.admits(channel.sb_hc_id)
        }
        if not candidates:
            if request.selective and on_duty and not tried:
                raise ListenersExcluded()
            return None
        if request.avoid:
            seen = request.avoid
            fresh = {r: c for r, c in candidates.items() if r.id not in seen}
            candidates = fresh or candidates
        try:
            chosen = self._balancer.choose(tuple(candidates), request)
            if chosen in candidates:
                return candidates[chosen]
        except Exception:  # it may be anybody's; no sender is to suffer from it
            self._log.failure(
                "the load balancer {balancer!r} failed", balancer=self._balancer
            )
        else:
            self._log.error(
                "the load balancer {balancer!r} chose none of its candidates",
                balancer=self._balancer,
            )
        return next(iter(candidates.values()))

    # --- waiting senders ---

    def enqueue(self, key: EntityKey, rendezvous: Rendezvous) -> None:
        """
        Let a sender wait.

        @raise Refusal: nobody listens, too many wait, the namespace has all its
            connections, or the desk is closed.
        """
        self._check_open()
        if not self.listeners(key):
            raise NoListeners()
        limits = self._limits
        if len(self._entities[key].pending) >= limits.pending_per_entity or (
            self.pending >= limits.pending_per_node
        ):
            raise TooManyPending()
        if self._connections[key[0]] >= limits.connections_per_namespace:
            raise ConnectionQuota(limits.connections_per_namespace)
        self._entities[key].pending.add(rendezvous)
        self.pending += 1
        self._connections[key[0]] += 1

    def dequeue(self, key: EntityKey, rendezvous: Rendezvous) -> None:
        """The sender waits no more."""
        entity = self._entities[key]
        if rendezvous in entity.pending:
            entity.pending.remove(rendezvous)
            self.pending -= 1
            self._disconnected(key[0])
        self._tidy(key)

    def new_capability(self) -> str:
        """A fresh secret: letters, digits, C{-} and C{_} only (section 5.1)."""
        secret = base64.urlsafe_b64encode(self._random_bytes(_CAPABILITY_BYTES))
        return secret.rstrip(b"=").decode("ascii")

    def new_id(self) -> str:
        """A fresh GUID."""
        return str(UUID(bytes=self._random_bytes(16), version=4))

    def issue(self, offer: Offer | Ticket) -> None:
        """Let C{offer} be found by its secret."""
        self._offers[_digest(offer.capability)] = offer

    def find(self, capability: str | None, kind: type[_Offer]) -> _Offer:
        """
        The offer that belongs to C{capability}.

        @param kind: of what the address with it is for.
        @raise RendezvousUnknown: there is none, or it was used or withdrawn.
        """
        # Looking up a digest takes no time that depends on the secret.
        offer = self._offers.get(_digest(capability or ""))
        if not isinstance(offer, kind):
            raise RendezvousUnknown()
        return offer

    def revoke(self, offer: Offer | Ticket) -> None:
        """Make its secret void."""
        self._offers.pop(_digest(offer.capability), None)

    # --- tunnels ---

    def new_number(self) -> int:
        """Tells tunnels apart; a tracking id is the sender's to choose."""
        return next(self._serial)

    def add_tunnel(self, key: EntityKey, tunnel: Open) -> None:
        """A tunnel runs."""
        self._entities[key].tunnels.add(tunnel)
        self._connections[key[0]] += 1

    def remove_tunnel(self, key: EntityKey, tunnel: Open) -> None:
        """It ended."""
        entity = self._entities[key]
        if tunnel in entity.tunnels:
            entity.tunnels.remove(tunnel)
            self._disconnected(key[0])
            if key in self._ended:
                self._ended[key].add(tunnel, http=False)
        self._tidy(key)

    # --- HTTP requests ---

    def add_exchange(self, key: EntityKey, exchange: Exchange) -> None:
        """
        Let an HTTP request in.

        @raise Refusal: nobody listens, the namespace has all its connections, or
            the desk is closed.
        """
        self._check_open()
        if not self.listeners(key):
            raise NobodyListens()
        if self._connections[key[0]] >= self._limits.connections_per_namespace:
            raise ConnectionQuota(self._limits.connections_per_namespace)
        self._entities[key].exchanges.add(exchange)
        self._connections[key[0]] += 1

    def remove_exchange(self, key: EntityKey, exchange: Exchange) -> None:
        """It is answered, or over for another reason."""
        entity = self._entities[key]
        if exchange in entity.exchanges:
            entity.exchanges.remove(exchange)
            self._disconnected(key[0])
            if key in self._ended:
                self._ended[key].add(exchange, http=True)
        self._tidy(key)

    # --- ends ---

    def adjust(self, limits: Limits) -> None:
        """How many of each there may be from now on; what is there stays."""
        self._limits = limits

    def close_entity(self, key: EntityKey) -> None:
        """The entity was deleted or disabled (section 5.4)."""
        self._close(key, EndpointNotFound(), "the endpoint was deleted or disabled")
        self._ended.pop(key, None)

    def reopen(self) -> None:
        """The relay starts: listeners and senders are welcome, again."""
        self._open = True

    def close_all(self) -> None:
        """The relay shuts down (section 5.4); nobody is let in until L{reopen}."""
        self._open = False
        for key in tuple(self._entities):
            self._close(key, ShuttingDown(), "the relay is shutting down")

    # --- a look ---

    def at(self, key: EntityKey) -> tuple[Entity, Ended]:
        """What goes on at an entity, and what is over; to be read only."""
        return self._entities.get(key, _NOBODY), self._ended.get(key, _NOTHING)

    @property
    def known(self) -> Collection[EntityKey]:
        """The entities where anything goes on, or did."""
        return self._ended.keys() | self._entities.keys()

    @property
    def keys(self) -> Collection[EntityKey]:
        """The entities where something is going on."""
        return tuple(self._entities)

    @property
    def idle(self) -> bool:
        """Whether nobody is here."""
        return not self._entities

    def _close(self, key: EntityKey, refusal: Refusal, reason: str) -> None:
        entity = self._entities.get(key, _NOBODY)
        for waiting in entity.waiting:
            waiting.dismiss(refusal)
        for channel in tuple(entity.channels):
            channel.close(GOING_AWAY, reason)
        for tunnel in tuple(entity.tunnels):
            tunnel.close(GOING_AWAY, reason)
        self._tidy(key)

    def _check_open(self) -> None:
        if not self._open:
            raise ShuttingDown()

    def _disconnected(self, namespace: str) -> None:
        self._connections[namespace] -= 1
        if not self._connections[namespace]:
            del self._connections[namespace]

    def _tidy(self, key: EntityKey) -> None:
        if key in self._entities and self._entities[key].idle:
            del self._entities[key]


def _digest(capability: str) -> bytes:
    return hashlib.sha256(capability.encode("utf-8", "surrogatepass")).digest()
