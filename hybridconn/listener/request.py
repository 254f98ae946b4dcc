"""An HTTP request as a listener serves it, and its answer on the way back."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.http import RequestHead
from hybridconn.core.http_commands import Request, Response, encode_response
from hybridconn.core.refusals import Refusal
from hybridconn.core.tracking import TrackingId
from hybridconn.interfaces import IAnswer, IBodySink, IServerRequest
from hybridconn.listener.channel import Reply
from hybridconn.listener.request_rendezvous import RequestRendezvous

Headers = Sequence[tuple[str, str]]

#: Bytes of command and body together that go over the control channel (7.3).
MOST_INLINE: Final = 65536
#: Seconds that an answer may take to become whole before a rendezvous is opened.
UPGRADE_AFTER: Final = 0.1
_BODILESS: Final = (204, 304)

#: Opens the rendezvous of a request whose body came over the control channel.
Dial = Callable[[str], Deferred[RequestRendezvous]]


class RequestWatcher(Protocol):
    """Wants to know what becomes of a request."""

    def answer_begun(self, status: int) -> None:
        """An answer has begun."""

    def refused(self, why: str) -> None:
        """The answer is a refusal of this side."""

    def answer_ended(self, whole: bool) -> None:
        """It is over, maybe not for the first time; C{whole}: all of it is sent."""


@implementer(IServerRequest)
class ListenerRequest:
    """
    One request from the relay.

    @ivar entity: the hybrid connection's path; the target begins with it.
    @ivar watcher: is told of the answer.
    @param request: the command.
    @param body: that is here already; L{None} if it is to be read from C{rendezvous}.
    @param reply: writes to that control channel.
    @param dial: reaches the rendezvous, for an answer that the channel cannot take.
    """

    secure = True
    watcher: RequestWatcher | None = None

    def __init__(
        self,
        request: Request,
        entity: str,
        clock: IReactorTime,
        dial: Dial,
        body: bytes | None = None,
        reply: Reply | None = None,
        rendezvous: RequestRendezvous | None = None,
    ) -> None:
        self.entity = entity
        self.head = RequestHead(
            request.method, request.target, "1.1", tuple(request.headers.items())
        )
        kind = IPv6Address if ":" in request.remote_address else IPv4Address
        self.peer = kind("TCP", request.remote_address, request.remote_port)
        self.tracking = TrackingId.choose(request.id, lambda: request.id)
        self.body_length: int | None = None if body is None else len(body)
        self._body = body
        self._clock = clock
        self._dial = dial
        self._id = request.id
        self._address = request.address
        self._reply = reply
        self._rendezvous = rendezvous
        self._answered = False
        self._gone = False
        self._watchers: list[Callable[[], None]] = []
        if rendezvous is not None:
            rendezvous.on_gone(self._leave)

    def on_gone(self, callback: Callable[[], None]) -> None:
        """
        See L{IServerRequest.on_gone <hybridconn.interfaces.IServerRequest>}.  While
        there is no rendezvous nobody says that the sender left.
        """
        if self._gone:
            callback()
        else:
            self._watchers.append(callback)

    def read_body(self, sink: IBodySink) -> None:
        """Give the body to C{sink}."""
        body, self._body = self._body, None
        if body is not None:
            if body:
                sink.body_received(body)
            sink.body_ended()
        elif self._rendezvous is not None:
            self._rendezvous.read_body(sink)

    def pause_body(self) -> None:
        """Read no more of it for now."""
        if self._rendezvous is not None:
            self._rendezvous.tunnel.pause()

    def resume_body(self) -> None:
        """Read on."""
        if self._rendezvous is not None:
            self._rendezvous.tunnel.resume()

    def answer(
        self, status: int, reason: str, headers: Headers = (), body: bytes = b""
    ) -> None:
        """Answer in one go."""
        answer = self.begin_answer(status, reason, headers)
        answer.write(body)
        answer.finish()

    def begin_answer(
        self,
        status: int,
        reason: str,
        headers: Headers = (),
        length: int | None = None,
    ) -> ListenerAnswer:
        """
        Answer with a body that is still to come.

        @param length: goes on only with an answer that has no body; of any other
            the relay makes the framing (relay-protocol section 7.3).
        """
        void, self._answered = self._answered, True
        bodiless = status in _BODILESS or self.head.method == "HEAD"
        fields = tuple(headers)
        if bodiless and length is not None:
            fields = (*fields, ("Content-Length", str(length)))
        head = Response(self._id, status, reason, fields, not bodiless)
        watcher = None if void else self.watcher
        if watcher is not None:
            watcher.answer_begun(status)
        return ListenerAnswer(
            head,
            self._clock,
            None if void else self._reply,
            self._open_rendezvous,
            self._rendezvous,
            void,
            watcher,
        )

    def _open_rendezvous(self) -> Deferred[RequestRendezvous]:
        def opened(rendezvous: RequestRendezvous) -> RequestRendezvous:
            rendezvous.on_gone(self._leave)
            return rendezvous

        def failed(failure: Failure) -> Failure:
            self._leave()
            return failure

        return self._dial(self._address).addCallbacks(opened, failed)

    def _leave(self) -> None:
        self._gone = True
        if self.watcher is not None:
            self.watcher.answer_ended(False)
        watchers, self._watchers = self._watchers, []
        for callback in watchers:
            callback()

    def refuse(self, refusal: Refusal) -> None:
        """Answer with the refusal's status, its words as JSON."""
        body = json.dumps({"code": refusal.status, "message": refusal.sentence})
        fields = (("Content-Type", "application/json"), *refusal.headers)
        if self.watcher is not None and not self._answered:
            self.watcher.refused(refusal.sentence)
        self.answer(refusal.status, "", fields, body.encode("ascii"))


