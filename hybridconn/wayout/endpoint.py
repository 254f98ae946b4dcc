"""An endpoint that goes through a proxy, around the one that reaches the proxy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import (
    ConnectingCancelledError,
    ConnectionDone,
    NoProtocol,
)
from twisted.internet.interfaces import (
    IAddress,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.tls import CertificateRejected
from hybridconn.wayout.errors import ProxyError, Refused
from hybridconn.wayout.handshake import IHandshake, start_handshake
from hybridconn.wayout.proxy import Proxy
from hybridconn.web.takeover import replace_protocol
from hybridconn.websocket.words import explain, is_surprise


@implementer(IStreamClientEndpoint)
class ProxyEndpoint:
    """
    Reaches C{host} and C{port} through a proxy.

    @param way: where the proxy is reached, TLS to it and all.
    @param timeout: seconds for the proxy to be reached and to let us through.
    """

    def __init__(
        self,
        proxy: Proxy,
        way: IStreamClientEndpoint,
        host: str,
        port: int,
        clock: IReactorTime,
        timeout: float,
    ) -> None:
        self._proxy = proxy
        self._way = way
        self._place = host, port
        self._clock = clock
        self._timeout = timeout

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """
        Connect (Twisted).

        @return: fires with the protocol when the proxy has let us through.  Fails
            with L{ProxyError}, and C{ConnectingCancelledError} when cancelled.
        """
        factory = _Factory(self._proxy, self._place, protocolFactory)
        dialled: Deferred[Any] = self._way.connect(factory)
        dialled.addCallback(lambda bridge: bridge.established)
        late: list[bool] = []

        def too_late(result: Any, _: float) -> Any:
            if isinstance(result, Failure):
                late.append(True)
            return result

        dialled.addTimeout(self._timeout, self._clock, too_late)
        return dialled.addErrback(lambda failure: self._failed(failure, bool(late)))

    def _failed(self, failure: Failure, late: bool) -> Failure:
        error = failure.value
        if late:
            problem = f"did not answer in time: {self._timeout:g} s"
        elif isinstance(error, Refused):
            problem = error.problem
        elif isinstance(error, CancelledError | ConnectingCancelledError | NoProtocol):
            return failure
        elif isinstance(error, CertificateRejected):
            problem = f"shows a certificate that is refused: {error.problem}"
        elif is_surprise(failure):
            return failure
        else:
            problem = f"cannot be reached: {explain(failure)}"
        return Failure(ProxyError(str(self._proxy), problem))


class _Factory(Factory):
    noisy = False

    def __init__(
        self, proxy: Proxy, place: tuple[str, int], inner: IProtocolFactory
    ) -> None:
        self._proxy = proxy
        self._place = place
        self._inner = inner

    def doStart(self) -> None:
        """The inner factory is used too (Twisted)."""
        self._inner.doStart()

    def doStop(self) -> None:
        """No more (Twisted)."""
        self._inner.doStop()

    def buildProtocol(self, addr: IAddress | None) -> _Bridge:
        """Make what speaks to the proxy first (Twisted)."""
        inner: Any = self._inner
        return _Bridge(
            lambda: start_handshake(self._proxy, *self._place),
            lambda: inner.buildProtocol(addr),
        )


class _Bridge(Protocol):
    """
    Speaks to the proxy, then gives the connection away.

    @ivar established: fires with the protocol that has it then.
    """

    def __init__(
        self, start: Callable[[], IHandshake], build: Callable[[], Any]
    ) -> None:
        self._start = start
        self._build = build
        self._handshake: IHandshake | None = None
        self._over = False
        self.established: Deferred[Any] = Deferred(lambda _: self._fail(None))

    def connectionMade(self) -> None:
        """Ask for a connection (Twisted)."""

        def begin() -> bytes:
            self._handshake = handshake = self._start()
            return handshake.begin()

        self._step(begin)

    def dataReceived(self, data: bytes) -> None:
        """The proxy answers (Twisted)."""
        handshake = self._handshake
        if self._over or handshake is None:
            return
        self._step(lambda: handshake.receive(data))
        if handshake.done and not self._over:
            self._give_away(handshake.rest)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The proxy is gone (Twisted)."""
        if self._over:
            return
        handshake = self._handshake
        if handshake is not None and reason.check(ConnectionDone):
            self._step(lambda: handshake.receive(b""))
        self._fail(reason)

    def _step(self, step: Callable[[], bytes]) -> None:
        try:
            said = step()
        except Exception:
            self._fail(Failure())
            return
        if said and self.transport is not None:
            self.transport.write(said)

    def _give_away(self, rest: bytes) -> None:
        try:
            protocol = self._build()
            if protocol is None:
                raise NoProtocol()
        except Exception:
            self._fail(Failure())
            return
        self._over = True
        replace_protocol(self.transport, protocol)
        if rest:
            protocol.dataReceived(rest)
        self.established.callback(protocol)

    def _fail(self, failure: Failure | None) -> None:
        if self._over:
            return
        self._over = True
        if self.transport is not None:
            abort = getattr(self.transport, "abortConnection", None)
            (abort or self.transport.loseConnection)()
        if failure is not None:
            self.established.errback(failure)
