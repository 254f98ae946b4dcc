"""
What our two Autobahn protocols share: one WebSocket as an L{ITunnel}.

Autobahn makes the handshake and reads and writes the frames of control
channels; those of a tunnel pass through L{hybridconn.core.frames}.  Three things
differ from Autobahn's defaults:

  - A message is never gathered: each piece goes to the sink as it arrives
    (relay-protocol section 6.4).
  - A Close frame is not answered by itself.  The halves of the closing
    handshake are two separate facts, because .NET and azbridge use a Close as
    TCP's FIN and go on reading (same section).
  - No timer of Autobahn's runs: they belong to the global reactor.  Ours take a
    clock, and liveness is L{hybridconn.websocket.upkeep}'s.
"""

from __future__ import annotations

import enum
import os
import struct
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall, IReactorTime, ITCPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.frames import (
    CLOSE,
    PING,
    PROTOCOL_ERROR,
    TOO_BIG,
    FrameParser,
    FrameWriter,
    Piece,
)
from hybridconn.interfaces import IBatchSink, ITunnel, ITunnelSink
from hybridconn.socket_options import tcp_below
from hybridconn.websocket.autobahn_frames import AutobahnFrames
from hybridconn.websocket.closing import (
    INTERNAL_ERROR,
    INVALID_PAYLOAD,
    POLICY_VIOLATION,
    close_reason,
    valid_close_code,
)
from hybridconn.websocket.flow import Flow, FrameBudget
from hybridconn.websocket.masking import apply_mask
from hybridconn.websocket.messages import Gatherer, TooBig
from hybridconn.websocket.reading import BULK, ReadSizes


class ProtocolViolation(ConnectionLost):
    """The peer broke the WebSocket protocol or one of our limits."""

    def __str__(self) -> str:
        # Twisted's own words would stand in front of it.
        return str(self.args[0])


class _Input(enum.Enum):
    """What becomes of the bytes that come in."""

    FLOWING = "pieces and the Close go to the sink"
    AWAITING_CLOSE = "frames are read, but only the peer's Close counts"
    IGNORED = "thrown away unread: after a Close, a violation or our drop"


def _one_by_one(sink: ITunnelSink, pieces: Sequence[Piece]) -> None:
    for data, binary, final in pieces:
        sink.piece_received(data, binary, final)


_close_code = struct.Struct("!H").unpack_from


def _new_key() -> bytes:
    """RFC 6455 section 5.3: from a strong source, ever new."""
    return os.urandom(4)


