"""Protocols and producers that remember what happens to them."""

from __future__ import annotations

from typing import Any

from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IPullProducer,
    IPushProducer,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.testing import Connection, MemoryNetwork, one_protocol


class Recorder(Protocol):
    """Remembers pieces and the loss; C{wire} is the transport, untyped."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.events: list[str] = []
        self.lost: Failure | None = None

    @property
    def wire(self) -> Any:
        return self.transport

    @property
    def data(self) -> bytes:
        return b"".join(self.pieces)

    def connectionMade(self) -> None:
        self.events.append("made")

    def dataReceived(self, data: bytes) -> None:
        self.pieces.append(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.events.append("lost")
        self.lost = reason


@implementer(IHalfCloseableProtocol)
class HalfCloseableRecorder(Recorder):
    """A L{Recorder} whose two directions end one by one."""

    def readConnectionLost(self) -> None:
        self.events.append("read lost")

    def writeConnectionLost(self) -> None:
        self.events.append("write lost")


@implementer(IPushProducer)
class PushRecorder:
    """A producer that produces nothing and remembers."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def pauseProducing(self) -> None:
        self.calls.append("pause")

    def resumeProducing(self) -> None:
        self.calls.append("resume")

    def stopProducing(self) -> None:
        self.calls.append("stop")


@implementer(IPullProducer)
class PullProducer:
    """Writes C{pieces}, one each time it is asked."""

    def __init__(self, consumer: Any, pieces: list[bytes]) -> None:
        self.consumer = consumer
        self.pieces = pieces
        self.stopped = False

    def resumeProducing(self) -> None:
        if self.pieces:
            self.consumer.write(self.pieces.pop(0))
        else:
            self.consumer.unregisterProducer()

    def stopProducing(self) -> None:
        self.stopped = True


def connected(
    network: MemoryNetwork, client: Protocol, server: Protocol, secure: bool = False
) -> Connection:
    """Join two protocols by a connection."""
    port = network.listen("server.test", 0, one_protocol(server))
    number = port.getHost().port
    endpoint = network.client_endpoint("server.test", number, secure=secure)
    endpoint.connect(one_protocol(client))
    network.flush()
    port.stopListening()
    return network.connections[-1]
