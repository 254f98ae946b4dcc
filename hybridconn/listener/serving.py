"""The HTTP requests of one hybrid connection, on the listener's side (section 7)."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.core.http_commands import Request, RequestOffer
from hybridconn.core.refusals import InternalError, Refusal
from hybridconn.listener.channel import Reply
from hybridconn.listener.request import ListenerRequest
from hybridconn.listener.request_rendezvous import RequestRendezvous
from hybridconn.socket_options import tune
from hybridconn.websocket.client import TunnelClientProtocol
from hybridconn.websocket.keeper import Keeper
from hybridconn.websocket.words import explain, is_surprise


class RequestServer:
    """
    Takes requests from the control channel, or fetches them from their rendezvous.

    @param respond: gets each of them.
    @param dial: opens the WebSocket of an address.
    @param open_ends: where rendezvous stand while they are open.
    """

    log = Logger()

    def __init__(
        self,
        entity: str,
        respond: Callable[[ListenerRequest], None],
        dial: Callable[[str], Deferred[TunnelClientProtocol]],
        clock: IReactorTime,
        keeper: Keeper,
        open_ends: MutableMapping[Any, Deferred[None]],
    ) -> None:
        self._entity = entity
        self._respond = respond
        self._dial = dial
        self._clock = clock
        self._keeper = keeper
        self._open_ends = open_ends

    def received(self, request: Request, body: bytes, reply: Reply) -> None:
        """A request came over the control channel."""
        self._serve(
            ListenerRequest(
                request, self._entity, self._clock, self._to_respond, body, reply
            )
        )

    def offered(self, offer: RequestOffer) -> None:
        """One waits at its rendezvous."""

        def received(
            rendezvous: RequestRendezvous, request: Request, body: bytes | None
        ) -> None:
            self._serve(
                ListenerRequest(
                    request,
                    self._entity,
                    self._clock,
                    self._to_respond,
                    body,
                    rendezvous=rendezvous,
                )
            )

        def opened(tunnel: TunnelClientProtocol) -> None:
            tunnel.attach(self._watch(RequestRendezvous(tunnel, self._clock, received)))

        self._reach(offer.address).addCallbacks(opened, lambda _: None)

    # --- ours ---

    def _serve(self, request: ListenerRequest) -> None:
        try:
            self._respond(request)
        except Refusal as refusal:
            request.refuse(refusal)
        except Exception:  # whoever responds may be anybody's
            self.log.failure(
                "{entity}: request {tracking} could not be answered",
                entity=self._entity,
                tracking=str(request.tracking),
            )
            request.refuse(InternalError())

    def _to_respond(self, address: str) -> Deferred[RequestRendezvous]:
        """Open the rendezvous of a request that was read already."""

        def opened(tunnel: TunnelClientProtocol) -> RequestRendezvous:
            rendezvous = self._watch(RequestRendezvous(tunnel, self._clock))
            tunnel.attach(rendezvous)
            return rendezvous

        return self._reach(address).addCallback(opened)

    def _reach(self, address: str) -> Deferred[Any]:
        def failed(failure: Failure) -> Failure:
            # A sender that left meanwhile is no news.
            self.log.info(
                "{entity}: no rendezvous for a request: {reason}",
                entity=self._entity,
                reason=explain(failure),
            )
            if is_surprise(failure):
                what = "{entity}: a rendezvous failed"
                self.log.failure(what, failure, entity=self._entity)
            return failure

        dialled: Deferred[Any] = self._dial(address)
        return dialled.addErrback(failed)

    def _watch(self, rendezvous: RequestRendezvous) -> RequestRendezvous:
        tunnel = rendezvous.tunnel
        tune(tunnel.transport, control=False)
        self._keeper.watch(tunnel, f"{self._entity}: a request's rendezvous")
        self._open_ends[rendezvous] = rendezvous.done

        def over(_: None) -> None:
            self._keeper.forget(tunnel)
            del self._open_ends[rendezvous]

        rendezvous.done.addCallback(over)
        return rendezvous
