"""Opening tunnels: the sender's side of relay-protocol section 6.1."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from hybridconn.config.sender import SenderTimings
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.limits import Limits
from hybridconn.core.relay_url import websocket_url
from hybridconn.core.reuse import STREAM, TARGET, heeds_targets
from hybridconn.core.route import TOKEN_HEADER
from hybridconn.core.targets import TARGET_HEADER
from hybridconn.core.tracking import TrackingId
from hybridconn.interfaces import IDialer
from hybridconn.sender.errors import OneTargetOnly, as_connect_error
from hybridconn.socket_options import tune
from hybridconn.websocket.autobahn_frames import DataPath
from hybridconn.websocket.client import (
    Answered,
    TunnelClientProtocol,
    connect_websocket,
)
from hybridconn.websocket.closing import NORMAL
from hybridconn.websocket.keeper import Keeper
from hybridconn.websocket.reading import ReadSizes


class TunnelConnector:
    """
    Opens tunnels to one hybrid connection.

    @ivar entity: its path.
    @ivar host: the relay's host name.
    @ivar clock: the reactor.
    @ivar timeout: seconds for opening a tunnel, the listener's target and all.
    @param connection: without key or token for one that needs none.
    @param keeper: pings the tunnels.
    @param read_sizes: shared by all tunnels of a process.
    @param data_path: who reads and writes the frames of tunnels.
    @param wall: seconds since 1970-01-01 UTC, for tokens.
    """

    def __init__(
        self,
        connection: ConnectionString,
        dialer: IDialer,
        reactor: Any,
        *,
        timings: SenderTimings | None = None,
        limits: Limits | None = None,
        keeper: Keeper | None = None,
        wall: Callable[[], float] = time.time,
        new_guid: Callable[[], UUID] = uuid4,
        read_sizes: ReadSizes | None = None,
        data_path: DataPath = "slim",
    ) -> None:
        self.entity = connection.require_entity_path()
        self.host = connection.host
        self.authority = connection.authority
        self._connection = connection
        self._dialer = dialer
        self.clock = reactor
        self._timings = timings = timings or SenderTimings()
        self.timeout = timings.connect_timeout
        self._limits = limits or Limits()
        self._keeper = keeper or Keeper(
            reactor, timings.ping_interval, timings.dead_after
        )
        self._read_sizes = read_sizes or ReadSizes(reactor, self._limits.read_bytes)
        self._data_path: DataPath = data_path
        self._wall = wall
        self._new_guid = new_guid

    def renew(self, connection: ConnectionString) -> None:
        """
        Use another key from now on; tunnels that are open stay.

        @param connection: to the same hybrid connection.
        """
        self._connection = connection

    def new_tracking(self) -> TrackingId:
        """An id for the next tunnel."""
        return TrackingId.choose(None, self._new_guid)

    def connect(
        self,
        tracking: TrackingId,
        *,
        suffix: str = "",
        query: str = "",
        headers: Mapping[str, str] | None = None,
        subprotocols: Sequence[str] = (),
        target: str = "",
        answered: Answered | None = None,
    ) -> Deferred[TunnelClientProtocol]:
        """
        Open one.

        @param suffix: for the listener, percent-encoded, with a slash in front.
        @param query: for the listener, percent-encoded.
        @param headers: for the listener, beside the token.
        @param target: the C{host:port} that is wanted of the listener.  One that does
            not heed it gets no byte: it fails with L{OneTargetOnly}.
        @param answered: called with the fields of the relay's answer, yes or no.
        @return: fires with the open tunnel; what arrives waits until a sink is
            attached.  Fails with L{HybridConnectionError}.  Cancelling it closes
            what was half made.
        """
        token = self._connection.token(
            int(self._wall() + self._timings.token_lifetime) + 1
        )
        sent = dict(headers or {})
        if token is not None:
            sent[TOKEN_HEADER] = token.reveal()
        if target:
            sent[TARGET_HEADER] = target
            subprotocols = (STREAM, TARGET, *subprotocols)
        dialled = connect_websocket(
            self._dialer,
            self.clock,
            self._limits,
            websocket_url(self._connection, "connect", tracking.guid, suffix, query),
            headers=sent,
            subprotocols=subprotocols,
            timeout=self.timeout,
            data_path=self._data_path,
            read_sizes=self._read_sizes,
            answered=answered,
        )

        def opened(tunnel: TunnelClientProtocol) -> TunnelClientProtocol:
            if target and not heeds_targets(tunnel.websocket_protocol_in_use):
                tunnel.finish(NORMAL, b"")
                raise OneTargetOnly(target, str(tracking))
            tune(tunnel.transport, control=False)
            self._keeper.watch(tunnel, f"{self.entity}: tunnel {tracking}")
            return tunnel

        def failed(failure: Failure) -> Failure:
            return as_connect_error(failure, str(tracking))

        return dialled.addCallbacks(opened, failed)

    def forget(self, tunnel: TunnelClientProtocol) -> None:
        """C{tunnel} is over: ping it no more."""
        self._keeper.forget(tunnel)
