"""One sender's way through the relay: from its held request to its tunnel."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

from attrs import define, evolve, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from hybridconn.core.commands import Accept
from hybridconn.core.entities import HybridConnection, Namespace
from hybridconn.core.headers import connect_headers
from hybridconn.core.http import split_authority
from hybridconn.core.limits import Limits
from hybridconn.core.listeners import CHOSEN, SenderRequest, take_avoided
from hybridconn.core.live import LiveTunnel
from hybridconn.core.names import fold_segments
from hybridconn.core.refusals import Refusal, Rejected
from hybridconn.core.rendezvous_address import build_address, query_of
from hybridconn.core.route import EntityAddress, TokenSource
from hybridconn.interfaces import IAudit, IHeldRequest, IPresence
from hybridconn.relay.desk import Desk, entity_key
from hybridconn.relay.rendezvous import Channel, Offer, Rendezvous
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.closing import close_reason
from hybridconn.websocket.server import TunnelServerFactory
from hybridconn.websocket.splice import Ending, Splice
from hybridconn.websocket.upkeep import Kept, Liveness, Upkeep


@frozen
class PublicUrl:
    """
    By which address listeners reach this relay.  What is left out is taken
    from the listener's own control channel (relay-protocol section 5.1).

    @ivar authority: C{host[:port]}.
    @ivar secure: C{wss} or C{ws}.
    @ivar port: in place of the one in C{authority}, or of the listener's own: that
        of this process, where several share a public port.
    """

    authority: str | None = None
    secure: bool | None = None
    port: int | None = None

    def authority_for(self, channel: Channel) -> str:
        """C{host[:port]} for an address that C{channel} is sent."""
        authority = self.authority or channel.authority
        if self.port is None:
            return authority
        host, _ = split_authority(authority)
        return f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def secure_for(self, channel: Channel) -> bool:
        """Whether such an address is C{wss}."""
        return channel.secure if self.secure is None else self.secure


@frozen(kw_only=True)
class Surroundings:
    """
    What all senders and listeners of one relay share.

    @ivar log_requests: write a line for each HTTP request that was answered.
    @ivar audit: is told of each use of a key; L{None}: nobody is.
    """

    desk: Desk
    limits: Limits
    clock: IReactorTime
    upkeep: Upkeep
    websockets: TunnelServerFactory
    public_url: PublicUrl
    presence: IPresence
    log_requests: bool = False
    audit: IAudit | None = None


@frozen
class Admitted:
    """
    A sender that may go on.

    @ivar namespace: whose it asked for, as it was then.
    @ivar token_source: where its token was; it does not go further.
    @ivar rule_name: the rule that lets it in; empty if it needed none.
    """

    namespace: Namespace
    entity: HybridConnection
    token_source: TokenSource
    rule_name: str

    @property
    def key(self) -> tuple[str, str]:
        """At the desk."""
        return entity_key(self.namespace.name, self.entity.path)

    @property
    def strip_authorization(self) -> bool:
        """Whether the header field C{Authorization} was for the relay."""
        return self.token_source is TokenSource.AUTHORIZATION_HEADER


def sender_request(
    admitted: Admitted,
    request: IHeldRequest,
    address: EntityAddress,
    headers: Mapping[str, str],
    avoid: frozenset[str] | None = None,
) -> SenderRequest:
    """What a load balancer gets to know of a sender."""
    return SenderRequest(
        namespace=admitted.namespace.name,
        entity_path=admitted.entity.path,
        # A link's name behind an IPv6 address says nothing to anybody else.
        address=request.peer.host.partition("%")[0],
        port=request.peer.port,
        headers=headers,
        query=address.passed_query,
        tracking_id=str(request.tracking),
        avoid=avoid,
    )


class Connecting:
    """
    The L{Host <hybridconn.relay.rendezvous.Host>} of one rendezvous.

    @param address: the sender's path and query.
    @param refuse: answers the sender with a refusal.
    @raise Refusal: the sender's headers cannot be passed on.
    """

    log = Logger()

    def __init__(
        self,
        around: Surroundings,
        admitted: Admitted,
        request: IHeldRequest,
        address: EntityAddress,
        refuse: Callable[[Refusal], None],
    ) -> None:
        self.namespace = admitted.namespace
        self.entity = admitted.entity
        self.sender = request
        self.key = admitted.key
        self._rule_name = admitted.rule_name
        self._around = around
        self._address = address
        self._tracking = request.tracking
        self._refuse = refuse
        headers = connect_headers(
            request.head,
            around.limits,
            strip_authorization=admitted.strip_authorization,
            rule_name=admitted.rule_name,
        )
        node = around.presence.node
        self._node = f"{node}/" if node else ""
        avoid = take_avoided(headers)
        if avoid:
            # Here, those of this node go by shorter ids.
            avoid = frozenset(one.removeprefix(self._node) for one in avoid)
        self._sender_request = sender_request(
            admitted, request, address, headers, avoid
        )
        self._offered: list[Channel] = []

    def start(self) -> None:
        """
        Look for a listener.

        @raise Refusal: nobody listens, or there is no room for one more sender.
        """
        around = self._around
        rendezvous = Rendezvous(self, around.clock, around.limits)
        around.desk.enqueue(self.key, rendezvous)
        self.sender.on_gone(lambda: self._gone(rendezvous))
        rendezvous.begin()

    def _gone(self, rendezvous: Rendezvous) -> None:
        self.log.info(
            "sender {sender} of {entity} left before a listener came, {tracking}",
            sender=f"{self.sender.peer.host}:{self.sender.peer.port}",
            entity=self.entity.path,
            tracking=str(self._tracking),
        )
        rendezvous.abandon()

    # --- Host ---

    def next_listener(self, tried: Collection[Channel]) -> Channel | None:
        return self._around.desk.choose(self.key, self._sender_request, tried)

    def offer(self, rendezvous: Rendezvous, channel: Channel) -> Offer:
        desk, public = self._around.desk, self._around.public_url
        capability = desk.new_capability()
        address = build_address(
            public.authority_for(channel),
            public.secure_for(channel),
            self._address.raw_path,
            self._address.passed_query,
            "accept",
            capability,
            self._tracking,
        )
        offer = Offer(
            rendezvous,
            channel,
            self,
            capability,
            fold_segments(self._address.segments),
            query_of(address),
        )
        channel.offer(
            Accept(
                address=address,
                id=str(self._tracking),
                connect_headers=self._sender_request.headers,
                remote_address=self._sender_request.address,
                remote_port=self._sender_request.port,
            )
        )
        desk.issue(offer)
        self._offered.append(channel)
        channel.offered += 1
        return offer

    def revoke(self, offers: Collection[Offer]) -> None:
        for offer in offers:
            self._around.desk.revoke(offer)
            offer.channel.offered -= 1

    def refuse(self, refusal: Refusal) -> None:
        if isinstance(refusal, Rejected) and len(self._offered) == 1:
            refusal = evolve(refusal, more=self._chosen(self._offered[0]))
        self._refuse(refusal)

    def _chosen(self, channel: Channel) -> tuple[tuple[str, str], ...]:
        """Who was chosen, as a field for a sender that wants to know."""
        if self._sender_request.avoid is None:
            return ()
        id = channel.ref.id
        return ((CHOSEN, id if "/" in id else self._node + id),)

    def splice(
        self, offer: Offer, listener: IHeldRequest, subprotocol: str | None
    ) -> None:
        websockets = self._around.websockets
        sender_leg, listener_leg = websockets.build(), websockets.build()
        tunnel = _Tunnel(
            self._around,
            offer.channel,
            self.key,
            self.entity.path,
            str(self._tracking),
            address_of(self.sender),
            address_of(listener),
            self._rule_name,
            self._around.desk.new_number(),
        )
        splice = tunnel.begin(sender_leg, listener_leg)
        # Both ends learn the sender's tracking id.
        tracking = (("TrackingId", str(self._tracking)),)
        # The listener first: section 6.1, step 2.
        listener.upgrade(listener_leg, subprotocol, tracking)
        chosen = self._chosen(offer.channel)
        self.sender.upgrade(sender_leg, subprotocol, (*tracking, *chosen))
        splice.wire()

    def settled(self, rendezvous: Rendezvous) -> None:
        self._around.desk.dequeue(self.key, rendezvous)


@define(eq=False)
class _Tunnel:
    """
    What is kept of a tunnel while it lives: nothing of the requests that made it,
    as there are thousands.
    """

    log = Logger()

    _around: Surroundings
    _channel: Channel
    _key: tuple[str, str]
    _entity: str
    _tracking: str
    _sender: str
    _listener: str
    _rule: str
    _number: int
    _started: float = 0.0
    _splice: Splice | None = None
    _watched: tuple[Kept, ...] = ()

    def begin(
        self, sender_leg: StreamingWebSocket, listener_leg: StreamingWebSocket
    ) -> Splice:
        """Join the legs, whose handshakes are still to come, and watch over them."""
        around = self._around
        self._started = around.clock.seconds()
        self._splice = splice = Splice(
            sender_leg, listener_leg, around.limits, self._ended
        )
        self._watched = (
            splice,
            self._liveness(sender_leg, "sender"),
            self._liveness(listener_leg, "listener"),
        )
        self._channel.connections += 1
        around.desk.add_tunnel(self._key, self)
        for kept in self._watched:
            around.upkeep.add(kept)
        return splice

    # --- Open ---

    @property
    def id(self) -> str:
        return f"T{self._number}"

    @property
    def carried(self) -> tuple[int, int]:
        return (0, 0) if self._splice is None else self._splice.carried

    def live(self, wall: float) -> LiveTunnel:
        sender_bytes, listener_bytes = self.carried
        return LiveTunnel(
            id=self.id,
            http=False,
            since=wall - (self._around.clock.seconds() - self._started),
            sender=self._sender,
            listener=self._channel.ref.id,
            listener_address=self._listener,
            tracking=self._tracking,
            rule=self._rule,
            sender_bytes=sender_bytes,
            listener_bytes=listener_bytes,
        )

    def close(self, code: int, reason: str) -> None:
        if self._splice is not None:
            self._splice.close(code, close_reason(reason))

    def _liveness(self, leg: StreamingWebSocket, end: str) -> Liveness:
        limits = self._around.limits
        name = f"{self._tracking} {end}"
        return Liveness(leg, limits.ping_interval, limits.pong_timeout, name)

    def _ended(self, ending: Ending) -> None:
        around = self._around
        self._channel.connections -= 1
        around.desk.remove_tunnel(self._key, self)
        for kept in self._watched:
            around.upkeep.discard(kept)
        self.log.info(
            "tunnel {tracking} {entity}: ended by {ending.ended_by} in"
            " {ending.ended_in} ({ending.why}); sender {sender} listener {listener}"
            " bytes {ending.sender_bytes}/{ending.listener_bytes} {duration:.3f} s",
            tracking=self._tracking,
            entity=self._entity,
            ending=ending,
            sender=self._sender,
            listener=self._listener,
            duration=around.clock.seconds() - self._started,
        )


def address_of(request: IHeldRequest) -> str:
    """Where it comes from, C{host:port}."""
    return f"{request.peer.host}:{request.peer.port}"
