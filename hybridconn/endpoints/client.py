"""Connecting an app's protocol through a hybrid connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import field, frozen
from twisted.internet.defer import Deferred
from twisted.internet.error import NoProtocol
from twisted.internet.interfaces import IProtocolFactory, IStreamClientEndpoint
from zope.interface import implementer

from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.tracking import TrackingId
from hybridconn.dialer import ReactorDialer
from hybridconn.interfaces import IDialer
from hybridconn.sender.connector import TunnelConnector
from hybridconn.websocket.addresses import HybridConnectionAddress
from hybridconn.websocket.client import TunnelClientProtocol
from hybridconn.websocket.protocol_end import ProtocolEnd


@implementer(IStreamClientEndpoint)
@frozen(eq=False)
class HybridConnectionClientEndpoint:
    """
    An L{IStreamClientEndpoint} over one hybrid connection; L{for_connection}
    makes one from a connection string.

    @ivar connector: opens the tunnels.
    @ivar suffix: for the listener: more path, percent-encoded, with a slash in
        front.
    @ivar query: for the listener, percent-encoded.
    @ivar headers: for the listener.
    @ivar subprotocols: offered to the listener.
    @ivar target: the C{host:port} that is wanted of a listener with many targets.
    """

    connector: TunnelConnector
    suffix: str = ""
    query: str = ""
    headers: Mapping[str, str] = field(factory=dict)
    subprotocols: Sequence[str] = ()
    target: str = ""

    @classmethod
    def for_connection(
        cls,
        connection: ConnectionString,
        reactor: Any,
        dialer: IDialer | None = None,
        wall: Callable[[], float] = time.time,
        **more: Any,
    ) -> HybridConnectionClientEndpoint:
        """
        @param connection: with an entity path.
        @param dialer: the way to the relay; by default the network, trusting
            the system's authorities.
        @param wall: seconds since 1970-01-01 UTC, for tokens.
        @param more: C{suffix}, C{query}, C{headers}, C{subprotocols} and
            C{target}.
        """
        dialer = dialer or ReactorDialer(reactor)
        return cls(TunnelConnector(connection, dialer, reactor, wall=wall), **more)

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[Any]:
        """
        Open a tunnel and run a protocol of the factory over it.

        @return: fires with the protocol when it is connected.  Fails with
            L{HybridConnectionError <hybridconn.sender.HybridConnectionError>}
            and its subclasses; nothing is tried again.
        """
        tracking = self.connector.new_tracking()
        protocolFactory.doStart()
        dialled: Deferred[Any] = self.connector.connect(
            tracking,
            suffix=self.suffix,
            query=self.query,
            headers=self.headers,
            subprotocols=self.subprotocols,
            target=self.target,
        )

        def stop(result: Any) -> Any:
            protocolFactory.doStop()
            return result

        return dialled.addCallbacks(self._run, stop, (protocolFactory, tracking))

    def _run(
        self,
        tunnel: TunnelClientProtocol,
        factory: IProtocolFactory,
        tracking: TrackingId,
    ) -> Any:
        connector = self.connector
        here = HybridConnectionAddress(connector.host, connector.entity)
        there = HybridConnectionAddress(connector.host, connector.entity, str(tracking))

        def over(_: object = None) -> None:
            connector.forget(tunnel)
            factory.doStop()

        try:
            protocol = factory.buildProtocol(there)
            if protocol is None:
                raise NoProtocol()
        except BaseException:
            tunnel.abort()
            over()
            raise
        ProtocolEnd(protocol, here, there).join(tunnel).addCallback(over)
        return protocol
