"""One request that waits for its answer, as the relay sees it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IPushProducer
from zope.interface import implementer

from hybridconn.core.http import RequestHead
from hybridconn.core.refusals import Refusal
from hybridconn.core.tracking import TrackingId
from hybridconn.interfaces import IAnswer, IBodySink, IHeldRequest
from hybridconn.web.answers import (
    TRACKING_HEADER,
    Headers,
    RefusalAnswer,
    refusal_answer,
)
from hybridconn.web.handshake import opening_handshake


class Connection(Protocol):
    """What a request needs of the connection that it came over."""

    @property
    def tls_version(self) -> str:
        """Such as C{TLSv1.3}; empty for plain TCP."""

    def respond(self, status: int, reason: str, headers: Headers, body: bytes) -> None:
        """Write the answer and go on to the next request."""

    def begin(
        self, status: int, reason: str, headers: Headers, length: int | None
    ) -> None:
        """Write an answer's head."""

    def write(self, data: bytes) -> None:
        """Write a part of its body."""

    def end(self) -> None:
        """Its body is complete; go on to the next request."""

    def break_off(self) -> None:
        """It will not be complete; let the client see that."""

    def feed_answer_from(self, producer: IPushProducer) -> None:
        """Pause C{producer} while the client takes nothing."""

    def read_body(self, sink: IBodySink) -> None:
        """Give the request's body to C{sink}."""

    def pause_body(self) -> None:
        """Read no more of it for now."""

    def resume_body(self) -> None:
        """Read on."""

    def hand_over(self, protocol: Any, first: bytes) -> None:
        """Give the connection away; C{first} is to be read before the rest."""

    def authenticated(self) -> None:
        """The client may stay."""


@implementer(IHeldRequest)
class HeldRequest:
    """
    An L{IHeldRequest}.  Only the first answer counts: later ones, and those for
    a client that left, do nothing.

    While a request is held, its connection is read, so that a client that leaves
    is noticed.  There is one exception: a client that has sent more than 64 KiB
    behind its request is not read any further, and its leaving shows only
    when the answer is written.

    @ivar tracking: names the request in answers, logs and commands.
    @param now: seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        connection: Connection,
        head: RequestHead,
        peer: IPv4Address | IPv6Address,
        secure: bool,
        tracking: TrackingId,
        now: Callable[[], float],
        body_length: int | None = 0,
        known: bool = False,
        render: RefusalAnswer = refusal_answer,
    ) -> None:
        self.head = head
        self.peer = peer
        self.secure = secure
        self.tracking = tracking
        self.body_length = body_length
        self.known = known
        self._now = now
        self._render = render
        self._connection: Connection | None = connection
        self._gone = False
        self._begun = False
        self._watchers: list[Callable[[], None]] = []

    @property
    def tls_version(self) -> str:
        """Such as C{TLSv1.3}; empty for plain TCP, and once it is answered."""
        return "" if self._connection is None else self._connection.tls_version

    def on_gone(self, callback: Callable[[], None]) -> None:
        """
        Call C{callback()} when the client leaves before it was answered; at
        once if it already has.
        """
        if self._gone:
            callback()
        elif self._connection is not None:
            self._watchers.append(callback)

    def authenticated(self) -> None:
        """
        The request was found to be authorized: its connection no longer counts
        as one that nobody knows (L{Admission.admit
        <hybridconn.web.admission.Admission.admit>}).  An upgrade says so too.
        """
        if self._connection is not None:
            self._connection.authenticated()

    def read_body(self, sink: IBodySink) -> None:
        """See L{IServerRequest.read_body <hybridconn.interfaces.IServerRequest>}."""
        if self._connection is not None:
            self._connection.read_body(sink)

    def pause_body(self) -> None:
        """Read no more of the body for now."""
        if self._connection is not None:
            self._connection.pause_body()

    def resume_body(self) -> None:
        """Read on."""
        if self._connection is not None:
            self._connection.resume_body()

    def answer(
        self, status: int, reason: str, headers: Headers = (), body: bytes = b""
    ) -> None:
        """Answer with an ordinary HTTP response."""
        connection = None if self._begun else self._settle()
        if connection is not None:
            connection.respond(status, reason, headers, body)

    def begin_answer(
        self,
        status: int,
        reason: str,
        headers: Headers = (),
        length: int | None = None,
    ) -> HeldAnswer:
        """
        Answer with a body that is still to come.  Until that is complete the client
        counts as one that may leave (L{on_gone}).
        """
        answer = HeldAnswer(self, self._begun)
        if self._connection is not None and not self._begun:
            self._begun = True
            self._connection.begin(status, reason, headers, length)
        return answer

    def refuse(self, refusal: Refusal) -> None:
        """Answer with the refusal's status, words and header fields."""
        connection = None if self._begun else self._settle()
        if connection is not None:
            connection.respond(
                *self._render(refusal, self.tracking, self.head, self._now())
            )

    def upgrade(
        self, protocol: Any, subprotocol: str | None, headers: Headers = ()
    ) -> None:
        """
        Hand the connection to C{protocol}, which answers 101.

        @param protocol: has C{prepare_upgrade(subprotocol, headers)} beside what
            Twisted asks of a protocol.
        @param headers: for the 101; the tracking id is added unless it is there.
        @raise ValueError: the request asks for no WebSocket.
        """
        opening = opening_handshake(self.head, subprotocol)
        connection = None if self._begun else self._settle()
        if connection is None:
            return
        if not any(name.lower() == TRACKING_HEADER.lower() for name, _ in headers):
            headers = (*headers, (TRACKING_HEADER, str(self.tracking)))
        protocol.prepare_upgrade(subprotocol, headers)
        connection.hand_over(protocol, opening)

    def leave(self) -> None:
        """The client left (called by the connection)."""
        watchers = self._watchers
        if self._settle() is not None:
            self._gone = True
            for callback in watchers:
                callback()

    def _settle(self) -> Connection | None:
        connection, self._connection = self._connection, None
        self._watchers = []
        return connection


@implementer(IAnswer)
class HeldAnswer:
    """
    An L{IAnswer} to a L{HeldRequest}.

    @param void: there was an answer before; this one goes nowhere.
    """

    def __init__(self, request: HeldRequest, void: bool) -> None:
        self._request = request
        self._void = void

    def write(self, data: bytes) -> None:
        connection = self._connection
        if connection is not None:
            connection.write(data)

    def finish(self) -> None:
        self._end(lambda connection: connection.end())

    def break_off(self) -> None:
        self._end(lambda connection: connection.break_off())

    def register_producer(self, producer: IPushProducer) -> None:
        connection = self._connection
        if connection is not None:
            connection.feed_answer_from(producer)

    @property
    def _connection(self) -> Connection | None:
        return None if self._void else self._request._connection

    def _end(self, how: Callable[[Connection], None]) -> None:
        connection = None if self._void else self._request._settle()
        self._void = True
        if connection is not None:
            how(connection)
