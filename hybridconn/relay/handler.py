"""
What stands behind the front door: who asks for what, may they, and whose turn
is it (relay-protocol sections 2 to 7).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from twisted.logger import Logger
from zope.interface import implementer

from hybridconn.core.entities import (
    Claim,
)
from hybridconn.core.names import fold_segments
from hybridconn.core.refusals import (
    BadRequest,
    ClaimMissing,
    EndpointNotFound,
    Refusal,
    RejectionTaken,
    RendezvousUnknown,
)
from hybridconn.core.rendezvous_address import capability_of, parse_rejection
from hybridconn.core.route import (
    Accept,
    Connect,
    HttpRequest,
    Listen,
    RequestRendezvous,
    Route,
    TokenSource,
    classify,
    token_from,
)
from hybridconn.core.sas import Grant
from hybridconn.interfaces import (
    IAuthorizer,
    IEntityStore,
    IHeldRequest,
    IRequestHandler,
)
from hybridconn.relay.connecting import Admitted, Connecting, Surroundings
from hybridconn.relay.control import ControlChannel
from hybridconn.relay.desk import entity_key
from hybridconn.relay.entrance import Entrance, check_access
from hybridconn.relay.exchange_host import Ticket
from hybridconn.relay.forwarding import Forwarding
from hybridconn.relay.logbook import Logbook
from hybridconn.relay.refusing import RefusalDesk
from hybridconn.relay.rendezvous import Offer
from hybridconn.relay.runtime_info import ATOM_TYPE, is_runtime_query, render
from hybridconn.relay.subprotocol import agree, offered
from hybridconn.socket_options import tune
from hybridconn.web.admission import Admission
from hybridconn.websocket.upkeep import Liveness


class _Watch:
    """Looks after one control channel."""

    def __init__(
        self,
        channel: ControlChannel,
        liveness: Liveness,
        wall: Callable[[], float],
    ) -> None:
        self._channel = channel
        self._liveness = liveness
        self._wall = wall

    def look(self, now: float) -> None:
        self._channel.look(now, self._wall())
        self._liveness.look(now)


@implementer(IRequestHandler)
class RelayHandler:
    """
    Answers every request of one relay.

    @cvar channel_class: makes the control channels; a subclass of
        L{ControlChannel <hybridconn.relay.control.ControlChannel>}.
    @param wall: seconds since 1970-01-01 UTC.
    """

    log = Logger()
    channel_class = ControlChannel

    def __init__(
        self,
        around: Surroundings,
        store: IEntityStore,
        authorizer: IAuthorizer,
        admission: Admission,
        wall: Callable[[], float],
    ) -> None:
        self._around = around
        self._entrance = Entrance(store, authorizer, around.audit, wall)
        self._admission = admission
        self._wall = wall
        self._serial = itertools.count(1)
        logbook = Logbook(around.limits.log_lines_per_minute)
        around.upkeep.add(logbook)
        self._refusals = RefusalDesk(
            store, admission, around.clock, logbook, around.desk.refusals
        )

    def handle(self, request: IHeldRequest) -> None:
        try:
            route = classify(request.head)
            # A good accept is paid for by the connect that it belongs to, and
            # a client that has shown a right once asks one by one.
            free = isinstance(route, Accept | RequestRendezvous) or request.known
            if not free:
                self._admission.allow_handshake(request.peer.host)
            self._dispatch(route, request)
        except Refusal as refusal:
            self._refusals.refuse(request, refusal)

    def _dispatch(self, route: Route, request: IHeldRequest) -> None:
        if isinstance(route, Listen):
            self._listen(route, request)
        elif isinstance(route, Connect):
            self._connect(route, request)
        elif isinstance(route, Accept):
            self._accept(route, request)
        elif isinstance(route, HttpRequest):
            self._http(route, request)
        elif isinstance(route, RequestRendezvous):
            self._request_rendezvous(route, request)

    # --- listen ---

    def _listen(self, route: Listen, request: IHeldRequest) -> None:
        address, head = route.address, request.head
        place = self._entrance.enter(route, request)
        grant = self._entrance.authorize(place, Claim.LISTEN, route, request)
        entity = place.whole_entity
        wanted = offered(head)
        around = self._around
        key = entity_key(place.namespace.name, entity.path)

        def renew(token: str) -> Grant:
            return self._entrance.renew(token, route, request)

        def gone(channel: ControlChannel) -> None:
            around.upkeep.discard(watch)
            around.presence.withdraw(channel)
            around.desk.check_out(key, channel)
            self.log.info(
                "listener {id} of {entity} is gone", id=channel.id, entity=entity.path
            )

        channel = self.channel_class(
            f"L{next(self._serial)}",
            place.namespace,
            entity,
            head,
            (request.peer.host, request.peer.port),
            grant,
            around.limits,
            self._wall(),
            sb_hc_id=address.sb_hc_id,
            secure=request.secure,
            renew=renew,
            gone=gone,
            tracking=str(request.tracking),
        )
        around.desk.check_in(key, channel)
        socket = around.websockets.build(control=True)
        watch = _Watch(
            channel,
            Liveness(
                socket,
                around.limits.ping_interval,
                around.limits.pong_timeout,
                f"listener {channel.id}",
            ),
            self._wall,
        )
        self.log.info(
            "listener {id} of {entity} is online from {address} tracking {tracking}",
            id=channel.id,
            entity=entity.path,
            address=request.peer.host,
            tracking=str(request.tracking),
        )
        around.upkeep.add(watch)
        socket.attach(channel)
        channel.tunnel = socket
        request.upgrade(socket, wanted[0] if wanted else None)
        if channel.online:
            tune(socket.transport, control=True)
        channel.opened()
        if channel.online:
            around.presence.announce(key, channel)
        self._admission.succeeded(request.peer.host)

    # --- connect ---

    def _connect(self, route: Connect, request: IHeldRequest) -> None:
        Connecting(
            self._around,
            self._sender(route, request, websocket=True),
            request,
            route.address,
            lambda refusal: self._refusals.refuse(request, refusal),
        ).start()

    def _sender(self, route: Route, request: IHeldRequest, websocket: bool) -> Admitted:
        """
        Who wants what, and what allows it.

        @raise Refusal: nobody may, or there is no such entity.
        """
        place = self._entrance.enter(route, request)
        grant = self._entrance.authorize(place, Claim.SEND, route, request, websocket)
        entity = place.open_entity
        if websocket:
            offered(request.head)  # a malformed one costs no listener anything
        request.authenticated()
        self._refusals.note_foreign_id(request)
        # Where no token was asked for, none was evaluated (section 3.1).
        source = TokenSource.NONE
        if not grant.anonymous:
            source = token_from(request.head, route.address, websocket).source
        return Admitted(place.namespace, entity, source, grant.rule_name)

    # --- accept ---

    def _accept(self, route: Accept, request: IHeldRequest) -> None:
        address = route.address
        offer = self._around.desk.find(capability_of(address), Offer)
        # The secret alone says whose sender it is: all namespaces may have one
        # public address, so the Host says nothing here.
        if fold_segments(address.segments) != offer.segments:
            raise RendezvousUnknown()
        check_access(offer.host.namespace, request)
        rejection = parse_rejection(offer.query, address.raw_query or "")
        if rejection is not None:
            offer.rendezvous.reject(rejection)
            raise RejectionTaken()
        try:
            subprotocol = agree(offer.host.sender.head, request.head)
        except BadRequest:
            offer.rendezvous.decline(offer)
            raise
        offer.rendezvous.join(offer, request, subprotocol)
        self._admission.succeeded(offer.host.sender.peer.host)

    # --- HTTP ---

    def _request_rendezvous(
        self, route: RequestRendezvous, request: IHeldRequest
    ) -> None:
        ticket = self._around.desk.find(capability_of(route.address), Ticket)
        if fold_segments(route.address.segments) != ticket.segments:
            raise RendezvousUnknown()
        check_access(ticket.exchange.namespace, request)
        offered(request.head)  # a malformed one is refused, the address stays good
        ticket.exchange.open(request)

    def _http(self, route: HttpRequest, request: IHeldRequest) -> None:
        if is_runtime_query(request.head, route.address):
            self._describe(route, request)
        elif route.address.segments:
            self._forward(route, request)
        elif request.head.method in ("GET", "HEAD"):
            request.answer(200, "OK", (("Content-Type", "text/plain"),), b"relay\n")
        else:
            raise EndpointNotFound()

    def _forward(self, route: HttpRequest, request: IHeldRequest) -> None:
        Forwarding(
            self._around,
            self._sender(route, request, websocket=False),
            request,
            route.address,
            lambda refusal: self._refusals.refuse(request, refusal),
            lambda what: self._refusals.note_cut(request, what),
        ).start()

    def _describe(self, route: HttpRequest, request: IHeldRequest) -> None:
        place = self._entrance.enter(route, request)
        authorize = self._entrance.authorize
        try:
            authorize(place, Claim.LISTEN, route, request, websocket=False)
        except ClaimMissing:
            # A token in any case: who may connect without one is to learn nothing.
            authorize(place.guarded, Claim.SEND, route, request, websocket=False)
        entity = place.whole_entity
        listeners = self._around.desk.listeners(
            entity_key(place.namespace.name, entity.path)
        )
        request.answer(
            200,
            "OK",
            (("Content-Type", ATOM_TYPE),),
            render(entity, request.head.authority, listeners),
        )
