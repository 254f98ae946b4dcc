"""
A WebSocket that carries connections one after the other, and one of these
connections, which to a L{Joint <hybridconn.websocket.joint.Joint>} is a tunnel of
its own.  What goes over the wire is in L{hybridconn.core.reuse}.

    carrier:  IDLE --a connection begins--> BUSY --both sides ended--> IDLE
    either:   --Close, loss, a broken rule--> gone
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.frames import PROTOCOL_ERROR, TOO_BIG, Piece
from hybridconn.core.reuse import (
    MAX_MESSAGE,
    End,
    Message,
    ReuseError,
    encode,
    parse,
)
from hybridconn.interfaces import IBatchSink, ITunnel, ITunnelSink
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.closing import NORMAL
from hybridconn.websocket.messages import Gatherer, TooBig

#: Seconds for which a message waits for the bytes that go out with it.
HOLD: Final = 0.001


@implementer(ITunnel)
class Stream:
    """
    One connection on a carrier.

    What comes before a sink is attached is kept, and no more is read then.
    After its end every method does nothing.

    @ivar over: it has ended, in whatever way.
    """

    def __init__(self, carrier: Carrier) -> None:
        socket = carrier.socket
        self.limits, self.clock = socket.limits, socket.clock
        self.read_sizes = socket.read_sizes
        self.tunnel = socket
        self.over = False
        self._carrier = carrier
        self._socket = socket
        self._sink: Any = None
        self._deliver: Callable[[Sequence[Piece]], None]
        self._gone: Failure | None = None
        self._unclaimed: list[Callable[[], None]] = []
        self._end_sent = self._end_received = False

    @property
    def claimed(self) -> bool:
        """Whether somebody has it, who hears of all that comes."""
        return self._sink is not None

    # --- ITunnel ---

    def attach(self, sink: ITunnelSink) -> None:
        if self._gone is not None:
            sink.tunnel_lost(self._gone)
            return
        self._sink = sink
        self._deliver = (
            sink.pieces_received if IBatchSink.providedBy(sink) else self._one_by_one
        )
        unclaimed, self._unclaimed = self._unclaimed, []
        for event in unclaimed:
            event()
        self.resume()

    def send_piece(self, data: bytes, binary: bool, final: bool) -> None:
        if not self.over and not self._end_sent:
            self._carrier.send_data((data, True, final))

    def send_pieces(self, pieces: Sequence[Piece]) -> None:
        for data, binary, final in pieces:
            self.send_piece(data, binary, final)

    def send_close(self, code: int | None, reason: bytes) -> None:
        if self.over or self._end_sent:
            return
        self._end_sent = True
        if code not in (None, NORMAL) or self._socket.close_received:
            self._socket.send_close(code, reason)
        else:
            self._carrier.send(End())
            self._end_if_both_did()

    def finish(self, code: int | None, reason: bytes) -> None:
        if not self.over:
            self._socket.finish(code, reason)

    def drop(self) -> None:
        if not self.over:
            self._socket.drop()

    def abort(self) -> None:
        if not self.over:
            self._socket.abort()

    def pause(self) -> None:
        if not self.over:
            self._socket.pause()

    def resume(self) -> None:
        if not self.over:
            self._socket.resume()

    def register_producer(self, producer: Any, streaming: bool) -> None:
        if not self.over:
            self._socket.register_producer(producer, streaming)

    def unregister_producer(self) -> None:
        if not self.over:
            self._socket.unregister_producer()

    # --- for the carrier ---

    def data_came(self, pieces: Sequence[Piece]) -> None:
        """Bytes of the connection."""
        if self._sink is None:
            self._keep(lambda: self._deliver(pieces))
        else:
            self._deliver(pieces)

    def end_came(self) -> None:
        """The other side sends nothing more."""
        if self._sink is None:
            self._keep(self.end_came)
            return
        self._end_received = True
        self._sink.close_received(NORMAL, b"")
        self._end_if_both_did()

    def close_came(self, code: int | None, reason: bytes) -> None:
        """The other side closed the tunnel itself."""
        if self._sink is None:
            self._keep(lambda: self.close_came(code, reason))
        else:
            self._sink.close_received(code, reason)

    def lost(self, reason: Failure) -> None:
        """There is no connection any more."""
        if self.over:
            return
        self.over = True
        self._gone = reason
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.tunnel_lost(reason)

    # --- ours ---

    def _keep(self, event: Callable[[], None]) -> None:
        self._unclaimed.append(event)
        self.pause()

    def _one_by_one(self, pieces: Sequence[Piece]) -> None:
        for data, binary, final in pieces:
            if self._sink is not None:
                self._sink.piece_received(data, binary, final)

    def _end_if_both_did(self) -> None:
        if self._end_sent and self._end_received and not self.over:
            # The tunnel is free before anybody hears of it and wants one.
            self._carrier.release(self)
            self.lost(Failure(ConnectionDone()))


@implementer(IBatchSink)
class Carrier:
    """
    A WebSocket that carries streams.  The sender's and the listener's one differ
    in who begins a stream.

    @ivar socket: the WebSocket; this is its sink from now on.
    @ivar stream: the connection that is on it now.
    @param gone: called once when the WebSocket is lost.
    """

    def __init__(self, socket: StreamingWebSocket, gone: Callable[[Any], None]) -> None:
        self.socket = socket
        self.stream: Stream | None = None
        self._gone = gone
        self._gatherer = Gatherer(MAX_MESSAGE)
        self._retired: tuple[int, bytes] | None = None
        self._held: Piece | None = None
        self._flush_later: IDelayedCall | None = None

    def begin(self) -> Stream:
        """The next connection is on it from now on."""
        self.stream = stream = Stream(self)
        return stream

    def send(self, message: Message) -> None:
        """Send one of our own messages."""
        self._send((encode(message), False, True))

    def send_soon(self, message: Message) -> None:
        """
        Send one of our own messages in one write with what follows it, which is
        most often close behind; by itself after L{HOLD}.
        """
        self._flush()
        self._held = (encode(message), False, True)
        self._flush_later = self.socket.clock.callLater(HOLD, self._flush)

    def send_data(self, piece: Piece) -> None:
        """Send bytes of the connection that is on it."""
        self._send(piece)

    def release(self, stream: Stream) -> None:
        """C{stream} is over, and the tunnel free for the next one."""
        if self.stream is stream:
            self.stream = None
            self.socket.unregister_producer()
            self.socket.resume()
            if self._retired is None:
                self.idle()
            else:
                self.retire(*self._retired)

    def retire(self, code: int, reason: bytes) -> None:
        """End the tunnel as soon as no connection is on it."""
        self._retired = (code, reason)
        if self.stream is None:
            self.socket.finish(code, reason)

    def break_off(self, reason: str) -> None:
        """The peer broke a rule: the tunnel ends."""
        self.socket.finish(PROTOCOL_ERROR, reason.encode("ascii"))

    def _send(self, *pieces: Piece) -> None:
        held, self._held = self._held, None
        if held is not None:
            pieces = (held, *pieces)
            later, self._flush_later = self._flush_later, None
            if later is not None and later.active():
                later.cancel()
        if pieces:
            self.socket.send_pieces(pieces)

    def _flush(self) -> None:
        self._send()

    # --- to be extended ---

    def idle(self) -> None:
        """The tunnel is free.  To be extended."""

    def message_received(self, message: Message) -> None:
        """One of our own messages but L{End}.  To be extended."""
        self.break_off("an unexpected message")

    def stray_received(self) -> None:
        """Something for a connection that is not there.  May be overridden."""
        self.break_off("bytes of no connection")

    # --- IBatchSink ---

    def piece_received(self, data: bytes, binary: bool, final: bool) -> None:
        self.pieces_received(((data, binary, final),))

    def pieces_received(self, pieces: Sequence[Piece]) -> None:
        if all([piece[1] for piece in pieces]):
            self._data_received(pieces)
            return
        # A message ends a connection or begins one: what stands before and
        # behind it are different connections' bytes.
        data: list[Piece] = []
        for piece in pieces:
            if piece[1]:
                data.append(piece)
                continue
            if data:
                self._data_received(data)
                data = []
            self._text_received(piece)
        if data:
            self._data_received(data)

    def close_received(self, code: int | None, reason: bytes) -> None:
        if self.stream is None:
            self.socket.send_close(code, reason)
        else:
            self.stream.close_came(code, reason)

    def tunnel_lost(self, reason: Failure) -> None:
        self._flush()  # which sends nothing any more
        stream, self.stream = self.stream, None
        self._gone(self)
        if stream is not None:
            stream.lost(reason)

    def _data_received(self, pieces: Sequence[Piece]) -> None:
        if self.stream is None:
            self.stray_received()
        else:
            self.stream.data_came(pieces)

    def _text_received(self, piece: Piece) -> None:
        try:
            text = self._gatherer.add(piece[0], piece[2])
            message = None if text is None else parse(text)
        except TooBig as error:
            self.socket.finish(TOO_BIG, str(error).encode("ascii"))
        except ReuseError as error:
            self.break_off(str(error))
        else:
            if isinstance(message, End):
                if self.stream is None:
                    self.stray_received()
                else:
                    self.stream.end_came()
            elif message is not None:
                self.message_received(message)
