"""Dialling what the relay says: a sender's rendezvous, a request's, a rejection."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ConnectError

from hybridconn.core.limits import Limits
from hybridconn.interfaces import IDialer
from hybridconn.websocket.autobahn_frames import DataPath
from hybridconn.websocket.client import (
    TunnelClientProtocol,
    WebSocketUrl,
    connect_websocket,
)
from hybridconn.websocket.reading import ReadSizes


class RendezvousDialer:
    """
    @param secure: the listener came by TLS, and goes nowhere without it.
    @param timeout: seconds for one dial, handshakes and all.
    """

    def __init__(
        self,
        dialer: IDialer,
        reactor: Any,
        *,
        secure: bool,
        timeout: float,
        limits: Limits,
        data_path: DataPath,
        read_sizes: ReadSizes,
    ) -> None:
        self._dialer = dialer
        self._clock = reactor
        self._secure = secure
        self._timeout = timeout
        self._limits = limits
        self._data_path: DataPath = data_path
        self._read_sizes = read_sizes

    def fault_of(self, address: str) -> str:
        """What is wrong with an address, as the end of a sentence; or nothing."""
        try:
            secure = WebSocketUrl.parse(address).secure
        except ValueError:
            return "is none"
        return "is without TLS" if self._secure and not secure else ""

    def dial_checked(self, address: str) -> Deferred[TunnelClientProtocol]:
        """The same as L{dial}; it fails if there is a fault with C{address}."""
        wrong = self.fault_of(address)
        if wrong:
            return fail(ConnectError(string=f"the address {wrong}"))
        return self.dial(address)

    def dial(
        self, address: str, subprotocols: tuple[str, ...] = ()
    ) -> Deferred[TunnelClientProtocol]:
        """Open the WebSocket at C{address}."""
        try:
            return connect_websocket(
                self._dialer,
                self._clock,
                self._limits,
                address,
                subprotocols=subprotocols,
                timeout=self._timeout,
                data_path=self._data_path,
                read_sizes=self._read_sizes,
            )
        except ValueError:  # the dialer does not take the host for a name
            return fail(ConnectError(string="the address names no host"))
