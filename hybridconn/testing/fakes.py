"""Stand-ins for the seams of L{hybridconn.interfaces}, which remember their calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from attrs import define, field, frozen
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.frames import Piece
from hybridconn.core.http import RequestHead
from hybridconn.core.refusals import Refusal
from hybridconn.core.tracking import TrackingId
from hybridconn.interfaces import (
    IAnswer,
    IBodySink,
    IHeldRequest,
    ITunnel,
    ITunnelSink,
)


@implementer(ITunnelSink)
@define
class RecordingSink:
    """
    Remembers what a tunnel brought.

    @ivar pieces: data, binary, final of each piece.
    @ivar messages: the pieces joined to complete messages: L{str} for text,
        L{bytes} for binary.
    @ivar closed: code and reason of the peer's Close; L{None} until then.
    @ivar lost: why the tunnel ended; L{None} until then.
    """

    pieces: list[tuple[bytes, bool, bool]] = field(factory=list)
    messages: list[str | bytes] = field(factory=list)
    closed: tuple[int | None, bytes] | None = None
    lost: Failure | None = None
    _begun: list[bytes] = field(factory=list, init=False)

    def piece_received(self, data: bytes, binary: bool, final: bool) -> None:
        """Remember a piece."""
        if self.closed is not None or self.lost is not None:
            raise AssertionError("a piece came after the end")
        self.pieces.append((data, binary, final))
        self._begun.append(data)
        if final:
            whole, self._begun = b"".join(self._begun), []
            text = whole.decode("utf-8", "replace")
            self.messages.append(whole if binary else text)

    def close_received(self, code: int | None, reason: bytes) -> None:
        """Remember the Close."""
        if self.closed is not None or self.lost is not None:
            raise AssertionError("a Close came after the end")
        self.closed = code, reason

    def tunnel_lost(self, reason: Failure) -> None:
        """Remember the loss."""
        if self.lost is not None:
            raise AssertionError("a tunnel was lost twice")
        self.lost = reason


@implementer(ITunnel)
@define
class RecordingTunnel:
    """
    Remembers what was asked of a tunnel.  To have something arrive, call the
    methods of C{sink}.

    @ivar sink: what was attached last.
    @ivar calls: method and arguments of each call, without C{attach}.
    """

    sink: ITunnelSink | None = None
    calls: list[tuple[Any, ...]] = field(factory=list)
    producer: Any = None

    @property
    def sent(self) -> list[tuple[bytes, bool, bool]]:
        """The arguments of each C{send_piece}."""
        return [call[1:] for call in self.calls if call[0] == "send_piece"]

    def attach(self, sink: ITunnelSink) -> None:
        """Remember C{sink}."""
        self.sink = sink

    def send_piece(self, data: bytes, binary: bool, final: bool) -> None:
        """Remember a piece."""
        self.calls.append(("send_piece", data, binary, final))

    def send_pieces(self, pieces: Sequence[Piece]) -> None:
        """Remember them one by one."""
        for data, binary, final in pieces:
            self.send_piece(data, binary, final)

    def send_close(self, code: int | None, reason: bytes) -> None:
        """Remember a Close."""
        self.calls.append(("send_close", code, reason))

    def finish(self, code: int | None, reason: bytes) -> None:
        """Remember an end."""
        self.calls.append(("finish", code, reason))

    def drop(self) -> None:
        """Remember an end."""
        self.calls.append(("drop",))

    def abort(self) -> None:
        """Remember an end."""
        self.calls.append(("abort",))

    def pause(self) -> None:
        """Remember a pause."""
        self.calls.append(("pause",))

    def resume(self) -> None:
        """Remember its end."""
        self.calls.append(("resume",))

    def register_producer(self, producer: Any, streaming: bool) -> None:
        """Remember C{producer}."""
        self.calls.append(("register_producer", producer, streaming))
        self.producer = producer

    def unregister_producer(self) -> None:
        """Forget it."""
        self.calls.append(("unregister_producer",))
        self.producer = None


_PEER = IPv4Address("TCP", "192.0.2.1", 49152)
_TRACKING = TrackingId("5f7a9be6-0c7e-4b06-9b0b-0d5d4f3f0a11")


@frozen
class Answer:
    """An ordinary HTTP answer."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@frozen
