"""Endpoints and the dialer of a network in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attrs import define, field, frozen
from twisted.internet.defer import Deferred, execute
from twisted.internet.error import (
    ConnectingCancelledError,
    ConnectionRefusedError,
    NoProtocol,
    TimeoutError,
)
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.interfaces import IDialer

if TYPE_CHECKING:
    from hybridconn.testing.network import MemoryNetwork


@implementer(IStreamClientEndpoint)
@frozen
class MemoryClientEndpoint:
    """Dials one place of a network in memory."""

    _network: MemoryNetwork
    host: str
    port: int
    secure: bool
    source: str
    timeout: float

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        @return: fires with the connected protocol.  Fails as a TCP endpoint
            does: C{ConnectionRefusedError}, C{TimeoutError} after C{timeout}
            seconds, and C{ConnectingCancelledError} when cancelled.
        """
        clock, faults = self._network.clock, self._network.faults
        dialled: Deferred[IProtocol] = Deferred(lambda _: cancel())
        protocolFactory.doStart()

        def cancel() -> None:
            step.cancel()
            address = self._network.address(self.host, self.port)
            fail(ConnectingCancelledError(address))

        def fail(why: Exception | Failure) -> None:
            protocolFactory.doStop()
            dialled.errback(why)

        def attempt() -> None:
            try:
                protocol = self._join(protocolFactory)
            except Exception:
                fail(Failure())
            else:
                dialled.callback(protocol)

        if faults.ignores(self.host, self.port):
            step = clock.callLater(self.timeout, lambda: fail(TimeoutError()))
        else:
            step = clock.callLater(faults.delay, attempt)
        return dialled

    def _join(self, factory: IProtocolFactory) -> Any:
        place = self.host, self.port, self.secure, self.source
        connection = self._network.connect(*place)
        if connection is None:
            raise ConnectionRefusedError()
        client = connection.client
        try:
            protocol: Any = factory.buildProtocol(client.getPeer())
            if protocol is None:
                raise NoProtocol()
        except Exception:
            client.start(Protocol())
            client.loseConnection()
            raise
        client.start(protocol, factory.doStop)
        return protocol


@implementer(IStreamServerEndpoint)
@frozen
class MemoryServerEndpoint:
    """Listens in one place of a network in memory."""

    _network: MemoryNetwork
    host: str
    port: int

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """
        @return: fires with the port, or fails with C{CannotListenError}.
        """
        return execute(self._network.listen, self.host, self.port, protocolFactory)


@implementer(IDialer)
@define
class MemoryDialer:
    """
    Makes endpoints on a network in memory.

    @ivar source: the address that its connections come from.
    @ivar dialled: host, port and C{secure} of all that was asked for.
    """

    _network: MemoryNetwork
    source: str
    dialled: list[tuple[str, int, bool]] = field(factory=list, init=False)

    def endpoint(self, host: str, port: int, secure: bool) -> MemoryClientEndpoint:
        """The way to C{host} and C{port}."""
        self.dialled.append((host, port, secure))
        return self._network.client_endpoint(
            host, port, secure=secure, source=self.source
        )
