"""Serving an app's protocol through a hybrid connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import (
    IListeningPort,
    IProtocolFactory,
    IStreamServerEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.core.commands import Accept
from hybridconn.core.connection_string import ConnectionString
from hybridconn.dialer import ReactorDialer
from hybridconn.interfaces import IDialer, ITargetConnector
from hybridconn.listener.listener import HybridConnectionListener
from hybridconn.listener.reject import Reject
from hybridconn.sender.errors import as_connect_error
from hybridconn.websocket.addresses import HybridConnectionAddress
from hybridconn.websocket.protocol_end import ProtocolEnd


@implementer(ITargetConnector)
@frozen(eq=False)
class FactoryConnector:
    """Runs a protocol of C{factory} over each sender's tunnel."""

    factory: IProtocolFactory
    address: HybridConnectionAddress

    def connect(self, accept: Accept) -> Deferred[ProtocolEnd]:
        """See L{ITargetConnector.connect}."""
        peer = HybridConnectionAddress(
            self.address.namespace, self.address.entity, accept.id
        )
        protocol = self.factory.buildProtocol(peer)
        if protocol is None:
            raise Reject(503, "The listener takes no connection now")
        return succeed(ProtocolEnd(protocol, self.address, peer))


@implementer(IListeningPort)
class HybridConnectionPort:
    """What C{listen} fires with."""

    def __init__(
        self,
        listener: HybridConnectionListener,
        factory: IProtocolFactory,
        address: HybridConnectionAddress,
    ) -> None:
        self.listener = listener
        self._factory = factory
        self._address = address
        self._stopped: list[Deferred[None]] | None = None

    def startListening(self) -> None:
        """Dial the relay; does nothing if that goes on already."""
        if not self.listener.running:
            self._stopped = None
            self._factory.doStart()
            self.listener.startService()

    def stopListening(self) -> Deferred[None]:
        """
        Leave the relay.

        @return: fires when the tunnels are over, for which they have the
            listener's C{drain_timeout}.
        """
        waiting: Deferred[None] = Deferred()
        if self._stopped is not None:
            self._stopped.append(waiting)
            return waiting
        if not self.listener.running:
            return succeed(None)
        stopped = self._stopped = [waiting]

        def over(_: object) -> None:
            self._stopped = None
            self._factory.doStop()
            for one in stopped:
                one.callback(None)

        self.listener.stopService().addCallback(over)
        return waiting

    def getHost(self) -> HybridConnectionAddress:
        """The hybrid connection."""
        return self._address


@implementer(IStreamServerEndpoint)
@frozen(eq=False)
class HybridConnectionServerEndpoint:
    """
    An L{IStreamServerEndpoint} on one hybrid connection; L{for_connection}
    makes one from a connection string.

    @ivar listener: makes the listener for a connector; usually a partial call
        of L{HybridConnectionListener} or a subclass of it.
    @ivar address: what the port is called.
    @ivar retry: whether a first dial that fails is repeated, as later ones are.
    """

    listener: Callable[[ITargetConnector], HybridConnectionListener]
    address: HybridConnectionAddress
    retry: bool = False

    @classmethod
    def for_connection(
        cls,
        connection: ConnectionString,
        reactor: Any,
        dialer: IDialer | None = None,
        *,
        listener_class: type[HybridConnectionListener] = HybridConnectionListener,
        retry: bool = False,
        **more: Any,
    ) -> HybridConnectionServerEndpoint:
        """
        @param connection: with an entity path, and a key or a token.
        @param dialer: the way to the relay; by default the network, trusting
            the system's authorities.
        @param listener_class: a subclass can refuse senders, for example.
        @param more: as for C{listener_class}.
        """
        dialer = dialer or ReactorDialer(reactor)

        def listener(connector: ITargetConnector) -> HybridConnectionListener:
            return listener_class(connection, connector, dialer, reactor, **more)

        entity = connection.require_entity_path()
        return cls(listener, HybridConnectionAddress(connection.host, entity), retry)

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """
        Register at the relay.

        @return: fires with an L{IListeningPort} when it is registered for the
            first time; what is lost later is dialled again inside.  Fails with
            L{HybridConnectionError <hybridconn.sender.HybridConnectionError>} if
            the first dial does, unless C{retry}; then nothing goes on.
        """
        connector = FactoryConnector(protocolFactory, self.address)
        listener = self.listener(connector)
        port = HybridConnectionPort(listener, protocolFactory, self.address)
        online = listener.when_online(fail_first=not self.retry)
        port.startListening()

        def failed(failure: Failure) -> Deferred[Any]:
            stopped: Deferred[Any] = port.stopListening()
            return stopped.addCallback(lambda _: as_connect_error(failure, ""))

        return online.addCallbacks(lambda _: port, failed)
