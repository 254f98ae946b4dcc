"""
One HTTP request that is relayed, and its answer (relay-protocol section 7).

    GATHERING --body here--> OFFERED --the listener dials--> OPEN
        |                     |  |                            |
        |            response |  | lost, late                 | response
        |                     v  v                            v
        +-- body fails --> SETTLED <----- end, cut ------ ANSWERING
                                 <------ end, cut ------- DRAINING

A small body is read in full before anything is written, for the control channel
carries nothing else until it is through (section 7.2, delivery A).  Of any other
request the listener gets only an address; the rest waits for it there (delivery B).
A response to delivery A may come either way.  It is never asked of a second
listener: it could be carried out twice (section 1).
"""

from __future__ import annotations

import enum

from attrs import evolve
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from hybridconn.core.entities import Namespace
from hybridconn.core.http_commands import (
    Response,
    encode_request,
    encode_request_offer,
    fits,
)
from hybridconn.core.limits import Limits
from hybridconn.core.live import LiveTunnel
from hybridconn.core.refusals import (
    EndedByOperator,
    HeadersTooLarge,
    ListenerFailed,
    NobodyListens,
    Refusal,
    RendezvousTimedOut,
    RendezvousUnknown,
    ResponseTimedOut,
)
from hybridconn.idle import IdleTimer
from hybridconn.interfaces import IAnswer, IBodySink, IHeldRequest
from hybridconn.relay.exchange_host import Host, Ticket
from hybridconn.relay.rendezvous import Channel
from hybridconn.relay.response_reader import ResponseReader
from hybridconn.relay.responses import Headers, bodiless, passed_headers, told_length
from hybridconn.relay.valve import Valve
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.closing import (
    GOING_AWAY,
    NORMAL,
    PROTOCOL_ERROR,
    close_reason,
)

__all__ = ["Exchange", "Host", "Ticket"]


class _State(enum.Enum):
    GATHERING = "its body is read, to be sent behind the command"
    OFFERED = "a listener knows of it"
    OPEN = "the listener came to the rendezvous; no response yet"
    ANSWERING = "the response is passed on"
    DRAINING = "the sender has its answer; a body that it must not get comes in"
    SETTLED = "over"


