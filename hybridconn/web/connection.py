"""
One HTTP/1.1 connection until it becomes a WebSocket.

::

    SECURING --TLS done--> READING --a whole head--> HELD --upgrade--> LEFT
                             ^  |                     |
                             |  +--late, malformed--+ |
                             |                      v v
                             +----next request---- answer ----> CLOSING --> LEFT

Each request is held, unanswered, until the relay decides: by an ordinary answer,
with any status and a body, at once or bit by bit, or by an upgrade.  Requests that a
client sends before the answer wait their turn.  h11 knows what HTTP is
(L{hybridconn.web.turn}); the head was counted and checked before it sees it
(L{hybridconn.web.head}).

A request's body is read while it is held, if whoever holds it asks for it.  Behind
an answer to a request whose body was not read to its end the connection is closed.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any, Final

import h11
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    INegotiated,
    IPushProducer,
    ISSLTransport,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.refusals import BadRequest, InternalError, Refusal, RequestTimedOut
from hybridconn.core.route import TRACKING_ID, split_query
from hybridconn.core.tracking import TrackingId
from hybridconn.eager import unsent
from hybridconn.interfaces import IBodySink
from hybridconn.socket_options import tune
from hybridconn.web.answers import Headers
from hybridconn.web.body_watch import BodyWatch
from hybridconn.web.farewell import (
    LEAST_TAKEN,
    LINGER,
    LINGER_BYTES,
    Farewell,
    Taking,
)
from hybridconn.web.head import HeadReader
from hybridconn.web.held import HeldRequest
from hybridconn.web.surroundings import Surroundings
from hybridconn.web.takeover import replace_protocol
from hybridconn.web.turn import Turn

#: Seconds that a connection may be silent between two requests.
KEEP_ALIVE: Final = 60.0
#: Bytes that may wait behind a held request before reading stops.
MOST_PENDING: Final = 65536
__all__ = [
    "KEEP_ALIVE",
    "LEAST_TAKEN",
    "LINGER",
    "LINGER_BYTES",
    "MOST_PENDING",
    "FrontDoorProtocol",
    "Surroundings",
]


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
    until it does, no further request of it is looked at, and whoever makes the answer
    is paused too.

    @param address: the client's, as L{Admission <hybridconn.web.admission.Admission>}
        counts it.
    """

    log = Logger()
    #: Has the connection once it is CLOSING.
    _farewell: Farewell

    def __init__(self, around: Surroundings, address: str) -> None:
        self._around = around
        self._address = address
        self._state = _State.READING
        self._reader = HeadReader(around.limits)
        self._turn = Turn(around.now)
        self._request: HeldRequest | None = None
        self._sink: IBodySink | None = None
        self._body_paused = False
        self._body_watch = BodyWatch(
            around.clock,
            around.limits.body_idle_timeout,
            around.limits.body_bytes_per_second,
        )
        self._answer_source: IPushProducer | None = None
        self._counted = True
        self._secure = False
        self._unreadable = False
        self._in_loop = False
        self._stalled = False
        self._paused = False
        self._taking = Taking()
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
            self._farewell.throw_away(len(data))
            self._pause_or_resume()
        elif self._sink is not None:
            self._feed_body(self._sink, data)
        else:
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
        self._taking.begin(unsent(self.transport))
        if self._answer_source is not None:
            self._answer_source.pauseProducing()
        self._pause_or_resume()

    def resumeProducing(self) -> None:
        """The client has taken them."""
        self._stalled = False
        if self._answer_source is not None:
            self._answer_source.resumeProducing()
        if self._state is _State.READING and not self._head_timed:
            self._arm(KEEP_ALIVE, self._head_is_late)
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
        self._turn = Turn(self._around.now)
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
        turn = self._turn
        try:
            head = turn.read_head(raw)
        except BadRequest as refusal:
            self._refuse_unread(refusal)
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
            turn.body_length,
            known=not self._counted,
            render=self._around.render,
        )
        try:
            if head.wants_websocket and not turn.body_complete:
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

    def _head_is_late(self) -> None:
        if self._stalled:
            # Whether it asks for more cannot be known: it is not read.
            if self._taking.goes_on(unsent(self.transport)):
                self._arm(KEEP_ALIVE, self._head_is_late)
            else:
                self._close()
        elif self._reader.begun:
            self._refuse_unread(RequestTimedOut())
        else:
            self._close()

    def _refuse_unread(self, refusal: Refusal) -> None:
        self._unreadable = True  # whatever follows, it is not read as HTTP
        tracking, now = self._tracking(""), self._around.now()
        self.respond(*self._around.render(refusal, tracking, None, now))

    def _tracking(self, target: str) -> TrackingId:
        parameters, _ = split_query(target.partition("?")[2])
        return TrackingId.choose(parameters.get(TRACKING_ID), self._around.new_guid)

    def _pause_or_resume(self) -> None:
        # A held request's connection is read as long as there is room: only so
        # is a client that leaves noticed.
        if self._state is _State.HELD:
            full = self._reader.pending > MOST_PENDING
            self._set_paused(full or (self._sink is not None and self._body_paused))
        elif self._state is _State.READING:
            self._set_paused(self._stalled)
        elif self._state is _State.CLOSING:
            self._set_paused(self._farewell.heard_enough)

    def _set_paused(self, pause: bool) -> None:
        if pause is not self._paused:
            self._paused = pause
            transport: Any = self.transport
            if pause:
                transport.pauseProducing()
            else:
                transport.resumeProducing()

    # --- the body: held.Connection ---

    def read_body(self, sink: IBodySink) -> None:
        """Give the body to C{sink}, beginning with what is here already."""
        if self._turn.body_complete:
            sink.body_ended()
            return
        here = self._reader.take_rest()
        go_on = b"" if here else self._turn.leave_to_send()
        if go_on:
            transport: Any = self.transport
            transport.write(go_on)
        self._sink = sink
        self._body_watch.start(self._body_is_late)
        if here:
            self._feed_body(sink, here)

    def pause_body(self) -> None:
        """Read nothing more for now; silence is not the client's fault then."""
        self._body_paused = True
        self._body_watch.stop()
        self._pause_or_resume()

    def resume_body(self) -> None:
        """Read on."""
        self._body_paused = False
        if self._sink is not None:
            self._body_watch.start(self._body_is_late)
        self._pause_or_resume()

    def _feed_body(self, sink: IBodySink, data: bytes) -> None:
        self._body_watch.received(len(data))
        turn = self._turn
        try:
            piece = turn.read_body(data)
        except BadRequest as refusal:
            self._body_failed(refusal)
            return
        if turn.body_complete:
            self._end_body()
            self._reader.feed(turn.rest)
        if piece:
            sink.body_received(piece)
        # The sink may have answered, and then wants no more.
        if turn.body_complete and self._request is not None:
            sink.body_ended()
        self._pause_or_resume()

    def _body_is_late(self) -> None:
        self._body_failed(RequestTimedOut())

    def _body_failed(self, refusal: Refusal) -> None:
        sink = self._sink
        self._unreadable = True
        self._end_body()
        if sink is not None:
            sink.body_failed(refusal)

    def _end_body(self) -> None:
        self._sink = None
        self._body_paused = False
        self._body_watch.stop()

    # --- answering: held.Connection ---

    def respond(self, status: int, reason: str, headers: Headers, body: bytes) -> None:
        """Write one answer, then read on or close."""
        close = self._must_close()
        if self._write(
            lambda: [self._turn.answer(status, reason, headers, body, close)]
        ):
            self._answered()

    def begin(
        self, status: int, reason: str, headers: Headers, length: int | None
    ) -> None:
        """Write an answer's head."""
        close = self._must_close()
        self._write(lambda: [self._turn.begin(status, reason, headers, length, close)])

    def write(self, data: bytes) -> None:
        """Write a part of its body."""
        self._write(lambda: self._turn.part(data))

    def end(self) -> None:
        """Its body is complete: read on or close."""
        if self._write(lambda: [self._turn.end()]):
            self._answered()

    def break_off(self) -> None:
        """End the connection so that the client sees that the body is incomplete."""
        self._request = None
        if self._turn.framed:
            self._unreadable = True
            self._close()
        else:  # to HTTP/1.0 an orderly end would be the end of the body
            self._abort()

    def feed_answer_from(self, producer: IPushProducer) -> None:
        """Pause C{producer} while the client takes nothing."""
        self._answer_source = producer
        if self._stalled:
            producer.pauseProducing()

    def _must_close(self) -> bool:
        upgrade = self._turn.head is not None and self._turn.head.wants_websocket
        # Behind a refused upgrade frames may follow, which are no HTTP.
        return self._body_unread or upgrade or self._around.stopping

    @property
    def _body_unread(self) -> bool:
        turn = self._turn
        return self._unreadable or (turn.head is not None and not turn.body_complete)

    def _write(self, render: Callable[[], Iterable[bytes]]) -> bool:
        transport: Any = self.transport
        try:
            pieces = render()
        except (h11.LocalProtocolError, UnicodeError):
            self.log.failure("An answer is not possible in HTTP")
            self._unreadable = True
            self._abort()
            return False
        transport.writeSequence([piece for piece in pieces if piece])
        return True

    def _answered(self) -> None:
        self._request = None
        self._answer_source = None
        self._end_body()
        if self._turn.over and not self._unreadable:
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

    @property
    def tls_version(self) -> str:
        """Such as C{TLSv1.3}; empty for plain TCP."""
        transport: Any = self.transport
        name = getattr(
            transport.getHandle() if hasattr(transport, "getHandle") else None,
            "get_protocol_version_name",
            None,
        )
        return "" if name is None else str(name())

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
        transport: Any = self.transport
        stall = self._around.limits.write_stall_timeout
        self._farewell = Farewell(transport, self._taking, stall, self._arm)
        self._state = _State.CLOSING
        self._answer_source = None
        self._end_body()
        self._reader.take_rest()
        transport.unregisterProducer()
        self._pause_or_resume()
        self._farewell.begin(may_reset=unread and not self._secure)

    def _abort(self) -> None:
        transport: Any = self.transport
        transport.abortConnection()

    def _leave(self) -> None:
        self._state = _State.LEFT
        self._disarm()
        self._end_body()
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
