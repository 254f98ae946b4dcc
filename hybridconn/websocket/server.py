"""The relay's end of a WebSocket, started on a request that was already read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autobahn.twisted.websocket import WebSocketServerFactory, WebSocketServerProtocol
from twisted.internet.interfaces import IReactorTime

from hybridconn.core.limits import Limits
from hybridconn.websocket.autobahn_frames import COMMON_OPTIONS, DataPath
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.reading import ReadSizes


class TunnelServerProtocol(StreamingWebSocket, WebSocketServerProtocol):  # type: ignore[misc]  # untyped
    """
    One WebSocket of the relay: a control channel or one leg of a tunnel, by
    the sink that is attached to it.
    """

    factory: TunnelServerFactory

    _subprotocol: str | None = None
    _headers: Sequence[tuple[str, str]] = ()

    def prepare_upgrade(
        self, subprotocol: str | None, headers: Sequence[tuple[str, str]]
    ) -> None:
        """
        Set what the 101 says.  To be called before the connection is made.

        @param subprotocol: the one sub-protocol to name, or L{None}.
        @param headers: further header fields of the 101.
        """
        self._subprotocol = subprotocol
        self._headers = headers

    def onConnect(self, request: Any) -> tuple[str | None, dict[str, str]]:
        """Accept: whoever comes here was let in (Autobahn)."""
        return self._subprotocol, dict(self._headers)


class TunnelServerFactory(WebSocketServerFactory):  # type: ignore[misc]  # untyped
    """
    Makes L{TunnelServerProtocol}s and holds what they share.

    @param clock: for closing time-outs.
    @param limits: sizes and time-outs.
    @param data_path: who reads and writes the frames of tunnels.
    """

    protocol = TunnelServerProtocol

    def __init__(
        self, clock: IReactorTime, limits: Limits, data_path: DataPath = "slim"
    ) -> None:
        super().__init__(reactor=clock, server="")
        self.limits = limits
        self.read_sizes = ReadSizes(clock, limits.read_bytes)
        self.data_path = data_path
        self.setProtocolOptions(webStatus=False, **COMMON_OPTIONS)

    def build(self, control: bool = False) -> TunnelServerProtocol:
        """
        A protocol that waits for its connection.

        @param control: for a control channel, whose frames are Autobahn's.
        """
        protocol = self.protocol()
        protocol.factory = self
        protocol.data_path = "autobahn" if control else self.data_path
        return protocol