@implementer(IBodySink)
class Exchange:
    """
    Every method may be called in every state.

    @ivar request_id: names the request to the listener.
    @ivar status: of the listener's response; 0 before that.
    @ivar received: bytes of the request's body so far.
    @ivar sent: bytes of the response's body so far.
    """

    status = 0
    received = 0
    sent = 0

    def __init__(
        self, host: Host, clock: IReactorTime, limits: Limits, request_id: str
    ) -> None:
        self.request_id = request_id
        self._host = host
        self._request = host.request
        self._limits = limits
        self._timer = IdleTimer(clock)
        self._state = _State.GATHERING
        self._gathered: list[bytes] = []
        self._channel: Channel | None = None
        self._ticket: Ticket | None = None
        self._command = ""
        self._by_rendezvous = False
        self._reader: ResponseReader | None = None
        self._socket: StreamingWebSocket | None = None
        self._answer: IAnswer | None = None

    @property
    def namespace(self) -> Namespace:
        """Of the sender, as it was when that came."""
        return self._host.namespace

    # --- Open ---

    @property
    def id(self) -> str:
        return self.request_id

    @property
    def carried(self) -> tuple[int, int]:
        return self.received, self.sent

    def live(self, wall: float) -> LiveTunnel:
        return self._host.live(self, wall)

    def close(self, code: int, reason: str) -> None:
        self._end(EndedByOperator(), code, reason)

    def begin(self) -> None:
        """Take the request to a listener."""
        self._request.on_gone(self._abandon)
        if self._state is _State.SETTLED:
            return
        length = self._request.body_length
        if length is None or length > self._limits.inline_body_bytes:
            self._offer(None)
        else:
            self._request.read_body(self)

    def _held_back(self, held_back: bool) -> None:
        """One side takes nothing; that has a time limit of its own."""
        limits = self._limits
        answering = self._state is _State.ANSWERING
        seconds = limits.body_idle_timeout if answering else limits.response_timeout
        if held_back:
            seconds = limits.write_stall_timeout
        if self._state is _State.SETTLED or not seconds:
            self._timer.stop()
        else:
            self._timer.start(seconds, self._is_late)

    # --- the request's body: IBodySink ---

    def body_received(self, data: bytes) -> None:
        self.received += len(data)
        if self._state is _State.GATHERING:
            self._gathered.append(data)
        elif self._socket is not None:
            self._timer.touch()
            self._socket.send_piece(data, True, False)

    def body_ended(self) -> None:
        if self._state is _State.GATHERING:
            body, self._gathered = b"".join(self._gathered), []
            self._offer(body)
        elif self._socket is not None:
            # From here on the listener has the request: its time begins.
            self._timer.touch()
            self._socket.send_piece(b"", True, True)

    def body_failed(self, refusal: Refusal) -> None:
        self._end(refusal, GOING_AWAY, "the sender's request broke off")

    # --- to a listener ---

    def _offer(self, body: bytes | None) -> None:
        """
        @param body: in full, or L{None} if it is still to come.
        """
        host = self._host
        try:
            channel = host.choose()
            if channel is None:
                raise NobodyListens()
            ticket = host.new_ticket(self)
            message = host.message(channel, ticket)
        except Refusal as refusal:
            self._end(refusal)
            return
        self._state = _State.OFFERED
        self._channel, self._ticket = channel, ticket
        channel.connections += 1
        host.issue(ticket)
        if body is not None:
            inline = encode_request(evolve(message, body=bool(body)))
            fitting = fits(inline, self._limits.max_command_bytes)
            if fitting and channel.take_request(inline, body, self):
                self._timer.start(self._limits.response_timeout, self._is_late)
                return
            self._gathered = [body]
        self._by_rendezvous = True
        # Java does not take it without a body (section 13.4).
        self._command = encode_request(message)
        offer = encode_request_offer(message.address)
        if not fits(offer, self._limits.max_command_bytes):
            self._end(HeadersTooLarge("The request's target is too long"))
            return
        channel.send_command(offer)
        self._timer.start(self._limits.accept_timeout, self._is_late)

    def open(self, listener: IHeldRequest) -> None:
        """
        The listener dialled the rendezvous: to read the request, or, if it has
        that already, to write its response.

        @raise RendezvousUnknown: it is not expected any more.
        """
        if self._state is not _State.OFFERED:
            raise RendezvousUnknown()
        self._state = _State.OPEN
        self._revoke()
        reader = self._reader = ResponseReader(self, self.request_id)
        socket = self._socket = self._host.new_socket(reader)
        self._host.upgrade(listener, socket)
        if not self._by_rendezvous or self._state is not _State.OPEN:
            return
        self._timer.start(self._limits.response_timeout, self._is_late)
        command = self._command.encode("utf-8", "replace")
        self._command = ""
        if self._gathered:
            body, self._gathered = b"".join(self._gathered), []
            socket.send_pieces(((command, False, True), (body, True, True)))
        else:
            socket.send_piece(command, False, True)
            request = self._request
            valve = Valve(request.pause_body, request.resume_body, self._held_back)
            socket.register_producer(valve, True)
            request.read_body(self)

    # --- the response, on the control channel ---

    def response_goes_on(self) -> None:
        """
        Its head is here, or a part of its body: what counts from now on is the time
        between two parts (section 7.4).
        """
        if self._state in (_State.OFFERED, _State.OPEN):
            self._timer.start(self._limits.body_idle_timeout, self._is_late)

    def answer(self, response: Response, body: bytes) -> None:
        """
        The whole response came over the control channel.
        """
        if self._state not in (_State.OFFERED, _State.OPEN):
            return
        try:
            headers = self._checked(response)
        except ListenerFailed as refusal:
            self._end(refusal, PROTOCOL_ERROR)
            return
        bodiless = self._bodiless(response)
        self.sent = 0 if bodiless else len(body)
        # First of all: the answer may bring the next request of its connection.
        self._settle(NORMAL, "Normal Closure")
        if bodiless:
            self._begin_answer(response, headers).finish()
        else:
            self._request.answer(response.status, response.reason, headers, body)

    def fail(self, why: str) -> None:
        """The listener broke the protocol on the control channel."""
        self._end(ListenerFailed(why), PROTOCOL_ERROR, why)

    # --- the response, on the rendezvous: Reception ---

    def response_received(self, response: Response) -> None:
        try:
            headers = self._checked(response)
        except ListenerFailed as refusal:
            self._end(refusal, PROTOCOL_ERROR, str(refusal))
            return
        self._timer.start(self._limits.body_idle_timeout, self._is_late)
        if self._bodiless(response):
            if response.body:
                self._state = _State.DRAINING
            else:
                self._settle(NORMAL, "Normal Closure")
            self._begin_answer(response, headers).finish()
        elif not response.body:
            # First of all, as above.
            self._settle(NORMAL, "Normal Closure")
            self._request.answer(response.status, response.reason, headers)
        else:
            self._state = _State.ANSWERING
            assert self._socket is not None
            self._answer = self._begin_answer(response, headers)
            self._answer.register_producer(
                Valve(self._socket.pause, self._socket.resume, self._held_back)
            )

    def body_part_received(self, data: bytes) -> None:
        self.sent += len(data)
        if self._answer is not None:  # nobody waits for what is thrown away
            self._timer.touch()
            self._answer.write(data)

    def response_ended(self) -> None:
        answer, self._answer = self._answer, None
        self._settle(NORMAL, "Normal Closure")
        if answer is not None:
            answer.finish()

    def response_failed(self, code: int, why: str) -> None:
        self._end(ListenerFailed(why), code, why)

    def rendezvous_lost(self, why: str) -> None:
        self._end(ListenerFailed(), None, why)

    # --- what else may happen ---

    def lose(self, channel: Channel) -> None:
        """A listener's control channel is gone."""
        if self._channel is channel and self._state is _State.OFFERED:
            self._end(ListenerFailed())

    def dismiss(self, refusal: Refusal) -> None:
        """The relay ends it."""
        self._end(refusal, GOING_AWAY, str(refusal))

    def _abandon(self) -> None:
        """The sender hung up (section 7.4)."""
        if self._state is not _State.SETTLED:
            self._host.note("the sender left before it was answered")
            self._answer = None
            self._settle(GOING_AWAY, "sender shut down")

    def _is_late(self) -> None:
        waiting_for_dial = self._by_rendezvous and self._state is _State.OFFERED
        late = RendezvousTimedOut() if waiting_for_dial else ResponseTimedOut()
        self._end(late, GOING_AWAY, "too late")

    # --- the end ---

    def _end(
        self, refusal: Refusal, code: int | None = GOING_AWAY, why: str = ""
    ) -> None:
        """
        It failed: say so to the sender as far as that is possible.

        @param code: to close the rendezvous with; L{None} to drop it.
        """
        state = self._state
        answer, self._answer = self._answer, None
        if state is _State.SETTLED:
            return
        self._settle(code, why)
        if answer is not None:
            self._host.note(f"the response was cut off: {why or refusal}")
            answer.break_off()
        elif state is not _State.DRAINING:
            self._host.refuse(refusal)

    def _settle(self, code: int | None, why: str) -> None:
        if self._state is _State.SETTLED:
            return
        self._state = _State.SETTLED
        self._timer.stop()
        self._revoke()
        self._gathered = []
        if self._channel is not None:
            self._channel.connections -= 1
            self._channel.forget_request(self)
        socket, reader = self._socket, self._reader
        if socket is not None and reader is not None:
            reader.stop()
            socket.unregister_producer()
            if code is None:
                socket.drop()
            else:
                socket.finish(code, close_reason(why))
        self._host.settled(self, socket)

    def _revoke(self) -> None:
        ticket, self._ticket = self._ticket, None
        if ticket is not None:
            self._host.revoke(ticket)

    # --- answers ---

    def _checked(self, response: Response) -> Headers:
        headers = passed_headers(response, self._host.via)
        self.status = response.status
        return headers

    def _bodiless(self, response: Response) -> bool:
        return bodiless(response, self._request.head.method)

    def _begin_answer(self, response: Response, headers: Headers) -> IAnswer:
        length = told_length(response, self._request.head.method)
        return self._request.begin_answer(
            response.status, response.reason, headers, length
        )