class _State(enum.Enum):
    GATHERING = "it may still fit into the control channel"
    DIALLING = "the rendezvous is being opened"
    STREAMING = "it is written to the rendezvous"
    OVER = "finished, broken off, or nobody wants it"


@implementer(IAnswer)
class ListenerAnswer:
    """
    An answer that goes over the control channel if it is whole soon and fits, and
    otherwise by the rendezvous, bit by bit.

    @param void: the request was answered before; this answer goes nowhere.
    @param watcher: is told how it ends.
    """

    def __init__(
        self,
        head: Response,
        clock: IReactorTime,
        reply: Reply | None,
        dial: Callable[[], Deferred[RequestRendezvous]],
        rendezvous: RequestRendezvous | None,
        void: bool,
        watcher: RequestWatcher | None = None,
    ) -> None:
        self._head = head
        self._reply = reply
        self._open = dial
        self._rendezvous = rendezvous
        self._body: list[bytes] = []
        self._size = 0
        self._finished = False
        self._producer: IPushProducer | None = None
        self._timer: IDelayedCall | None = None
        self._watcher = watcher
        self._state = _State.GATHERING
        if void:
            self._state = _State.OVER
        elif rendezvous is not None:
            self._stream(rendezvous)
        else:
            self._timer = clock.callLater(UPGRADE_AFTER, self._take_long)

    def write(self, data: bytes) -> None:
        if not data or not self._head.body or self._finished:
            return
        if self._state is _State.STREAMING:
            assert self._rendezvous is not None
            self._rendezvous.write(data)
        elif self._state is not _State.OVER:
            self._body.append(data)
            self._size += len(data)
            if self._state is _State.GATHERING and self._size > MOST_INLINE:
                self._dial()

    def finish(self) -> None:
        if self._finished or self._state is _State.OVER:
            return
        self._finished = True
        if self._state is _State.GATHERING:
            self._finish_inline()
        elif self._state is _State.STREAMING:
            self._finish_stream()

    def break_off(self) -> None:
        state, rendezvous = self._state, self._rendezvous
        if state is _State.GATHERING:
            # Nothing is out yet, so the truth can be told.
            self._head = Response(self._head.request_id, 502, "", (), False)
            if self._watcher is not None:
                self._watcher.answer_begun(502)
            self.finish()
            return
        self._end()
        if state is _State.STREAMING and rendezvous is not None:
            rendezvous.break_off()

    def register_producer(self, producer: IPushProducer) -> None:
        self._producer = producer
        if self._state is _State.STREAMING and self._rendezvous is not None:
            self._rendezvous.feed_from(producer)
        elif self._state is _State.DIALLING:
            producer.pauseProducing()

    # --- GATHERING ---

    def _take_long(self) -> None:
        self._timer = None
        self._dial()

    def _finish_inline(self) -> None:
        body = b"".join(self._body)
        text = encode_response(self._head)
        fitting = len(text.encode("utf-8", "replace")) + len(body) <= MOST_INLINE
        sent = body if self._head.body else None
        if fitting and self._reply is not None and self._reply(text, sent):
            self._end(whole=True)
        else:
            self._dial()

    # --- DIALLING ---

    def _dial(self) -> None:
        self._stop_timer()
        self._state = _State.DIALLING
        if self._producer is not None:
            self._producer.pauseProducing()
        self._open().addCallbacks(self._opened, self._failed)

    def _opened(self, rendezvous: RequestRendezvous) -> None:
        if self._state is _State.OVER:
            rendezvous.break_off()
            return
        self._stream(rendezvous)

    def _failed(self, failure: Failure) -> None:
        # The relay gave up on it, or is gone; whoever dialled has logged it.
        self._end()

    # --- STREAMING ---

    def _stream(self, rendezvous: RequestRendezvous) -> None:
        self._state = _State.STREAMING
        self._rendezvous = rendezvous
        rendezvous.on_gone(self._end)
        producer = self._producer
        if producer is not None:
            rendezvous.feed_from(producer)
        rendezvous.begin(encode_response(self._head), self._head.body)
        body, self._body = b"".join(self._body), []
        if body and self._state is _State.STREAMING:
            rendezvous.write(body)
        if self._finished:
            self._finish_stream()
        elif producer is not None:
            producer.resumeProducing()

    def _finish_stream(self) -> None:
        rendezvous = self._rendezvous
        if self._state is _State.STREAMING and rendezvous is not None:
            if self._head.body:
                rendezvous.complete()
            self._end(whole=True)

    def _end(self, whole: bool = False) -> None:
        self._stop_timer()
        self._state = _State.OVER
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.answer_ended(whole)
        self._body = []
        self._producer = None

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
