"""The sender's side of a probe: one tunnel to one listener, and what that tells."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from hybridconn.core.listeners import AVOID, CHOSEN
from hybridconn.core.probe import (
    MAX_MESSAGE,
    MAX_MESSAGES,
    PROBE,
    TLS_NAME_HEADER,
    Message,
    ProbeError,
    parse,
)
from hybridconn.core.reuse import STREAM
from hybridconn.core.text import printable
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.errors import HybridConnectionError
from hybridconn.websocket.client import TunnelClientProtocol, with_timeout
from hybridconn.websocket.closing import NORMAL
from hybridconn.websocket.messages import MessageSink
from hybridconn.websocket.words import is_surprise

#: An id of a listener that is longer is none of our relay's.
_LONGEST_ID: Final = 120


@frozen
class Probed:
    """
    What became of a probe.

    @ivar tracking_id: its own.
    @ivar seconds: until the tunnel was open, or refused.
    @ivar listener: what the relay calls the one that was chosen; empty: it did not say.
    @ivar refused: why there was no tunnel.
    @ivar knows: the listener knows what a probe is.
    @ivar told: what it said.
    @ivar broken: why that is not all; empty if it is.
    """

    tracking_id: str
    seconds: float
    listener: str = ""
    refused: HybridConnectionError | None = None
    knows: bool = False
    told: tuple[Message, ...] = ()
    broken: str = ""


class Prober:
    """
    @param connector: to the hybrid connection.
    @param headers: of every probe, beside its own.
    @param tls_name: for TLS with the target; empty: none.
    @param timeout: seconds for one probe.
    """

    def __init__(
        self,
        connector: TunnelConnector,
        headers: Mapping[str, str],
        tls_name: str,
        timeout: float,
    ) -> None:
        self._connector = connector
        self._headers = dict(headers)
        if tls_name:
            self._headers[TLS_NAME_HEADER] = tls_name
        self._timeout = timeout

    async def probe(self, avoid: Collection[str] = ()) -> Probed:
        """
        Ask one listener.

        @param avoid: what the relay calls those that were asked before.
        """
        connector = self._connector
        tracking = connector.new_tracking()
        chosen: list[str] = []
        began = connector.clock.seconds()
        # The field is there in any case: it asks who was chosen.
        headers = {**self._headers, AVOID: ",".join(avoid) or "-"}
        try:
            tunnel = await with_timeout(
                connector.connect(
                    tracking,
                    headers=headers,
                    subprotocols=(STREAM, PROBE),
                    answered=lambda fields: chosen.append(_chosen_in(fields)),
                ),
                connector.clock,
                self._timeout,
            )
        except Exception as error:
            if is_surprise(Failure(error)):
                raise
            if not isinstance(error, HybridConnectionError):
                words = f"no answer within {self._timeout:g} s"
                error = HybridConnectionError(0, words, str(tracking))
            seconds = connector.clock.seconds() - began
            return Probed(str(tracking), seconds, "".join(chosen), error)
        seconds = connector.clock.seconds() - began
        knows = tunnel.websocket_protocol_in_use == PROBE
        told: list[Message] = []
        broken = ""
        if knows:
            listening = _Listening(tunnel, told)
            tunnel.attach(listening)
            try:
                broken = await with_timeout(
                    listening.over, connector.clock, self._timeout
                )
            except Exception as error:
                if is_surprise(Failure(error)):
                    raise
                broken = f"the listener said nothing more for {self._timeout:g} s"
        tunnel.finish(NORMAL, b"")
        connector.forget(tunnel)
        return Probed(
            str(tracking), seconds, "".join(chosen), None, knows, tuple(told), broken
        )


class _Listening(MessageSink):
    """
    @ivar over: fires with what is wrong, or an empty text, when that was all.
    """

    def __init__(self, tunnel: TunnelClientProtocol, told: list[Message]) -> None:
        super().__init__(MAX_MESSAGE)
        self.tunnel = tunnel
        self.over: Deferred[str] = Deferred()
        self._told = told

    def message_received(self, message: bytes, binary: bool) -> None:
        """The next thing that it found."""
        try:
            if binary or len(self._told) >= MAX_MESSAGES:
                raise ProbeError("it says what a probe does not")
            self._told.append(parse(message))
        except ProbeError as error:
            self._end(str(error))

    def close_received(self, code: int | None, reason: bytes) -> None:
        """That was all."""
        super().close_received(code, reason)
        said = printable(reason.decode("utf-8", "replace"), 120)
        self._end("" if code == NORMAL else f"the tunnel was closed: {code} {said}")

    def tunnel_lost(self, reason: Failure) -> None:
        """It broke off, unless that was all."""
        self._end("the tunnel broke off")

    def _end(self, words: str) -> None:
        over: Any = self.over
        if not over.called:
            over.callback(words)


def _chosen_in(fields: Mapping[str, str]) -> str:
    return printable(fields.get(CHOSEN.lower(), ""), _LONGEST_ID)
