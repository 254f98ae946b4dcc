"""A TCP transport without TCP: what a protocol under test gets to see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IConsumer,
    IHalfCloseableProtocol,
    IHandshakeListener,
    INegotiated,
    IPushProducer,
    IReactorTime,
    ITCPTransport,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.testing.pipe import Ending, Pipe

#: As L{twisted.internet.abstract.FileDescriptor.bufferSize}.
BUFFER_BYTES = 65536

IPAddress = IPv4Address | IPv6Address


@implementer(ITCPTransport, IConsumer, IPushProducer)
class MemoryTransport:
    """
    One end of a connection in memory, after Twisted's own TCP transport: the
    same methods with the same effects in the same order.

    @ivar protocol: who gets what arrives; may be replaced.
    @ivar connected: C{connectionLost} was not called yet.
    @ivar disconnecting: C{loseConnection} waits for unread bytes.
    """

    _log = Logger()

    connected = False
    disconnecting = False
    disconnected = False
    protocol: Any = None
    # The names are Twisted's; code under test may look at them.
    producer: Any = None
    streamingProducer = False
    producerPaused = False

    def __init__(
        self,
        clock: IReactorTime,
        host: IPAddress,
        peer: IPAddress,
        incoming: Pipe,
        outgoing: Pipe,
        left: Callable[[], None],
    ) -> None:
        self._clock = clock
        self._host = host
        self._peer = peer
        self._incoming = incoming
        self._outgoing = outgoing
        self._left = left
        self._paused = False
        self._aborting = False
        self._read_ended = False
        self._write_ending = False
        self._write_ended = False
        self._no_delay = False
        self._keep_alive = False

    def start(
        self, protocol: Any, stopped: Callable[[], object] = lambda: None
    ) -> None:
        """Join C{protocol} to the connection; at its end call C{stopped()}."""
        self.connected = True
        self._stopped = stopped
        self.protocol = protocol
        self._guarded(protocol.makeConnection, self)
        self._incoming.nudge()

    # --- what the pipes ask and tell ---

    @property
    def reading(self) -> bool:
        """Whether bytes are delivered just now."""
        closing = self.disconnecting or self._aborting
        return self.connected and not (self._paused or self._read_ended or closing)

    @property
    def busy_writing(self) -> bool:
        """Whether something that was written is unread."""
        return self._outgoing.unread > 0

    @property
    def gone(self) -> bool:
        """Whether the connection is over at this end."""
        return self.disconnected or self._aborting

    def arrived(self, data: bytes) -> None:
        """Deliver bytes."""
        self._guarded(self.protocol.dataReceived, data)

    def ended(self, ending: Ending) -> None:
        """The other end writes no more, or the connection is broken."""
        if self._aborting or self.disconnected:
            return
        if ending is Ending.RESET:
            self._lost(Failure(ConnectionLost()))
            return
        self._read_ended = True
        if IHalfCloseableProtocol.providedBy(self.protocol):
            self._guarded(self.protocol.readConnectionLost)
        else:
            self._close(Failure(ConnectionDone()))

    def emptied(self) -> None:
        """All that was written is read."""
        if self.disconnected or self._aborting:
            return
        if self.producer is not None and (
            self.producerPaused or not self.streamingProducer
        ):
            self.producerPaused = False
            self.producer.resumeProducing()
        elif self.disconnecting:
            self._close(Failure(ConnectionDone()))
        elif self._write_ending and not self._write_ended:
            self._write_ended = True
            self._outgoing.end(Ending.FIN)
            if IHalfCloseableProtocol.providedBy(self.protocol):
                self._guarded(self.protocol.writeConnectionLost)

    # --- ITransport ---

    def write(self, data: bytes) -> None:
        """Send C{data} on its way."""
        if not isinstance(data, bytes):
            raise TypeError("Data must be bytes")
        if not self.connected or self._aborting or self._write_ended or not data:
            return
        self._outgoing.write(data)
        if (
            self.producer is not None
            and self.streamingProducer
            and self._outgoing.unread > BUFFER_BYTES
        ):
            self.producerPaused = True
            self.producer.pauseProducing()

    def writeSequence(self, iovec: Iterable[bytes]) -> None:
        """Send the joined parts on their way."""
        self.write(b"".join(iovec))

    def loseConnection(self) -> None:
        """Close when all is read, and read no more meanwhile."""
        if not self.connected or self.disconnecting or self._aborting:
            return
        self.disconnecting = True
        if self._write_ended:
            self._clock.callLater(0, self._close, Failure(ConnectionDone()))
        else:
            self._outgoing.ask()

    def loseWriteConnection(self) -> None:
        """End this direction when all is read."""
        self._write_ending = True
        self._outgoing.ask()

    def abortConnection(self) -> None:
        """Break the connection; what is unread is lost."""
        if self.disconnected or self._aborting:
            return
        self._aborting = True
        self._outgoing.reset()
        self._incoming.nudge()
        self._clock.callLater(0, self._lost, Failure(ConnectionAborted()))

    def getHost(self) -> IPAddress:
        """This end's address."""
        return self._host

    def getPeer(self) -> IPAddress:
        """The other end's address."""
        return self._peer

    # --- ITCPTransport ---

    def getTcpNoDelay(self) -> bool:
        """What was set."""
        return self._no_delay

    def setTcpNoDelay(self, enabled: object) -> None:
        """Remember it."""
        self._no_delay = bool(enabled)

    def getTcpKeepAlive(self) -> bool:
        """What was set."""
        return self._keep_alive

    def setTcpKeepAlive(self, enabled: object) -> None:
        """Remember it."""
        self._keep_alive = bool(enabled)

    # --- IConsumer ---

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Pause and resume C{producer} as the other end reads."""
        if self.producer is not None:
            raise RuntimeError(
                f"Cannot register producer {producer}, because producer"
                f" {self.producer} was never unregistered."
            )
        if self.disconnected:
            producer.stopProducing()
            return
        self.producer = producer
        self.streamingProducer = streaming
        self.producerPaused = False
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        """Forget the producer."""
        self.producer = None
        if self.connected and self.disconnecting:
            self._outgoing.ask()

    # --- IPushProducer ---

    def pauseProducing(self) -> None:
        """Deliver nothing for now, no end of the connection either."""
        self._paused = True

    def resumeProducing(self) -> None:
        """Deliver again."""
        if self.connected and not self.disconnecting:
            self._paused = False
            self._incoming.nudge()

    def stopProducing(self) -> None:
        """As L{loseConnection}."""
        self.loseConnection()

    # --- ours ---

    def _close(self, why: Failure) -> None:
        if self.disconnected:
            return
        # Closing with bytes unread is a reset in TCP.
        self._outgoing.end(Ending.RESET if self._incoming.unread else Ending.FIN)
        self._lost(why)

    def _lost(self, why: Failure) -> None:
        if self.disconnected:
            return
        self.connected, self.disconnected = False, True
        producer, self.producer = self.producer, None
        if producer is not None:
            producer.stopProducing()
        self._incoming.nudge()
        try:
            self.protocol.connectionLost(why)
        except Exception:
            self._log.failure("a protocol failed in connectionLost")
        self._left()
        self._stopped()

    def _guarded(self, method: Callable[..., object], *arguments: object) -> None:
        try:
            method(*arguments)
        except Exception:
            # As the reactor does: log it, which fails a trial test, and close.
            failure = Failure()
            self._log.failure("a protocol failed", failure)
            self._close(failure)


@implementer(INegotiated)
class SecureMemoryTransport(MemoryTransport):
    """
    An end of a connection that was dialled as secure.  Nothing is encrypted; it
    says of itself that it is, for code that asks.
    """

    negotiatedProtocol = b"http/1.1"

    def start(
        self, protocol: Any, stopped: Callable[[], object] = lambda: None
    ) -> None:
        """Join C{protocol} to the connection, whose handshake is done."""
        super().start(protocol, stopped)
        if self.connected and IHandshakeListener.providedBy(protocol):
            self._guarded(protocol.handshakeCompleted)

    def getPeerCertificate(self) -> None:
        """The other end has none."""
        return None
