"""One HTTP request's way through the relay: from its held request to its answer."""

from __future__ import annotations

from collections.abc import Callable

from twisted.logger import Logger

from hybridconn.core.headers import request_headers
from hybridconn.core.http import join_authority
from hybridconn.core.http_commands import Request
from hybridconn.core.live import LiveTunnel
from hybridconn.core.names import fold_segments
from hybridconn.core.refusals import Refusal
from hybridconn.core.rendezvous_address import build_address
from hybridconn.core.route import EntityAddress
from hybridconn.interfaces import IHeldRequest
from hybridconn.relay.connecting import (
    Admitted,
    Surroundings,
    address_of,
    sender_request,
)
from hybridconn.relay.exchange import Exchange
from hybridconn.relay.exchange_host import Ticket
from hybridconn.relay.rendezvous import Channel
from hybridconn.relay.response_reader import ResponseReader
from hybridconn.relay.subprotocol import offered
from hybridconn.socket_options import tune
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.upkeep import Kept, Liveness


class Forwarding:
    """
    The L{Host <hybridconn.relay.exchange_host.Host>} of one exchange.

    @param address: the sender's path and query.
    @param refuse: answers the sender with a refusal.
    @param note: writes down what went wrong later.
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
        note: Callable[[str], None],
    ) -> None:
        self.request = request
        self.via = join_authority(request.head.host, None)
        self.note = note
        self.refuse = refuse
        self.namespace = admitted.namespace
        self.key = admitted.key
        self._rule_name = admitted.rule_name
        self._around = around
        self._address = address
        self._watched: Kept | None = None
        self._listener: Channel | None = None
        self._started = around.clock.seconds()
        self._headers = request_headers(
            request.head,
            self.via,
            around.limits,
            strip_authorization=admitted.strip_authorization,
        )
        self._sender_request = sender_request(admitted, request, address, self._headers)

    def start(self) -> None:
        """
        Look for a listener.

        @raise Refusal: nobody listens, or there is no room for one more request.
        """
        around = self._around
        exchange = Exchange(self, around.clock, around.limits, around.desk.new_id())
        around.desk.add_exchange(self.key, exchange)
        exchange.begin()

    # --- Host ---

    def choose(self) -> Channel | None:
        channel = self._around.desk.choose(self.key, self._sender_request, ())
        if channel is not None:
            self._listener = channel
        return channel

    def new_ticket(self, exchange: Exchange) -> Ticket:
        return Ticket(
            exchange,
            self._around.desk.new_capability(),
            fold_segments(self._address.segments),
        )

    def message(self, channel: Channel, ticket: Ticket) -> Request:
        address, sender = self._address, self._sender_request
        query = address.passed_query
        return Request(
            address=build_address(
                self._around.public_url.authority_for(channel),
                self._around.public_url.secure_for(channel),
                address.raw_path,
                query,
                "request",
                ticket.capability,
                self.request.tracking,
            ),
            id=ticket.exchange.request_id,
            method=self.request.head.method,
            target=f"{address.raw_path}?{query}" if query else address.raw_path,
            headers=self._headers,
            remote_address=sender.address,
            remote_port=sender.port,
            body=True,
        )

    def issue(self, ticket: Ticket) -> None:
        self._around.desk.issue(ticket)

    def revoke(self, ticket: Ticket) -> None:
        self._around.desk.revoke(ticket)

    def new_socket(self, reader: ResponseReader) -> StreamingWebSocket:
        around, limits = self._around, self._around.limits
        socket = around.websockets.build()
        reader.socket = socket
        socket.attach(reader)
        name = f"{self.request.tracking} rendezvous"
        self._watched = Liveness(
            socket, limits.ping_interval, limits.pong_timeout, name
        )
        around.upkeep.add(self._watched)
        return socket

    def upgrade(self, listener: IHeldRequest, socket: StreamingWebSocket) -> None:
        wanted = offered(listener.head)
        listener.upgrade(
            socket,
            wanted[0] if wanted else None,
            (("TrackingId", str(self.request.tracking)),),
        )
        if socket.transport is not None:
            tune(socket.transport, control=False)

    def live(self, exchange: Exchange, wall: float) -> LiveTunnel:
        return LiveTunnel(
            id=exchange.id,
            http=True,
            since=wall - (self._around.clock.seconds() - self._started),
            sender=address_of(self.request),
            listener="" if self._listener is None else self._listener.ref.id,
            listener_address="",
            tracking=str(self.request.tracking),
            rule=self._rule_name,
            sender_bytes=exchange.received,
            listener_bytes=exchange.sent,
        )

    def settled(self, exchange: Exchange, socket: StreamingWebSocket | None) -> None:
        around = self._around
        around.desk.remove_exchange(self.key, exchange)
        if self._watched is not None:
            around.upkeep.discard(self._watched)
        if around.log_requests and exchange.status:
            self.log.info(
                "{method} {entity} from {address}: {status} by listener {listener},"
                " bytes {received}/{sent} {duration:.3f} s, {tracking}",
                method=self.request.head.method[:16],
                entity=self._sender_request.entity_path,
                address=self.request.peer.host,
                status=exchange.status,
                listener="" if self._listener is None else self._listener.id,
                received=exchange.received,
                sent=exchange.sent,
                duration=around.clock.seconds() - self._started,
                tracking=str(self.request.tracking),
            )
