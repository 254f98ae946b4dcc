"""
A connection to a protocol factory of this same process, without a socket: an HTTP
server that listens nowhere is reached by it.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone, ConnectionRefusedError
from twisted.internet.interfaces import (
    IAddress,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
    IReactorTime,
    ISSLTransport,
    IStreamClientEndpoint,
    ITCPTransport,
)
from twisted.python.failure import Failure
from zope.interface import implementer

#: Bytes that may lie between the two ends before the writer is paused.
MOST_BETWEEN: Final = 65536


@implementer(IStreamClientEndpoint)
class InProcessEndpoint:
    """
    Connects to C{server}, at once.

    @param server: for example a L{twisted.web.server.Site}.
    @param host: the address by which the server is reached, as it is told.
    @param peer: the address of its client, as it is told.
    @param secure: whether the server is to take it for TLS, as the way is by which
        the client came.  It can ask for no certificate.
    """

    def __init__(
        self,
        clock: IReactorTime,
        server: IProtocolFactory,
        host: IAddress,
        peer: IAddress,
        secure: bool = False,
    ) -> None:
        self._clock = clock
        self._far = _SecureEnd if secure else _End
        self._server = server
        self._host = host
        self._peer = peer

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See L{IStreamClientEndpoint.connect} (Twisted)."""
        client: Any = protocolFactory.buildProtocol(self._host)
        server: Any = self._server.buildProtocol(self._peer)
        if client is None or server is None:
            refused: Deferred[IProtocol] = Deferred()
            refused.errback(Failure(ConnectionRefusedError("not taken")))
            return refused
        near = _End(self._clock, client, self._peer, self._host)
        far = self._far(self._clock, server, self._host, self._peer)
        near.other, far.other = far, near
        server.makeConnection(far)
        client.makeConnection(near)
        return succeed(client)


@implementer(ITCPTransport, IPushProducer)
class _End:
    """
    One end.  What the other one writes is delivered in a later turn of the reactor,
    so that no protocol is called from within itself.

    @ivar protocol: gets what arrives; whoever takes a connection over puts another
        one in its place.
    """

    other: _End
    disconnecting = False
    disconnected = False

    def __init__(
        self, clock: IReactorTime, protocol: Any, host: IAddress, peer: IAddress
    ) -> None:
        self._clock = clock
        self.protocol = protocol
        self._host = host
        self._peer = peer
        self._arrived: list[bytes] = []
        self._between = 0
        self._ended = False
        self._paused = False
        self._scheduled = False
        self._producer: Any = None
        self._streaming = False
        self._holding = False

    # --- ITCPTransport ---

    def write(self, data: bytes) -> None:
        if self.disconnecting or self.disconnected or not data:
            return
        self.other._arrive(data)
        full = self.other._between > MOST_BETWEEN and not self._holding
        if full and self._producer is not None and self._streaming:
            self._holding = True
            self._producer.pauseProducing()

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        self.disconnecting = True
        self._finish_if_done()

    def abortConnection(self) -> None:
        self.disconnecting = True
        self._producer = None
        self._finish_if_done()

    def getPeer(self) -> Any:
        return self._peer

    def getHost(self) -> Any:
        return self._host

    def loseWriteConnection(self) -> None:
        """Both ways at once: no HTTP server needs one alone (Twisted)."""
        self.loseConnection()

    def getTcpNoDelay(self) -> bool:
        """Nothing is ever delayed (Twisted)."""
        return True

    def setTcpNoDelay(self, enabled: bool) -> None:
        """Nothing is ever delayed (Twisted)."""

    def getTcpKeepAlive(self) -> bool:
        """There is nothing to be kept (Twisted)."""
        return False

    def setTcpKeepAlive(self, enabled: bool) -> None:
        """There is nothing to be kept (Twisted)."""

    # --- IConsumer ---

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        if self._producer is not None:
            raise RuntimeError("there is a producer already")
        if self.disconnected:
            producer.stopProducing()
            return
        self._producer, self._streaming, self._holding = producer, streaming, False
        if not streaming:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self._producer = None
        self._finish_if_done()

    # --- IPushProducer ---

    def pauseProducing(self) -> None:
        self._paused = True

    def resumeProducing(self) -> None:
        self._paused = False
        self._schedule()

    def stopProducing(self) -> None:
        self.loseConnection()

    # --- ours ---

    def _arrive(self, data: bytes) -> None:
        self._arrived.append(data)
        self._between += len(data)
        self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled and not self.disconnected:
            self._scheduled = True
            self._clock.callLater(0, self._deliver)

    def _deliver(self) -> None:
        self._scheduled = False
        if self._paused or self.disconnected:
            return
        arrived, self._arrived = self._arrived, []
        self._between = 0
        self.other._drained()
        for position, data in enumerate(arrived):
            if self._paused:
                self._arrived = arrived[position:] + self._arrived
                self._between = sum(map(len, self._arrived))
                return
            self.protocol.dataReceived(data)
        if self._ended and not self._arrived:
            self._lost()

    def _drained(self) -> None:
        """The other end took what this one wrote."""
        producer = self._producer
        if producer is None:
            return
        if not self._streaming:
            producer.resumeProducing()
        elif self._holding:
            self._holding = False
            producer.resumeProducing()

    def _finish_if_done(self) -> None:
        # As with TCP, what a producer still has is written first.
        if self.disconnecting and self._producer is None and not self.disconnected:
            self.other._ended = True
            self.other._schedule()
            self._clock.callLater(0, self._lost)

    def _lost(self) -> None:
        if self.disconnected:
            return
        self.disconnected = True
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.stopProducing()
        if not self.other.disconnected:
            self.other._ended = True
            self.other._schedule()
        self.protocol.connectionLost(Failure(ConnectionDone()))


@implementer(ISSLTransport)
class _SecureEnd(_End):
    """One that counts as TLS."""

    def getPeerCertificate(self) -> None:
        """There is none (Twisted)."""
