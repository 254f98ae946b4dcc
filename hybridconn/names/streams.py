"""Queries by TCP (RFC 7766)."""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, connectionDone
from twisted.protocols.basic import Int16StringReceiver
from twisted.protocols.policies import TimeoutMixin
from twisted.python.failure import Failure

#: Programs that ask by TCP, at a time.
_MOST_STREAMS = 128
#: Queries of one of them that wait for their answers; it is not read meanwhile.
_MOST_ASKED = 32


class Responder(Protocol):
    """Whoever answers queries."""

    def respond(self, query: bytes, stream: bool) -> Deferred[bytes] | None: ...


class StreamServer(Int16StringReceiver, TimeoutMixin):
    """
    Queries by TCP, several at a time; each is answered when its answer is there.

    Who does not read the answers is not read either.
    """

    factory: StreamServerFactory
    _asked = 0
    _full = False
    _gone = False

    def connectionMade(self) -> None:
        """Somebody is there (Twisted)."""
        self.factory.open.add(self)
        self.setTimeout(self.factory.idle)
        transport: Any = self.transport
        transport.registerProducer(self, True)

    def stringReceived(self, string: bytes) -> None:
        """A query (Twisted)."""
        self.resetTimeout()
        answered = self.factory.responder.respond(string, stream=True)
        if answered is None:
            transport: Any = self.transport
            transport.unregisterProducer()
            transport.loseConnection()
            return
        self._asked += 1
        answered.addCallback(self._send)
        if self._asked >= _MOST_ASKED:
            super().pauseProducing()

    def pauseProducing(self) -> None:
        """The answers are not read (Twisted)."""
        self._full = True
        super().pauseProducing()

    def resumeProducing(self) -> None:
        """They are (Twisted)."""
        self._full = False
        self._go_on()

    def timeoutConnection(self) -> None:
        """It was silent for too long (Twisted)."""
        transport: Any = self.transport
        # Answers that nobody reads would keep an orderly end waiting for ever.
        transport.abortConnection()

    def callLater(self, period: float, func: Any) -> Any:
        """The time-out's clock (Twisted)."""
        return self.factory.reactor.callLater(period, func)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """It left (Twisted)."""
        self._gone = True
        self.setTimeout(None)
        self.factory.open.discard(self)

    def _send(self, packet: bytes) -> None:
        self._asked -= 1
        if not self._gone:
            self.sendString(packet)
            self._go_on()

    def _go_on(self) -> None:
        if self.paused and not self._full and self._asked < _MOST_ASKED:
            super().resumeProducing()


class StreamServerFactory(Factory):
    """
    @ivar open: the connections that there are.
    """

    noisy = False
    protocol: type[StreamServer] = StreamServer  # type: ignore[assignment]

    def __init__(self, responder: Responder, reactor: Any, idle: float) -> None:
        self.responder = responder
        self.reactor = reactor
        self.idle = idle
        self.open: set[StreamServer] = set()

    def buildProtocol(self, addr: Any) -> Any:
        """Take a connection, unless there are too many (Twisted)."""
        if len(self.open) >= _MOST_STREAMS:
            return None
        made = self.protocol()
        made.factory = self
        return made

    def doStop(self) -> None:
        """The port is closed: so is what came by it (Twisted)."""
        super().doStop()
        for one in tuple(self.open):
            transport: Any = one.transport
            transport.abortConnection()
