"""Apps' protocols at both ends of a relay in memory."""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IListeningPort
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from hybridconn.testing import MemoryRelay

_T = TypeVar("_T")


class App(Protocol):
    """
    Writes down what it gets.

    @ivar received: all that came.
    @ivar lost: why the connection ended, if it did.
    """

    def __init__(self) -> None:
        self.received = b""
        self.lost: Failure | None = None

    @property
    def wire(self) -> Any:
        """The transport."""
        return self.transport

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.lost = reason


class Echo(App):
    """Sends back what it gets."""

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        self.wire.write(data)


@implementer(IHalfCloseableProtocol)
class HalfCloser(App):
    """
    Keeps one direction when the other one ends.

    @ivar ended: C{read} and C{write}, in the order in which they ended.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ended: list[str] = []

    def readConnectionLost(self) -> None:
        self.ended.append("read")

    def writeConnectionLost(self) -> None:
        self.ended.append("write")


class Apps(Factory):
    """
    Makes protocols of one kind.

    @ivar made: all of them, oldest first.
    @ivar starts: how often it was started and not stopped.
    """

    noisy = False

    def __init__(self, kind: Any = App) -> None:
        self.made: list[Any] = []
        self.starts = 0
        self._kind = kind

    def startFactory(self) -> None:
        self.starts += 1

    def stopFactory(self) -> None:
        self.starts -= 1

    def buildProtocol(self, addr: Any) -> Any:
        app = self._kind()
        self.made.append(app)
        return app


class EndpointTestCase(SynchronousTestCase):
    """A relay with the hybrid connection C{hyco}."""

    def setUp(self) -> None:
        self.relay = MemoryRelay(["hyco"])
        self.network = self.relay.network

    def flush(self) -> None:
        """Let all bytes arrive."""
        self.network.flush()

    def done(self, deferred: Deferred[_T]) -> _T:
        """The result, which is there when all bytes have arrived."""
        self.flush()
        result: _T = self.successResultOf(deferred)
        return result

    def failed(self, deferred: Deferred[Any], kind: type[Exception]) -> Any:
        """The error, which is there when all bytes have arrived."""
        self.flush()
        return self.failureResultOf(deferred, kind).value

    def serve(self, factory: Any, **more: Any) -> IListeningPort:
        """Listen on C{hyco}."""
        listening: Deferred[IListeningPort] = self.relay.server_endpoint(
            "hyco", **more
        ).listen(factory)
        return self.done(listening)

    def join(self, server: Any = App, client: Any = App) -> tuple[Any, Any]:
        """Protocols at both ends of one tunnel."""
        self.servers, self.clients = Apps(server), Apps(client)
        self.port = self.serve(self.servers)
        app = self.done(self.relay.client_endpoint("hyco").connect(self.clients))
        return self.servers.made[0], app

    def assertLost(self, app: App, kind: type[Exception]) -> str:
        """The app heard of the end, for this reason; returns the words."""
        assert app.lost is not None, "not lost"
        self.assertTrue(app.lost.check(kind), app.lost)
        return str(app.lost.value)

    def assertQuiet(self) -> None:
        """Nothing is left but the control channel and its timers."""
        self.assertEqual(len(self.network.connections), 1)
