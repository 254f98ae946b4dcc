"""HTTP requests and who answers them, in the relay and behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.address import IPv4Address, IPv6Address
    from twisted.internet.interfaces import IPushProducer

    from hybridconn.core.http import RequestHead
    from hybridconn.core.refusals import Refusal
    from hybridconn.core.tracking import TrackingId


class IBodySink(Interface):
    """Receives a body, piece by piece."""

    def body_received(data: bytes) -> None:
        """A part of it, not empty."""

    def body_ended() -> None:
        """That was all."""

    def body_failed(refusal: Refusal) -> None:
        """
        It is malformed or came too slowly; nothing more comes of it.

        @param refusal: what the client is to be told, if it has no answer yet.
        """


class IAnswer(Interface):
    """An answer whose head is out and whose body is written bit by bit."""

    def write(data: bytes) -> None:
        """Send a part of the body at once.  Ignored if the client left."""

    def finish() -> None:
        """The body is complete."""

    def break_off() -> None:
        """
        It cannot be completed: end the connection so that the client sees that
        something is missing.
        """

    def register_producer(producer: IPushProducer) -> None:
        """Have C{producer} paused while the client does not take what is written."""


class IServerRequest(Interface):
    """One HTTP request that is to be answered, by whatever way it came."""

    head: RequestHead = Attribute("Method, target and header fields as received.")
    peer: IPv4Address | IPv6Address = Attribute("Where the request comes from.")
    secure: bool = Attribute("Whether it came by TLS.")
    tracking: TrackingId = Attribute("Names the request in answers and logs.")
    body_length: int | None = Attribute(
        "How many bytes of body it has: 0 is none, None is not known beforehand."
    )

    def on_gone(callback: Callable[[], None]) -> None:
        """
        Call C{callback()} if the client leaves before it was answered in full; at
        once if it already has.
        """

    def read_body(sink: IBodySink) -> None:
        """
        Begin to read the body, once.  A client that waits for leave to send it
        (C{Expect: 100-continue}) gets it now.
        """

    def pause_body() -> None:
        """Read no more of the body for now."""

    def resume_body() -> None:
        """Read on."""

    def answer(
        status: int,
        reason: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        """
        Answer in one go; does nothing if the client left.

        @param reason: empty: the usual one.
        @param headers: those of framing are added.
        """

    def begin_answer(
        status: int,
        reason: str,
        headers: Sequence[tuple[str, str]] = (),
        length: int | None = None,
    ) -> IAnswer:
        """
        Answer with a body that is still to come.

        @param length: how many bytes the body will have, if that is known; what a
            C{HEAD} or a 304 is told without getting them.
        """

    def refuse(refusal: Refusal) -> None:
        """
        Answer with the refusal's status; status text and body name the reason
        and the tracking id (relay-protocol sections 4 and 7.5).
        """


class IHeldRequest(IServerRequest):
    """
    One HTTP request whose head is complete and which has no answer yet.
    A request that asks for a WebSocket stays ordinary HTTP until L{upgrade}.
    """

    known: bool = Attribute("Whether the client has shown a right before.")
    tls_version: str = Attribute("Such as C{TLSv1.3}; empty for plain TCP.")

    def authenticated() -> None:
        """
        The client has shown a right: it no longer counts as an unknown one.
        An upgrade says so too.
        """

    def upgrade(
        protocol: Any, subprotocol: str | None, headers: Sequence[tuple[str, str]] = ()
    ) -> None:
        """
        Answer 101 and hand the connection to C{protocol}, one of
        L{hybridconn.websocket.server}; bytes that came behind the request's
        head reach it, none is lost.
        """


class IRequestHandler(Interface):
    """What stands behind the front door."""

    def handle(request: IHeldRequest) -> None:
        """
        Take over C{request}: answer it now or later.  A L{Refusal} raised here
        is its answer.
        """


class IRequestResponder(Interface):
    """Answers the HTTP requests of a hybrid connection, in a listener or sender."""

    def respond(request: IServerRequest) -> None:
        """
        Take over C{request}: answer it now or later.  What is raised here is
        logged and answered with 500; a L{Refusal} is the answer itself.
        """
