"""The listener's end of the rendezvous of one HTTP request (relay-protocol 7.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.command_json import CommandError
from hybridconn.core.commands import parse_relay_command
from hybridconn.core.frames import TOO_BIG
from hybridconn.core.http_commands import Request
from hybridconn.interfaces import IBodySink, ITunnelSink
from hybridconn.websocket.client import TunnelClientProtocol
from hybridconn.websocket.closing import NORMAL, PROTOCOL_ERROR
from hybridconn.websocket.messages import Gatherer, TooBig

#: Bytes of a C{request} command: path and query stand in it twice.
_MOST_BYTES: Final = 131072
#: Seconds and bytes that a body may take to become whole, so that its length is known.
WHOLE_AFTER: Final = 0.1
MOST_WHOLE: Final = 65536
#: Nobody expects a body of these, and chunks would be a surprise to many services.
#: At a rendezvous all have one (section 13.4); what it is must be waited for.
_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE", "OPTIONS", "TRACE"})


@implementer(ITunnelSink)
class RequestRendezvous:
    """
    One WebSocket, for one request and its response.

    @param tunnel: as it was opened.
    @param received: called with this, the request and its body, if the request is
        read here; the body is L{None} if it is to be read.  L{None} if the listener
        has the request already and comes only to respond.
    @ivar done: fires when the connection is gone.
    """

    def __init__(
        self,
        tunnel: TunnelClientProtocol,
        clock: IReactorTime,
        received: Callable[[RequestRendezvous, Request, bytes | None], None]
        | None = None,
    ) -> None:
        self.tunnel = tunnel
        self._clock = clock
        self.done: Deferred[None] = Deferred()
        self._received = received
        self._gatherer: Gatherer | None = Gatherer(_MOST_BYTES) if received else None
        self._sink: IBodySink | None = None
        self._request: Request | None = None
        self._kept: list[tuple[bytes, bool]] = []
        self._size = 0
        self._timer: IDelayedCall | None = None
        self._gone = False
        self._over = False
        self._watchers: list[Callable[[], None]] = []

    def on_gone(self, callback: Callable[[], None]) -> None:
        """Call C{callback()} if the relay leaves before the response is complete."""
        if self._gone:
            callback()
        else:
            self._watchers.append(callback)

    # --- the request's body ---

    def read_body(self, sink: IBodySink) -> None:
        """Give the body to C{sink}."""
        self._sink = sink
        kept, self._kept = self._kept, []
        for data, final in kept:
            self._body(sink, data, final)
        self.tunnel.resume()

    # --- the response ---

    def begin(self, command: str, body: bool) -> None:
        """
        Write the C{response} command.

        @param body: whether a body follows; otherwise this is all.
        """
        self.tunnel.send_piece(command.encode("utf-8", "replace"), False, True)
        if not body:
            self._finish()

    def write(self, data: bytes) -> None:
        """Write a part of the body."""
        self.tunnel.send_piece(data, True, False)

    def complete(self) -> None:
        """The body is complete."""
        self.tunnel.send_piece(b"", True, True)
        self._finish()

    def break_off(self) -> None:
        """It will never be: go without a Close, so that the relay can tell."""
        self._stop()
        self.tunnel.unregister_producer()
        self.tunnel.drop()

    def feed_from(self, producer: IPushProducer) -> None:
        """Pause C{producer} while the relay takes nothing."""
        self.tunnel.register_producer(producer, True)

    # --- a tunnel's end, for those who stop all of them ---

    def end(self, code: int, reason: bytes) -> None:
        """End it from here, though a response may not have arrived yet."""
        self._leave()
        self.tunnel.finish(code, reason)

    # --- ITunnelSink ---

    def piece_received(self, data: bytes, binary: bool, final: bool) -> None:
        if self._gatherer is not None:
            self._head(self._gatherer, data, binary, final)
        elif self._sink is not None:
            self._body(self._sink, data, final)
        elif self._received is not None:
            self._kept.append((data, final))
            self._size += len(data)
            if self._request is None:
                self.tunnel.pause()
            elif final or self._size > MOST_WHOLE:
                self._present()

    def close_received(self, code: int | None, reason: bytes) -> None:
        self.tunnel.send_close(code, reason)
        self._leave()

    def tunnel_lost(self, reason: Failure) -> None:
        self._leave()
        if not self.done.called:
            self.done.callback(None)

    # --- ours ---

    def _head(self, gatherer: Gatherer, data: bytes, binary: bool, final: bool) -> None:
        try:
            message = gatherer.add(data, final)
            if message is None:
                return
            command = parse_relay_command(message, _MOST_BYTES)
        except TooBig:
            self.end(TOO_BIG, b"the request command is too long")
            return
        except CommandError as error:
            self.end(PROTOCOL_ERROR, str(error).encode())
            return
        if binary or not isinstance(command, Request):
            self.end(PROTOCOL_ERROR, b"a request command was expected")
            return
        self._gatherer = None
        self._request = command
        if command.method not in _BODILESS:
            self._timer = self._clock.callLater(WHOLE_AFTER, self._present)

    def _present(self) -> None:
        """Hand the request on, with its body if that is whole."""
        self._stop_timer()
        request, self._request = self._request, None
        received = self._received
        assert request is not None
        assert received is not None
        body = None
        if self._kept and self._kept[-1][1]:
            body = b"".join(data for data, _ in self._kept)
            self._kept, self._received = [], None
        else:
            self.tunnel.pause()
        received(self, request, body)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _body(self, sink: IBodySink, data: bytes, final: bool) -> None:
        if self._over:
            return
        if data:
            sink.body_received(data)
        if final:
            self._sink = None
            self._received = None
            sink.body_ended()

    def _finish(self) -> None:
        self._stop()
        self.tunnel.unregister_producer()
        # The relay answers when it has read all of it, and it reads as fast as the
        # sender does: there is no time limit for that here.
        self.tunnel.send_close(NORMAL, b"Normal Closure")

    def _stop(self) -> None:
        self._over = True
        self._watchers = []
        self._sink = self._received = self._request = None
        self._kept = []
        self._stop_timer()

    def _leave(self) -> None:
        if self._over:
            return
        self._gone = True
        watchers = self._watchers
        self._stop()
        for callback in watchers:
            callback()