@implementer(ITunnel)
class StreamingWebSocket(AutobahnFrames):
    """
    The part of L{ITunnel} that is the same for client and server.

    @ivar clock: for the closing time-outs, the factory's reactor.
    @ivar read_sizes: how much is read at once, from the factory.
    @ivar tunnel: what it is a part of, the same for both legs; L{None}: itself.
    @ivar bytes_received: bytes that came over the wire, of any kind: liveness.
    @ivar close_sent: our Close is written; nothing of ours may follow.
    @ivar close_received: the peer's Close is here.
    @ivar paused: reading is paused by the other side of the tunnel.
    @ivar flow: tells whether the network takes what is written here.
    @cvar max_gathered_bytes: the longest message for L{onMessage}.
    """

    clock: IReactorTime
    read_sizes: ReadSizes
    max_gathered_bytes = 16 * 1024 * 1024
    bytes_received = 0
    tunnel: Any = None
    close_sent = False
    close_received = False
    paused = False
    #: Autobahn's: the peer broke a rule.
    failedByMe = False

    _sink: ITunnelSink | None = None
    _gone: Failure | None = None
    _input = _Input.FLOWING
    _tcp: Any = None
    _parser: FrameParser | None = None
    _writer: FrameWriter | None = None
    _gatherer: Gatherer | None = None
    #: What takes the pieces; set with the sink.
    _deliver: Callable[[Sequence[Piece]], None]
    _timer: IDelayedCall | None = None

    def __init__(self) -> None:
        super().__init__()
        self.state = self.STATE_CONNECTING
        self.flow = Flow()
        self._early: list[Callable[[], None]] = []
        self._unclaimed: list[Callable[[ITunnelSink], None]] = []

    # --- called by Twisted ---

    def connectionMade(self) -> None:
        """Start the opening handshake."""
        self.limits, self.clock = self.factory.limits, self.factory.reactor
        self.read_sizes = self.factory.read_sizes
        self._control_frames = FrameBudget(
            self.limits.control_frames_per_second, self.limits.control_frames_burst
        )
        peer = self.transport.getPeer()
        self.peer = f"{getattr(peer, 'host', peer)}:{getattr(peer, 'port', '')}"
        # Autobahn means to do this and does not: it reads the option too early.
        if ITCPTransport.providedBy(self.transport):
            self.transport.setTcpNoDelay(True)
        self._connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """Parse what came over the wire."""
        self._count(len(data))
        if self._input is _Input.IGNORED:
            return
        if self._parser is None:
            self._dataReceived(data)
        else:
            self._parse(self._parser, data)

    def view_received(self, view: memoryview) -> None:
        """
        As L{dataReceived}, for L{LeanTLS <hybridconn.tls.LeanTLS>}.

        @param view: on a buffer that is used again after this.
        """
        if self._parser is None or self._input is _Input.IGNORED:
            self.dataReceived(bytes(view))
            return
        self._count(len(view))
        self._parse(self._parser, view)

    def connectionLost(self, reason: Failure) -> None:
        """Tell the sink that the connection is gone."""
        self._disarm()
        self._connectionLost(reason)
        self._lost(reason)

    # --- called by Autobahn ---

    def _onOpen(self) -> None:
        # Skips Autobahn's look at the peer's certificate, which WAMP needs.
        if self.data_path == "slim":
            self._use_slim_frames()
        self.onOpen()
        if self._parser is not None:
            rest, self.data = self.data, b""
            if rest and self._input is not _Input.IGNORED:
                self._parse(self._parser, rest)

    def onOpen(self) -> None:
        """The opening handshake is done: send what was written before."""
        if type(self).onMessage is not StreamingWebSocket.onMessage:
            self._gatherer = Gatherer(self.max_gathered_bytes)
        early, self._early = self._early, []
        for send in early:
            send()

    def onMessage(self, payload: bytes, isBinary: bool) -> None:
        """
        A whole message came.  A subclass that overrides this sees each one,
        after its pieces went to the sink, and pays for the gathering; a message
        of more than C{max_gathered_bytes} then closes the connection with 1009.
        Without such a subclass nothing is gathered and this is never called.
        """

    def onPing(self, payload: bytes) -> None:
        """Answer for this hop alone: pings are not forwarded."""
        if self._control_frame_fits() and not self.close_sent:
            self.sendPong(payload)

    def onPong(self, payload: bytes) -> None:
        """Any byte is a sign of life, so an unsolicited pong needs nothing more."""
        self._control_frame_fits()

    def onCloseFrame(self, code: int | None, reasonRaw: bytes | None) -> bool:
        """The peer sends nothing more; our half stays open."""
        reason = reasonRaw or b""
        if code is not None and not valid_close_code(code):
            self._fail_connection(PROTOCOL_ERROR, f"invalid close code {code}")
            return True
        try:
            reason.decode("utf-8")
        except UnicodeDecodeError:
            self._fail_connection(INVALID_PAYLOAD, "the close reason is not UTF-8")
            return True
        was, self._input = self._input, _Input.IGNORED
        self.data = b""  # RFC 6455 section 5.5.1: what follows a Close is void
        self.close_received = True
        if was is _Input.FLOWING:
            if self._sink is None:
                self._keep(lambda sink: sink.close_received(code, reason))
            else:
                self._sink.close_received(code, reason)
        self._drop_if_both_closed()
        return True

    def _fail_connection(
        self, code: int = INTERNAL_ERROR, reason: str = "internal error"
    ) -> None:
        """The peer broke a rule: name it, and let go."""
        if self.failedByMe or self.state == self.STATE_CLOSED:
            return
        self.failedByMe = True
        self.send_close(code, close_reason(reason))
        self._drop(self.limits.control_close_timeout)
        self._lost(Failure(ProtocolViolation(reason)))

    # --- ITunnel ---

    def attach(self, sink: ITunnelSink) -> None:
        if self._gone is not None:
            sink.tunnel_lost(self._gone)
            return
        self._sink = sink
        self._deliver = (
            sink.pieces_received
            if IBatchSink.providedBy(sink)
            else self._deliver_one_by_one
        )
        if self._unclaimed:
            unclaimed, self._unclaimed = self._unclaimed, []
            for event in unclaimed:
                event(sink)
            self.resume()

    def detach(self, rest: bytes = b"") -> None:
        """
        Take the sink away: what arrives waits for the next one, which first gets
        C{rest}.
        """
        self._sink = None
        if rest:
            self._keep(lambda sink: _one_by_one(sink, ((rest, True, True),)))

    def send_piece(self, data: bytes, binary: bool, final: bool) -> None:
        self.send_pieces(((data, binary, final),))

    def send_pieces(self, pieces: Sequence[Piece]) -> None:
        if self.state == self.STATE_CONNECTING:
            self._early.append(lambda: self.send_pieces(pieces))
        elif self.close_sent or self.state != self.STATE_OPEN:
            return
        elif self._writer is not None:
            self.transport.write(self._writer.frames(pieces))
        else:
            self._send_frames(pieces)

    def send_close(self, code: int | None, reason: bytes) -> None:
        if self.state == self.STATE_CONNECTING:
            self._early.append(lambda: self.send_close(code, reason))
            return
        if self.close_sent or self.state != self.STATE_OPEN:
            return
        self.close_sent = True
        self.sendCloseFrame(code=code, reasonUtf8=reason or None, isReply=False)
        self._drop_if_both_closed()

    def release_if_idle(self) -> bool:
        """
        Free what a burst took, if nothing went through since the last call.

        @return: whether there was something to be freed.
        """
        release = getattr(self.transport, "release_if_idle", None)
        return release is not None and release()

    def send_ping(self) -> None:
        """Ask the peer for a sign of life; it is then a byte received."""
        if not self.close_sent:
            self.sendPing()

    def finish(self, code: int | None, reason: bytes) -> None:
        if self._input is _Input.FLOWING:
            self._input = _Input.AWAITING_CLOSE
        self.send_close(code, reason)
        if self.state in (self.STATE_OPEN, self.STATE_CLOSING):
            self.resume()
            self._arm(self.limits.control_close_timeout, self.drop)

    def drop(self) -> None:
        if self.transport is None:
            # The other leg can be lost before this one has its connection, which
            # then opens, takes what was written for it, and ends.
            self._early.append(self.drop)
            return
        self._drop(self.limits.half_close_timeout)

    def abort(self) -> None:
        self._input = _Input.IGNORED
        self.transport.abortConnection()

    def pause(self) -> None:
        self.paused = True
        self.transport.pauseProducing()

    def resume(self) -> None:
        self.paused = False
        self.transport.resumeProducing()

    def register_producer(self, producer: Any, streaming: bool) -> None:
        if streaming:
            self.flow.drive(producer)
            producer = self.flow
        self.transport.registerProducer(producer, streaming)

    def unregister_producer(self) -> None:
        self.flow.release()
        self.transport.unregisterProducer()

    # --- ours ---

    def _count(self, size: int) -> None:
        self.bytes_received += size
        if size >= BULK and self._tcp is not None:
            self.read_sizes.busy(self._tcp, self.tunnel or self)

    def _use_slim_frames(self) -> None:
        self._forget_handshake()
        self._tcp = tcp_below(self.transport)
        from_client = bool(self.factory.isServer)
        self._parser = FrameParser(
            from_client, apply_mask, self.limits.max_message_bytes
        )
        self._writer = (
            FrameWriter(self.limits.max_frame_bytes)
            if from_client
            else FrameWriter(self.limits.max_frame_bytes, apply_mask, _new_key)
        )

    def _parse(self, parser: FrameParser, data: bytes | memoryview) -> None:
        pieces = parser.feed(data)
        if pieces:
            if len(data) < BULK and self.read_sizes.bulk:
                self.read_sizes.small(self.tunnel or self)
            self._pieces(pieces)
        for opcode, payload in parser.controls:
            if self._input is _Input.IGNORED:
                return
            if opcode == PING:
                self.onPing(payload)
            elif opcode == CLOSE:
                code = _close_code(payload, 0)[0] if payload else None
                self.onCloseFrame(code, payload[2:] or None)
            else:
                self.onPong(payload)
        if parser.failure is not None and self._input is not _Input.IGNORED:
            self._fail_connection(parser.failure.code, parser.failure.reason)

    def _pieces(self, pieces: Sequence[Piece]) -> None:
        if self._input is not _Input.FLOWING:
            return
        if self._sink is None:
            self._keep(lambda sink: _one_by_one(sink, pieces))
        else:
            self._deliver(pieces)
        if self._gatherer is not None:
            self._gather(self._gatherer, pieces)

    def _deliver_one_by_one(self, pieces: Sequence[Piece]) -> None:
        for data, binary, final in pieces:
            # The sink may end all this, or hand over to another.
            if self._sink is not None and self._input is _Input.FLOWING:
                self._sink.piece_received(data, binary, final)

    def _gather(self, gatherer: Gatherer, pieces: Sequence[Piece]) -> None:
        for data, binary, final in pieces:
            try:
                message = gatherer.add(data, final)
            except TooBig as error:
                self._fail_connection(TOO_BIG, str(error))
                return
            if message is not None:
                self.onMessage(message, binary)

    def _drop_if_both_closed(self) -> None:
        if not (self.close_sent and self.close_received):
            return
        self.wasClean = True
        if self.factory.isServer:
            self.drop()
        else:  # RFC 6455 section 7.1.1: the server goes first
            self._arm(self.limits.control_close_timeout, self.drop)

    def _drop(self, patience: float) -> None:
        # Reading goes on, deaf: only so the end of the connection is seen.
        self._input = _Input.IGNORED
        self.data = b""
        self.resume()
        self.flow.release()
        self.dropConnection(abort=False)
        self._arm(patience, self.abort)

    def _keep(self, event: Callable[[ITunnelSink], None]) -> None:
        # Nobody listens yet: keep it, and read no more than what is already here.
        self._unclaimed.append(event)
        self.pause()

    def _lost(self, reason: Failure) -> None:
        if self._gone is None:
            self._gone = reason
            sink, self._sink = self._sink, None
            if sink is not None:
                sink.tunnel_lost(reason)

    def _control_frame_fits(self) -> bool:
        fits = self._control_frames.spend(self.clock.seconds())
        if not fits:
            self._fail_connection(POLICY_VIOLATION, "too many control frames")
        return fits

    def _arm(self, seconds: float, then: Callable[[], None]) -> None:
        self._disarm()

        def fire() -> None:
            self._timer = None
            then()

        self._timer = self.clock.callLater(seconds, fire)

    def _disarm(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
