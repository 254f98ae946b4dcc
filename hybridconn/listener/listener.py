"""One hybrid connection, listened on: from the accept command to the tunnel."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

from twisted.application.service import Service
from twisted.internet.defer import Deferred, gatherResults
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.config.listener import ListenerTimings
from hybridconn.core.commands import Accept
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.http_commands import Request, RequestOffer
from hybridconn.core.limits import Limits
from hybridconn.core.probe import PROBE, offers_probe
from hybridconn.core.refusals import NotImplementedHere
from hybridconn.core.reuse import Kind, choose_kind, first_offered
from hybridconn.interfaces import (
    IDialer,
    IRequestResponder,
    ITargetConnector,
    ITargetProber,
    ITunnel,
    ITunnelEnd,
)
from hybridconn.listener.channel import ControlChannelClient, Reply
from hybridconn.listener.dialing import RendezvousDialer
from hybridconn.listener.draining import drain
from hybridconn.listener.probe import ProbeDesk
from hybridconn.listener.reaching import Reach
from hybridconn.listener.reject import Reject
from hybridconn.listener.rejecting import Rejections
from hybridconn.listener.request import ListenerRequest
from hybridconn.listener.reuse import ListenerCarrier
from hybridconn.listener.serving import RequestServer
from hybridconn.listener.states import ChannelStatus
from hybridconn.socket_options import tune
from hybridconn.websocket.autobahn_frames import DataPath
from hybridconn.websocket.bridge import WebSocketEnd
from hybridconn.websocket.client import TunnelClientProtocol
from hybridconn.websocket.closing import GOING_AWAY
from hybridconn.websocket.keeper import Keeper
from hybridconn.websocket.reading import ReadSizes
from hybridconn.websocket.words import explain, is_surprise

_STOPS = b"the listener stops"


class HybridConnectionListener(Service):
    """
    Listens on one hybrid connection and joins each sender to what
    C{connector} reaches for it.  It goes on for ever, whatever the relay says.

    Meant to be subclassed: L{accept_requested} decides on each sender,
    L{choose_subprotocol} on its sub-protocol, L{online} and L{offline} hear of
    every change.  It is a service: it runs from C{startService} to
    C{stopService}, with or without a parent.

    @ivar entity: the hybrid connection's path.
    @param connection: with an entity path, and a key or a token.
    @param drain_timeout: seconds that tunnels may go on when it is stopped; 0
        ends them at once, L{None} leaves them alone.
    @param read_sizes: shared by all listeners of a process.
    @param data_path: who reads and writes the frames of tunnels.
    @param reuse: let senders of ours carry one connection after the other over a
        tunnel, and have tunnels ready.
    @param dial_ahead: reach the target already when such a tunnel is ready.
    @param heeds_targets: C{connector} joins a sender to the target that it wants, or
        refuses it (L{hybridconn.core.targets}).
    @param responder: answers HTTP requests; without one they get 501.
    @param prober: reaches the target for probes; without one they are not known here.
    """

    log = Logger()
    channel_class = ControlChannelClient

    def __init__(
        self,
        connection: ConnectionString,
        connector: ITargetConnector,
        dialer: IDialer,
        reactor: Any,
        *,
        timings: ListenerTimings | None = None,
        limits: Limits | None = None,
        keeper: Keeper | None = None,
        drain_timeout: float | None = 5.0,
        read_sizes: ReadSizes | None = None,
        data_path: DataPath = "slim",
        reuse: bool = False,
        dial_ahead: bool = False,
        heeds_targets: bool = False,
        responder: IRequestResponder | None = None,
        prober: ITargetProber | None = None,
        rng: Callable[[], float] = random.random,
        wall: Callable[[], float] = time.time,
        new_guid: Callable[[], UUID] = uuid4,
    ) -> None:
        self.entity = connection.require_entity_path()
        self._clock = reactor
        timings = timings or ListenerTimings()
        limits = limits or Limits()
        self._keeper = keeper or Keeper(
            reactor, timings.ping_interval, timings.dead_after
        )
        self._drain_timeout = drain_timeout
        self._pending: set[Deferred[None]] = set()
        self._tunnels: dict[Any, Deferred[None]] = {}
        self._rendezvous = RendezvousDialer(
            dialer,
            reactor,
            secure=connection.secure,
            timeout=timings.accept_dial_timeout,
            limits=limits,
            data_path=data_path,
            read_sizes=read_sizes or ReadSizes(reactor, limits.read_bytes),
        )
        self._rejections = Rejections(
            self.entity, self._rendezvous, self.sender_refused
        )
        self._reach = Reach(
            connection.host,
            self.entity,
            connector,
            lambda accept: self.accept_requested(accept),
            lambda: bool(self.running),
            self._rejections,
        )
        self._reuse = reuse
        self._dial_ahead = dial_ahead
        self._heeds_targets = heeds_targets
        self._carriers: set[ListenerCarrier] = set()
        self._responder = responder
        self._probes: ProbeDesk | None = None
        if prober is not None:
            self._probes = ProbeDesk(
                self.entity,
                prober,
                reactor,
                self._keeper,
                admit=self.accept_requested,
                dial=lambda accept: self._rendezvous.dial(accept.address, (PROBE,)),
                refuse=self._rejections.tell,
                control_id=lambda: self.channel.tracking_id,
            )
        self._requests = RequestServer(
            self.entity,
            self.respond,
            self._rendezvous.dial_checked,
            reactor,
            self._keeper,
            self._tunnels,
        )
        self.channel = self.channel_class(
            connection,
            self,
            dialer,
            reactor,
            timings=timings,
            limits=limits,
            keeper=self._keeper,
            rng=rng,
            wall=wall,
            new_guid=new_guid,
        )

    # --- to be extended ---

    def accept_requested(self, accept: Accept) -> Deferred[None] | None:
        """
        Decide on a sender before anything is done for it.  May be overridden.

        @param accept: the sender's headers (C{accept.header(name)}), address
            and tracking id.
        @return: L{None}, or a Deferred; the relay gives up after 30 s in all.
        @raise Reject: with the status and the words that the sender gets.  The
            Deferred may fail with it as well.
        """
        return None

    def choose_subprotocol(self, accept: Accept) -> str | None:
        """
        Choose one of the sub-protocols that the sender offers: the first, as
        other listeners do (relay-protocol section 6.2).  May be overridden.

        @return: L{None} for none.
        """
        return first_offered(accept.header("Sec-WebSocket-Protocol") or "")

    def respond(self, request: ListenerRequest) -> None:
        """
        Answer an HTTP request.  May be overridden; by default the responder does.

        @raise Refusal: the answer.
        """
        if self._responder is None:
            raise NotImplementedHere()
        self._responder.respond(request)

    def online(self) -> None:
        """Registered at the relay.  May be extended."""

    def offline(self, reason: str) -> None:
        """Not, or no longer, registered; it dials again.  May be extended."""

    def sender_refused(self, accept: Accept, no: Reject) -> None:
        """A sender was told no.  May be extended."""

    def sender_lost(self, accept: Accept, reason: str) -> None:
        """The relay did not let us in for a sender.  May be extended."""

    def sender_joined(self, accept: Accept, end: ITunnelEnd) -> None:
        """A sender is joined to what was reached for it.  May be extended."""

    def sender_left(self, accept: Accept, end: ITunnelEnd) -> None:
        """Both are gone again.  May be extended."""

    # --- for everybody ---

    @property
    def status(self) -> ChannelStatus:
        """How the control channel is now."""
        return self.channel.status

    @property
    def last_error(self) -> str:
        """Why it is, or last was, offline."""
        return self.channel.last_error

    @property
    def tunnels(self) -> int:
        """How many senders are joined now, and requests that have a rendezvous."""
        return len(self._tunnels)

    def when_online(self, fail_first: bool = True) -> Deferred[None]:
        """As L{ControlChannelClient.when_online}."""
        return self.channel.when_online(fail_first)

    def startService(self) -> None:
        """Begin to listen (Twisted)."""
        super().startService()
        self.begin()

    def begin(self) -> None:
        """Go to the relay.  May be overridden, to go later."""
        self.channel.start()

    def stopService(self) -> Deferred[Any]:
        """
        Listen no more (Twisted).

        @return: fires when the control channel is closed and the tunnels are
            over, for which they have C{drain_timeout}.
        """
        super().stopService()
        drained = drain(self._tunnels, self._clock, self._drain_timeout, _STOPS)
        return gatherResults([self.leave(), drained])

    def leave(self) -> Deferred[None]:
        """
        Take no more senders; tunnels that run go on.

        @return: fires when the control channel is closed.
        """
        for pending in tuple(self._pending):
            pending.cancel()
        for carrier in tuple(self._carriers):
            carrier.retire(GOING_AWAY, _STOPS)
        return self.channel.stop()

    # --- ChannelUser ---

    def accept_received(self, accept: Accept) -> None:
        """A sender waits (the control channel)."""
        serving = Deferred.fromCoroutine(self._serve(accept))
        self._pending.add(serving)

        def served(result: object) -> None:
            self._pending.discard(serving)
            if isinstance(result, Failure) and is_surprise(result):
                what = "{entity}: a sender was not served"
                self.log.failure(what, result, entity=self.entity)

        serving.addBoth(served)

    def request_received(self, request: Request, body: bytes, reply: Reply) -> None:
        """An HTTP request came (the control channel)."""
        self._requests.received(request, body, reply)

    def request_offered(self, offer: RequestOffer) -> None:
        """An HTTP request waits at a rendezvous (the control channel)."""
        self._requests.offered(offer)

    # --- ours ---

    async def _serve(self, accept: Accept) -> None:
        wrong = self._rendezvous.fault_of(accept.address)
        if wrong:
            self.log.error(
                "{entity}: a sender was passed over, its address {wrong}",
                entity=self.entity,
                wrong=wrong,
            )
            return
        if self._probes is not None and offers_probe(accept):
            await self._probes.serve(accept)
            return
        kind = choose_kind(
            accept.header("Sec-WebSocket-Protocol") or "",
            self._reuse,
            self._heeds_targets,
        )
        end = None
        if kind is None or not kind.waits:
            try:
                end = await self._reach.first(accept)
            except Reject as no:
                await self._rejections.reject(accept, no)
                return
        try:
            if kind is not None:
                subprotocol: str | None = kind.name
            elif isinstance(end, WebSocketEnd):
                subprotocol = end.subprotocol
            else:
                subprotocol = self.choose_subprotocol(accept)
            tunnel = await self._rendezvous.dial(
                accept.address, () if subprotocol is None else (subprotocol,)
            )
        except BaseException as error:
            if end is not None:
                end.abandon()
            reason = explain(Failure(error))
            self.sender_lost(accept, reason)
            # A sender that left, or went to another listener, is no news.
            self.log.info(
                "{entity}: no tunnel for {peer}: {reason}, tracking id {tracking_id}",
                entity=self.entity,
                peer=f"{accept.remote_address}:{accept.remote_port}",
                reason=reason,
                tracking_id=accept.id,
            )
            if is_surprise(Failure(error)):
                raise
            return
        tune(tunnel.transport, control=False)
        self._keeper.watch(tunnel, f"{self.entity}: tunnel {accept.id}")
        if kind is not None and kind.carries:
            self._carry(kind, tunnel, accept, end)
        elif end is not None:
            self._join(end, tunnel, accept).addCallback(
                lambda _: self._keeper.forget(tunnel)
            )

    def _carry(
        self,
        kind: Kind,
        tunnel: TunnelClientProtocol,
        accept: Accept,
        end: ITunnelEnd | None,
    ) -> None:
        carrier = ListenerCarrier(
            tunnel,
            accept,
            lambda accept: Deferred.fromCoroutine(self._reach.again(accept)),
            self._join,
            self._carrier_gone,
            self._dial_ahead,
            kind.targeted,
        )
        self._carriers.add(carrier)
        if end is not None:
            self._join(end, carrier.begin(), accept)
        tunnel.attach(carrier)
        if end is None:
            carrier.idle()

    def _carrier_gone(self, carrier: ListenerCarrier) -> None:
        self._carriers.discard(carrier)
        self._keeper.forget(carrier.socket)

    def _join(self, end: ITunnelEnd, tunnel: ITunnel, accept: Accept) -> Deferred[None]:
        self.sender_joined(accept, end)
        done = end.join(tunnel)
        self._tunnels[end] = done

        def over(_: None) -> None:
            del self._tunnels[end]
            self.sender_left(accept, end)

        return done.addCallback(over)
