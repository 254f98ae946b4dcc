"""Tunnels to listeners that want a preamble (product-behaviour section 7.3)."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost, TimeoutError

from hybridconn.config.sender import SpareTunnels
from hybridconn.core.preamble import STREAM, BadAnswer, Preamble, parse_answer
from hybridconn.core.tracking import TrackingId
from hybridconn.interfaces import ITunnel
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.errors import HybridConnectionRefused, HybridConnectionTimeout
from hybridconn.sender.pool import TunnelPool
from hybridconn.websocket.closing import NORMAL, TunnelClosed
from hybridconn.websocket.prologue import Farewell, Prologue

#: Seconds for a listener to reach its target and say so.
ANSWER_TIMEOUT: Final = 30.0

_OTHER_MODE: Final = 'if it is none of azbridge\'s, use mode = "raw"'


class PreambleTunnels(TunnelPool):
    """
    Opens a tunnel for each connection and says which port is wanted; none is ready
    before that, and none is used twice.

    @param port_name: the port of the listener's.
    @param mode: for a stream or for datagrams.
    """

    def __init__(
        self, connector: TunnelConnector, port_name: str, mode: int = STREAM
    ) -> None:
        super().__init__(connector, SpareTunnels(least=0, most=0), connector.clock)
        self._preamble = Preamble(port_name, mode)

    def connect(self, tracking: TrackingId, target: str = "") -> Deferred[ITunnel]:
        """
        Open a tunnel for a connection.

        @param target: the port's name says what is wanted; so this is empty.
        @return: fires when the listener has taken it.  Fails with
            L{HybridConnectionError <hybridconn.sender.errors.HybridConnectionError>}.
        """
        return Deferred.fromCoroutine(self._connect(tracking))

    async def _connect(self, tracking: TrackingId) -> ITunnel:
        tunnel: Any = await super().connect(tracking)
        mode = self._preamble.mode

        def read(data: bytes) -> tuple[None, int] | None:
            used = parse_answer(data, mode)
            return None if used is None else (None, used)

        prologue = Prologue(tunnel, read, ANSWER_TIMEOUT)
        for message in self._preamble.messages():
            tunnel.send_piece(message, True, True)
        try:
            await prologue.done
        except BaseException as error:
            Farewell(tunnel)
            tunnel.finish(NORMAL, b"")
            self._connector.forget(tunnel)
            raise self._explain(error, str(tracking)) from None
        opened: ITunnel = tunnel
        return opened

    def _explain(self, error: BaseException, tracking_id: str) -> BaseException:
        wanted = f"port {self._preamble.name!r} of the listener"
        if isinstance(error, BadAnswer):
            words = f"{wanted}: {error}; {_OTHER_MODE}"
        elif isinstance(error, TunnelClosed) and error.reason not in ("", "Shutdown"):
            words = f"{wanted}: {error.reason}"
        elif isinstance(error, TunnelClosed):
            words = f"{wanted}: closed without an answer: it may have no port of that"
            words += f" name; {_OTHER_MODE}"
        elif isinstance(error, ConnectionLost):
            words = f"{wanted}: the connection broke before there was an answer"
        elif isinstance(error, TimeoutError):
            words = f"{wanted}: no answer in {ANSWER_TIMEOUT:g} s; {_OTHER_MODE}"
            return HybridConnectionTimeout(0, words, tracking_id)
        else:
            return error
        return HybridConnectionRefused(0, words, tracking_id)
