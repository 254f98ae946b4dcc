"""
Passing an HTTP request on to an agent of Twisted's, and its response back.

A listener does so to reach its target, a sender to reach the relay.  Bodies stream
both ways; whoever is slow holds the other end back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IConsumer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IBodyProducer, IResponse
from zope.interface import implementer

from hybridconn.core.headers import content_length, response_headers
from hybridconn.core.refusals import Refusal
from hybridconn.idle import IdleTimer
from hybridconn.interfaces import IAnswer, IBodySink, IServerRequest

Fields = Sequence[tuple[str, str]]


class Passage:
    """
    One request on its way.

    @param timeout: seconds for the response to begin once the request is sent.
    @param explain: makes of a failure what the client is told.
    @param amend: may change the header fields of the response.
    """

    def __init__(
        self,
        request: IServerRequest,
        clock: IReactorTime,
        timeout: float,
        explain: Callable[[Failure], Refusal],
        amend: Callable[[list[tuple[str, str]]], list[tuple[str, str]]] = list,
    ) -> None:
        self._request = request
        self._timeout = timeout
        self._timer = IdleTimer(clock)
        self._explain = explain
        self._amend = amend
        self._asked: Deferred[Any] | None = None
        self._body: _ResponseBody | None = None
        self._refusal: Refusal | None = None
        self._gone = False

    def begin(self, agent: IAgent, uri: str, headers: Fields) -> None:
        """
        Send the request.

        @param headers: all that it is to have but those of framing.
        """
        request = self._request
        producer = None if request.body_length == 0 else _RequestBody(self, request)
        fields = Headers()
        for name, value in headers:
            fields.addRawHeader(name.encode("ascii"), value.encode("latin-1"))
        self._timer.start(self._timeout, self._is_late)
        asked: Deferred[Any] = agent.request(
            request.head.method.encode("ascii"), uri.encode("ascii"), fields, producer
        )
        self._asked = asked
        request.on_gone(self._leave)
        asked.addCallbacks(self._responded, self._failed)

    def touch(self) -> None:
        """The request goes on."""
        self._timer.touch()

    def body_failed(self, refusal: Refusal) -> None:
        """The request's body broke off."""
        self._refusal = refusal

    def _responded(self, response: IResponse) -> None:
        self._asked = None
        self._timer.stop()
        if self._gone:
            response.deliverBody(_Nobody())
            return
        fields = [
            (name.decode("ascii"), value.decode("latin-1"))
            for name, values in response.headers.getAllRawHeaders()
            for value in values
        ]
        length = content_length(fields)
        # Of an answer without a body Twisted says that its length is 0.
        bodiless = self._request.head.method == "HEAD" or response.code in (204, 304)
        if not bodiless and response.length is not UNKNOWN_LENGTH:
            length = response.length
        reason = response.phrase.decode("latin-1")
        try:
            headers = self._amend(response_headers(fields, None))
        except Refusal as refusal:
            response.deliverBody(_Nobody())
            self._request.refuse(refusal)
            return
        answer = self._request.begin_answer(response.code, reason, headers, length)
        self._body = _ResponseBody(answer)
        response.deliverBody(self._body)

    def _failed(self, failure: Failure) -> None:
        self._asked = None
        self._timer.stop()
        if not self._gone:
            self._request.refuse(self._refusal or self._explain(failure))

    def _is_late(self) -> None:
        if self._asked is not None:
            self._asked.cancel()

    def _leave(self) -> None:
        """The client is gone: so is all interest in the response."""
        self._gone = True
        self._timer.stop()
        if self._asked is not None:
            self._asked.cancel()
        if self._body is not None:
            self._body.leave()


def cause_of(failure: Failure) -> Failure:
    """
    What lies behind a failed request: Twisted hides why a connection ended.
    """
    while reasons := getattr(failure.value, "reasons", None):
        failure = reasons[-1]
    return failure


def is_timeout(failure: Failure) -> bool:
    """Whether a passage was given up because no response began in time."""
    return bool(cause_of(failure).check(CancelledError))


@implementer(IBodyProducer, IBodySink)
class _RequestBody:
    """The body of a request, as an agent wants it."""

    def __init__(self, passage: Passage, request: IServerRequest) -> None:
        length = request.body_length
        self.length: Any = UNKNOWN_LENGTH if length is None else length
        self._passage = passage
        self._request = request
        self._consumer: Any = None
        self._done: Deferred[None] = Deferred()

    def startProducing(self, consumer: IConsumer) -> Deferred[None]:
        """Begin to read the body (Twisted)."""
        self._consumer = consumer
        self._request.read_body(self)
        return self._done

    def pauseProducing(self) -> None:
        """The connection takes nothing (Twisted)."""
        self._request.pause_body()

    def resumeProducing(self) -> None:
        """It takes more (Twisted)."""
        self._request.resume_body()

    def stopProducing(self) -> None:
        """Nobody wants the rest (Twisted)."""
        self._consumer = None

    def body_received(self, data: bytes) -> None:
        self._passage.touch()
        if self._consumer is not None:
            self._consumer.write(data)

    def body_ended(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            self._done.callback(None)

    def body_failed(self, refusal: Refusal) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            self._passage.body_failed(refusal)
            self._done.errback(Failure(refusal))


class _ResponseBody(Protocol):
    """The body of a response, on its way into an answer."""

    transport: Any

    def __init__(self, answer: IAnswer) -> None:
        self._answer: IAnswer | None = answer

    def connectionMade(self) -> None:
        """Let the client hold the other end back (Twisted)."""
        if self._answer is not None:
            self._answer.register_producer(self.transport)

    def dataReceived(self, data: bytes) -> None:
        """A part of it (Twisted)."""
        if self._answer is not None:
            self._answer.write(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It is over, complete or not (Twisted)."""
        answer, self._answer = self._answer, None
        if answer is None:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            answer.finish()
        else:
            answer.break_off()

    def leave(self) -> None:
        """Nobody wants the rest."""
        if self._answer is not None:
            self._answer = None
            self.transport.loseConnection()


class _Nobody(Protocol):
    """Ends a response that nobody wants."""

    transport: Any

    def connectionMade(self) -> None:
        """End the connection (Twisted)."""
        self.transport.loseConnection()