class Upgrade:
    """A 101."""

    protocol: Any
    subprotocol: str | None
    headers: tuple[tuple[str, str], ...]


@implementer(IAnswer)
@define
class FakeAnswer:
    """
    An answer that comes bit by bit.

    @ivar body: what was written of it.
    @ivar end: C{"finished"} or C{"broken off"}; empty before.
    """

    request: FakeHeldRequest = field(repr=False)
    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]
    length: int | None
    body: bytes = field(default=b"", init=False)
    end: str = field(default="", init=False)

    def write(self, data: bytes) -> None:
        """Remember more of the body."""
        self.body += data

    def finish(self) -> None:
        """The body is complete."""
        self.end = "finished"

    def break_off(self) -> None:
        """It never will be."""
        self.end = "broken off"

    def register_producer(self, producer: Any) -> None:
        """Remember who is to be paused."""
        self.request.producer = producer


@implementer(IHeldRequest)
@define
class FakeHeldRequest:
    """
    A request without a connection, for handlers under test.

    @ivar outcome: an L{Answer}, a L{FakeAnswer}, a L{Refusal} or an L{Upgrade};
        L{None} while it is held.  A real request takes only the first; here a
        second one is an error, unless the client left.
    @ivar is_authenticated: C{authenticated} was called.
    @ivar paused: the body is to wait.
    @ivar producer: what makes an answer's body, if it was registered.
    @param body_length: as announced; L{None} for a body of unknown length.
    @param body: given at once to whoever reads it, if there is any; otherwise it is
        for the test to call the C{sink}.
    """

    head: RequestHead
    peer: IPv4Address | IPv6Address = _PEER
    secure: bool = True
    tracking: TrackingId = _TRACKING
    body_length: int | None = 0
    body: bytes = b""
    known: bool = False
    tls_version: str = "TLSv1.3"
    sink: IBodySink | None = field(default=None, init=False)
    paused: bool = field(default=False, init=False)
    producer: Any = field(default=None, init=False)
    outcome: Answer | FakeAnswer | Refusal | Upgrade | None = field(
        default=None, init=False
    )
    is_authenticated: bool = field(default=False, init=False)
    _left: bool = field(default=False, init=False)
    _watchers: list[Callable[[], None]] = field(factory=list, init=False)

    def leave(self) -> None:
        """Have the client hang up."""
        self._left = True
        watchers, self._watchers = self._watchers, []
        for callback in watchers:
            callback()

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Call C{callback()} when the client hangs up before its answer."""
        if self._left:
            callback()
        elif self.outcome is None:
            self._watchers.append(callback)

    def authenticated(self) -> None:
        """Remember it."""
        self.is_authenticated = True

    def read_body(self, sink: IBodySink) -> None:
        """Give what there is to C{sink}, or remember it."""
        self.sink = sink
        if self.body or self.body_length == 0:
            if self.body:
                sink.body_received(self.body)
            sink.body_ended()

    def pause_body(self) -> None:
        """Remember it."""
        self.paused = True

    def resume_body(self) -> None:
        """Remember it."""
        self.paused = False

    def begin_answer(
        self,
        status: int,
        reason: str,
        headers: Sequence[tuple[str, str]] = (),
        length: int | None = None,
    ) -> FakeAnswer:
        """Remember an answer whose body is still to come."""
        answer = FakeAnswer(self, status, reason, tuple(headers), length)
        watchers = self._watchers
        self._settle(answer)
        self._watchers = watchers
        return answer

    def answer(
        self,
        status: int,
        reason: str,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
    ) -> None:
        """Remember an ordinary answer."""
        self._settle(Answer(status, reason, tuple(headers), body))

    def refuse(self, refusal: Refusal) -> None:
        """Remember a refusal."""
        self._settle(refusal)

    def upgrade(
        self,
        protocol: Any,
        subprotocol: str | None,
        headers: Sequence[tuple[str, str]] = (),
    ) -> None:
        """Remember a 101; nothing is done with C{protocol}."""
        self._settle(Upgrade(protocol, subprotocol, tuple(headers)))

    def _settle(self, outcome: Answer | FakeAnswer | Refusal | Upgrade) -> None:
        if self._left:
            return
        if self.outcome is not None:
            raise AssertionError(f"answered twice: {self.outcome}, then {outcome}")
        self.outcome = outcome
        self._watchers = []
