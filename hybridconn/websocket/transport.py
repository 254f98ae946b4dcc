"""
A tunnel as a Twisted transport: what an app's protocol gets to see.

TCP's words become WebSocket's as azbridge and .NET use them (relay-protocol
sections 6.4 and 10.1): FIN is Close 1000, and reading goes on after it; a reset
is a connection that ends without a Close.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IDelayedCall,
    IHalfCloseableProtocol,
    IProtocol,
    IPushProducer,
    ITCPTransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.interfaces import ITunnelSink
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.closing import NORMAL, TunnelClosed

_SHUTDOWN = b"Shutdown"


class _Writing(enum.Enum):
    OPEN = "what is written goes out"
    ENDING = "loseConnection or loseWriteConnection waits for the producer"
    ENDED = "our Close is sent"


class _Feed:
    """A producer as the tunnel knows it; L{TunnelTransport} stops it, once."""

    def __init__(self, producer: Any, streaming: bool) -> None:
        self.resumeProducing = producer.resumeProducing
        if streaming:
            self.pauseProducing = producer.pauseProducing

    def stopProducing(self) -> None:
        """The transport hears of it by itself."""


@implementer(ITCPTransport, IConsumer, IPushProducer, ITunnelSink)
class TunnelTransport:
    """
    Runs C{protocol} over C{tunnel}.

    @param protocol: an L{IProtocol <twisted.internet.interfaces.IProtocol>}; if
        it is L{IHalfCloseableProtocol
        <twisted.internet.interfaces.IHalfCloseableProtocol>} the two directions
        end one by one.
    @param host: the address of this end.
    @param peer: the address of the other end.
    """

    log = Logger()

    disconnecting = False

    def __init__(self, protocol: Any, host: IAddress, peer: IAddress) -> None:
        self._protocol = protocol
        self._half_closeable = IHalfCloseableProtocol.providedBy(protocol)
        self._host = host
        self._peer = peer
        self._writing = _Writing.OPEN
        self._producer: Any = None
        self._paused = False
        self._held: list[Callable[[], None]] = []
        self._read_ended = self._lost = False
        self._why: BaseException | None = None
        self._linger: IDelayedCall | None = None

    def start(self, tunnel: StreamingWebSocket) -> None:
        """
        Join the protocol to the open C{tunnel}: its C{connectionMade} runs now.
        """
        self._tunnel = tunnel
        self._guarded(self._protocol.makeConnection, self)
        tunnel.attach(self)
        if self._paused:
            tunnel.pause()

    @property
    def protocol(self) -> IProtocol:
        """The protocol that runs over this transport."""
        return self._protocol  # type: ignore[no-any-return]  # duck-typed factories

    # --- ITunnelSink ---

    def piece_received(self, data: bytes, binary: bool, final: bool) -> None:
        if self._paused and not self.disconnecting:
            # One read can bring many messages: more than the one that was enough.
            self._held.append(lambda: self.piece_received(data, binary, final))
        # An empty message is no end of stream (section 6.4).
        elif data and not self.disconnecting:
            self._guarded(self._protocol.dataReceived, data)

    def close_received(self, code: int | None, reason: bytes) -> None:
        if self._paused and not self.disconnecting:
            self._held.append(lambda: self.close_received(code, reason))
            return
        if code is not None and code != NORMAL:
            self._why = TunnelClosed(code, reason.decode("utf-8", "replace"))
            self._tunnel.finish(code, reason)
            return
        self._read_ended = True
        if self.disconnecting:
            return
        if self._half_closeable:
            self._guarded(self._protocol.readConnectionLost)
        else:
            # As with TCP, a producer is not waited for: it would not know.
            self.disconnecting = True
            self._tunnel.unregister_producer()
            self._end()

    def tunnel_lost(self, reason: Failure) -> None:
        self._lost = True
        self._cancel_linger()
        self._held.clear()
        self._stop_producer()
        why = self._why
        orderly = self._read_ended and self._writing is _Writing.ENDED
        if why is None and (orderly or self.disconnecting):
            why = ConnectionDone()
        elif why is None and not reason.check(ConnectionLost):
            why = ConnectionLost(reason.getErrorMessage())
        self._protocol.connectionLost(Failure(why) if why is not None else reason)

    # --- ITransport ---

    def write(self, data: bytes) -> None:
        """Send C{data} as one binary message."""
        ended = self._writing is _Writing.ENDED
        if data and not ended and (not self.disconnecting or self._producer):
            self._tunnel.send_piece(data, True, True)

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send the joined parts as one binary message."""
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        """
        Send what was written, then close both directions.  As with TCP, what
        still comes in is not delivered; the other end has
        C{control_close_timeout} to close its half.
        """
        if self.disconnecting:
            return
        self.disconnecting = True
        if self._producer is None:
            self._end()
        else:
            self._writing = _Writing.ENDING

    def loseWriteConnection(self) -> None:
        """Send what was written, then end our direction; reading goes on."""
        if self._writing is not _Writing.OPEN:
            return
        self._writing = _Writing.ENDING
        if self._producer is None:
            self._end_writing()

    def abortConnection(self) -> None:
        """End without a Close: the other end sees a reset."""
        self.disconnecting = True
        self._why = self._why or ConnectionAborted()
        self._tunnel.abort()

    def getPeer(self) -> IAddress:  # type: ignore[override]  # not an IP address
        """The other end of the tunnel."""
        return self._peer

    def getHost(self) -> IAddress:  # type: ignore[override]  # not an IP address
        """This end of the tunnel."""
        return self._host

    # --- ITCPTransport: options of the connection to the relay ---

    def getTcpNoDelay(self) -> bool:
        """Always on: a tunnel's latency is the relay's business."""
        return True

    def setTcpNoDelay(self, enabled: object) -> None:
        """No effect: it stays on."""

    def getTcpKeepAlive(self) -> bool:
        """Always on, and WebSocket pings beside it."""
        return True

    def setTcpKeepAlive(self, enabled: object) -> None:
        """No effect: it stays on."""

    # --- IConsumer ---

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Let C{producer} write as fast as the tunnel takes it."""
        if self._producer is not None:
            raise RuntimeError("a producer is registered already")
        if self._lost or self._writing is _Writing.ENDED:
            producer.stopProducing()
            return
        self._producer = producer
        self._tunnel.register_producer(_Feed(producer, streaming), streaming)

    def unregisterProducer(self) -> None:
        """The producer is done; a waiting end goes out now."""
        if self._producer is None:
            return
        self._producer = None
        self._tunnel.unregister_producer()
        if self._writing is _Writing.ENDING:
            if self.disconnecting:
                self._end()
            else:
                self._end_writing()

    # --- IPushProducer ---

    def pauseProducing(self) -> None:
        """Deliver nothing more for now; the other end will be slowed down."""
        self._paused = True
        self._tunnel.pause()

    def resumeProducing(self) -> None:
        """Deliver again."""
        if self.disconnecting:
            return
        self._paused = False
        while self._held and not self._paused:
            self._held.pop(0)()
        if not self._paused:
            self._tunnel.resume()

    def stopProducing(self) -> None:
        """As L{loseConnection}."""
        self.loseConnection()

    # --- ours ---

    def _guarded(self, method: Callable[..., object], *arguments: object) -> None:
        try:
            method(*arguments)
        except Exception as error:
            # As the reactor does: the log has it, and the connection is broken.
            self.log.failure("a protocol failed")
            self._why = self._why or error
            self.abortConnection()

    def _stop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            self._tunnel.unregister_producer()
            producer.stopProducing()

    def _end_writing(self) -> None:
        self._send_close()
        if self._half_closeable:
            self._guarded(self._protocol.writeConnectionLost)

    def _end(self) -> None:
        self._send_close()
        self._tunnel.resume()
        if not self._read_ended and self._linger is None:
            tunnel = self._tunnel
            self._linger = tunnel.clock.callLater(
                tunnel.limits.control_close_timeout, self._lingered
            )

    def _send_close(self) -> None:
        if self._writing is not _Writing.ENDED:
            self._writing = _Writing.ENDED
            self._tunnel.send_close(NORMAL, _SHUTDOWN)

    def _lingered(self) -> None:
        self._linger = None
        self._tunnel.drop()

    def _cancel_linger(self) -> None:
        linger, self._linger = self._linger, None
        if linger is not None:
            linger.cancel()
