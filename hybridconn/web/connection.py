"""
One HTTP/1.1 connection until it becomes a WebSocket.

::

    SECURING --TLS done--> READING --a whole head--> HELD --upgrade--> LEFT
                             ^  |                     |
                             |  +--late, malformed--+ |
                             |                      v v
                             +----next request---- answer ----> CLOSING --> LEFT

Each request is held, unanswered, until the relay decides: by an ordinary answer,
with any status and a body, or by an upgrade.  Requests that a client sends
before the answer wait their turn.  h11 knows what HTTP is; the head was counted
and checked before it sees it (L{hybridconn.web.head}).

A request's body is not read: no request that this relay answers needs one, and
the connection is closed behind an answer to a request that has one.  Bodies that
are relayed would be read from h11 between L{FrontDoorProtocol._take} and the
answer, and given to the L{HeldRequest} piece by piece.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

import h11
from attrs import define, field
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    INegotiated,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    ITCPTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.http import RequestHead
from hybridconn.core.limits import Limits
from hybridconn.core.refusals import BadRequest, HeadTimedOut, InternalError, Refusal
from hybridconn.core.route import TRACKING_ID, split_query
from hybridconn.core.tracking import TrackingId
from hybridconn.interfaces import IRequestHandler
from hybridconn.socket_options import tune
from hybridconn.web.admission import Admission
from hybridconn.web.answers import Headers, refusal_answer, render
from hybridconn.web.head import HeadReader
from hybridconn.web.held import HeldRequest
from hybridconn.web.takeover import replace_protocol

#: Seconds that a connection may be silent between two requests.
KEEP_ALIVE: Final = 60.0
#: Bytes that may wait behind a held request before reading stops.
MOST_PENDING: Final = 65536
#: Seconds, and bytes to throw away, until a client must have left after our end.
LINGER: Final = 5.0
LINGER_BYTES: Final = 1024 * 1024


@define
class Surroundings:
    """
    What all connections of one front door share; see L{FrontDoor
    <hybridconn.web.frontdoor.FrontDoor>}.

    @ivar stopping: nobody listens any more; an answer ends its connection.
    @ivar connections: those that were not handed over.
    """

    handler: IRequestHandler
    limits: Limits
    clock: IReactorTime
    admission: Admission
    now: Callable[[], float]
    new_guid: Callable[[], UUID | str]
    stopping: bool = False
    connections: set[FrontDoorProtocol] = field(factory=set)


class _State(enum.Enum):
    SECURING = "the TLS handshake is under way"
    READING = "a head is awaited or half read"
    HELD = "the relay has the request"
    CLOSING = "our end is closed; what still comes is thrown away"
    LEFT = "handed over or lost"


@implementer(IHandshakeListener, IPushProducer)
class FrontDoorProtocol(Protocol):
    """
    One connection.

    As a push producer it is paused while the client does not take its answers:
    until it does, no further request of it is looked at.

    @param address: the client's, as L{Admission} counts it.
    """

    log = Logger()

    def __init__(self, around: Surroundings, address: str) -> None:
        self._around = around
        self._address = address
        self._state = _State.READING
        self._reader = HeadReader(around.limits)
        self._http = h11.Connection(h11.SERVER)
        self._request: HeldRequest | None = None
        self._counted = True
        self._secure = False
        self._body_unread = False
        self._in_loop = False
        self._stalled = False
        self._paused = False
        self._thrown_away = 0
        self._timer: IDelayedCall | None = None
        self._head_timed = False

    # --- called by Twisted ---

    def connectionMade(self) -> None:
        """Begin the time-outs."""
        self._around.connections.add(self)
        transport: Any = self.transport
        tune(transport, control=False)
        transport.registerProducer(self, True)
        self._secure = INegotiated.providedBy(transport) or ISSLTransport.providedBy(
            transport
        )
        if self._secure:
            self._state = _State.SECURING
            self._arm(self._around.limits.tls_handshake_timeout, self._abort)
        else:
            self._await_first()

    def handshakeCompleted(self) -> None:
        """TLS is up."""
        if self._state is _State.SECURING:
            self._await_first()

    def dataReceived(self, data: bytes) -> None:
        """Bytes of this request, or of what stands behind it."""
        if self._state is _State.CLOSING:
            self._thrown_away += len(data)
            if self._thrown_away > LINGER_BYTES:
                self._abort()
            return
        self._reader.feed(data)
        self._read_heads()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The client is gone, or was sent away."""
        self._leave()
        if self._request is not None:
            self._request.leave()

    def pauseProducing(self) -> None:
        """The client does not take its answers."""
        self._stalled = True
        self._pause_or_resume()

    def resumeProducing(self) -> None:
        """The client has taken them."""
        self._stalled = False
        self._read_heads()

    def stopProducing(self) -> None:
        """The connection ends, which connectionLost will say."""

    # --- reading ---

    def _await_first(self) -> None:
        # The time for a first head counts from the connection, not from its
        # first byte: a client that says nothing gets no longer.
        self._state = _State.READING
        self._head_timed = True
        self._arm(self._around.limits.request_head_timeout, self._head_is_late)

    def _await_next(self) -> None:
        self._state = _State.READING
        self._head_timed = False
        self._arm(KEEP_ALIVE, self._head_is_late)

    def _read_heads(self) -> None:
        if not self._in_loop:  # else an answer came from within _take below
            self._in_loop = True
            try:
                while self._state is _State.READING and not self._stalled:
                    if not self._read_one():
                        break
            finally:
                self._in_loop = False
        self._pause_or_resume()

    def _read_one(self) -> bool:
        try:
            raw = self._reader.next_head()
        except Refusal as refusal:
            self._refuse_unread(refusal)
            return False
        if raw is not None:
            self._take(raw)
            return True
        if self._reader.begun and not self._head_timed:
            self._head_timed = True
            self._arm(self._around.limits.request_head_timeout, self._head_is_late)
        return False

    def _take(self, raw: bytes) -> None:
        self._disarm()
        try:
            head = self._parse(raw)
        except h11.RemoteProtocolError:  # its text may repeat a token
            self._refuse_unread(BadRequest())
            return
        self._state = _State.HELD
        transport: Any = self.transport
        request = self._request = HeldRequest(
            self,
            head,
            transport.getPeer(),
            self._secure,
            self._tracking(head.target),
            self._around.now,
        )
        try:
            if self._body_unread and head.wants_websocket:
                # What follows could be a body or frames: nobody can tell.
                raise BadRequest("A WebSocket upgrade has no body")
            self._around.handler.handle(request)
        except Refusal as refusal:
            request.refuse(refusal)
        except Exception:  # a mistake of ours: the client is to have an answer
            self.log.failure(
                "request {tracking} could not be handled",
                tracking=str(request.tracking),
            )
            request.refuse(InternalError())

    def _parse(self, raw: bytes) -> RequestHead:
        self._http.receive_data(raw)
        event = self._http.next_event()
        if not isinstance(event, h11.Request):
            raise h11.RemoteProtocolError("there is no request in it")
        self._body_unread = not isinstance(self._http.next_event(), h11.EndOfMessage)
        return RequestHead(
            method=event.method.decode("ascii"),
            target=event.target.decode("ascii"),
            version=event.http_version.decode("ascii"),
            headers=tuple(
                (name.decode("ascii"), value.decode("latin-1"))
                for name, value in event.headers.raw_items()
            ),
        )

    def _head_is_late(self) -> None:
        if self._reader.begun:
            self._refuse_unread(HeadTimedOut())
        else:
            self._close()

    def _refuse_unread(self, refusal: Refusal) -> None:
        self._body_unread = True  # whatever follows, it is not read as HTTP
        tracking, now = self._tracking(""), self._around.now()
        self.respond(*refusal_answer(refusal, tracking, None, now))

    def _tracking(self, target: str) -> TrackingId:
        parameters, _ = split_query(target.partition("?")[2])
        return TrackingId.choose(parameters.get(TRACKING_ID), self._around.new_guid)

    def _pause_or_resume(self) -> None:
        # A held request's connection is read as long as there is room: only so
        # is a client that leaves noticed.
        full = self._state is _State.HELD and self._reader.pending > MOST_PENDING
        stalled = self._state is _State.READING and self._stalled
        if self._state is not _State.LEFT:
            self._set_paused(full or stalled)

    def _set_paused(self, pause: bool) -> None:
        if pause is not self._paused:
            self._paused = pause
            transport: Any = self.transport
            if pause:
                transport.pauseProducing()
            else:
                transport.resumeProducing()

    # --- answering: held.Connection ---

    def respond(self, status: int, reason: str, headers: Headers, body: bytes) -> None:
        """Write one answer, then read on or close."""
        request, self._request = self._request, None
        head = None if request is None else request.head
        upgrade = head is not None and head.wants_websocket
        transport: Any = self.transport
        try:
            answer = render(
                self._http,
                status,
                reason,
                headers,
                body,
                head=head,
                # Behind a refused upgrade frames may follow, which are no HTTP.
                close=self._body_unread or upgrade or self._around.stopping,
                now=self._around.now(),
            )
        except (h11.LocalProtocolError, UnicodeError):
            self.log.failure("An answer is not possible in HTTP", status=status)
            self._abort()
            return
        transport.write(answer)
        if self._http.our_state is h11.DONE and self._http.their_state is h11.DONE:
            self._http.start_next_cycle()
            self._await_next()
            self._read_heads()
        else:
            self._close()

    def hand_over(self, protocol: Any, first: bytes) -> None:
        """Make C{protocol} the one that this connection's bytes go to."""
        transport: Any = self.transport
        rest = self._reader.take_rest()
        self._request = None
        self._leave()
        transport.unregisterProducer()
        self._set_paused(False)
        replace_protocol(transport, protocol)
        protocol.dataReceived(first + rest)

    def authenticated(self) -> None:
        """The client is known: make its place among the unknown ones free."""
        if self._counted:
            self._counted = False
            self._around.admission.release(self._address)

    # --- the end ---

    def close_if_idle(self) -> None:
        """Close unless a request is held or half read."""
        if self._state is _State.SECURING:
            self._abort()
        elif self._state is _State.READING and not self._reader.begun:
            self._close()

    def _close(self) -> None:
        unread = self._body_unread or self._reader.pending > 0
        self._state = _State.CLOSING
        self._reader.take_rest()
        transport: Any = self.transport
        transport.unregisterProducer()
        self._pause_or_resume()
        # A peer of TLS may never answer our farewell; Twisted waits for ever.
        self._arm(LINGER, self._abort)
        if unread and not self._secure and ITCPTransport.providedBy(transport):
            # Closed whole, the kernel would meet unread bytes with a reset,
            # which can overtake the answer (RFC 9112 section 9.6).
            transport.loseWriteConnection()
        else:
            transport.loseConnection()

    def _abort(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()

    def _leave(self) -> None:
        self._state = _State.LEFT
        self._disarm()
        self.authenticated()
        self._around.connections.discard(self)

    def _arm(self, seconds: float, then: Callable[[], None]) -> None:
        self._disarm()

        def fire() -> None:
            self._timer = None
            then()

        self._timer = self._around.clock.callLater(seconds, fire)

    def _disarm(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
