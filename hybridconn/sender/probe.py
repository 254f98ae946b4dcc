"""The sender's side of a probe: one tunnel to one listener, and what that tells."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure

from hybridconn.core.listeners import AVOID, CHOSEN
from hybridconn.core.probe import (
    MAX_MESSAGE,
    MAX_MESSAGES,
    PROBE,
    TLS_NAME_HEADER,
    Found,
    ListenerIs,
    Message,
    ProbeError,
    Reached,
    Step,
    TargetIs,
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

_HOST: Final = re.compile(r"(?:https?://)?([\w.-]+)(?::\d+)?(?:/.*)?")
#: So begins a target that speaks UDP.
UDP: Final = "udp:"
#: Seconds more than its own that a listener has, to say itself what took too long.
GRACE: Final = 1.0
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
    @ivar awaited: what it was silent about; L{None}: itself, or it was not silent.
    """

    tracking_id: str
    seconds: float
    listener: str = ""
    refused: HybridConnectionError | None = None
    knows: bool = False
    told: tuple[Message, ...] = ()
    broken: str = ""
    awaited: Step | None = None


class Prober:
    """
    @param connector: to the hybrid connection.
    @param headers: of every probe, beside its own.
    @param tls_name: for TLS with the target; empty: none.
    @param timeout: seconds for the tunnel, and for each step of the listener.
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
        self._tls = bool(tls_name)
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
        broken, silent = "", False
        if knows:
            patience = self._timeout + GRACE
            listening = _Listening(tunnel, told, connector.clock, patience)
            broken = await listening.over
            silent = listening.silent
            if not broken and not is_whole(told, self._tls):
                broken = "the listener ended before it had told all"
        tunnel.finish(NORMAL, b"")
        connector.forget(tunnel)
        awaited = next_step(told, self._tls) if silent else None
        heard = tuple(told)
        whose = "".join(chosen)
        return Probed(
            str(tracking), seconds, whose, None, knows, heard, broken, awaited
        )


def next_step(told: Sequence[Message], tls: bool) -> Step | None:
    """
    What a listener looks at next.

    @param told: what it has said so far.
    @param tls: whether it was asked to agree on TLS with the target.
    @return: L{None}: nothing, or that it is there.
    """
    match told[-1] if told else None:
        case ListenerIs():
            return "target"
        case TargetIs(target=target):
            datagrams = target.startswith(UDP)
            if _is_name(target.removeprefix(UDP)):
                return "found"
            return None if datagrams else "reached"
        case Found():
            return None if speaks_udp(told) else "reached"
        case Reached():
            return "tls" if tls or _speaks_tls(told) else None
    return None


def is_whole(told: Sequence[Message], tls: bool) -> bool:
    """Whether that is all that a listener has to say."""
    return bool(told) and next_step(told, tls) is None


def speaks_udp(told: Sequence[Message]) -> bool:
    """Whether the target is one to which nothing is sent."""
    return any(isinstance(one, TargetIs) and one.target.startswith(UDP) for one in told)


def _is_name(target: str) -> bool:
    # What a listener says is not parsed as a target of ours: it may be anything.
    found = _HOST.fullmatch(target)
    try:
        ip_address(found[1] if found else "::")
    except ValueError:
        return True
    return False


def _speaks_tls(told: Sequence[Message]) -> bool:
    return any(
        isinstance(one, TargetIs) and one.target.startswith("https:") for one in told
    )


class _Listening(MessageSink):
    """
    Hears what a listener tells.

    @ivar over: fires with what is wrong, or an empty text, when that was all.
    @ivar silent: what is wrong is that it says nothing more.
    @param patience: seconds from one message to the next.
    """

    def __init__(
        self,
        tunnel: TunnelClientProtocol,
        told: list[Message],
        clock: IReactorTime,
        patience: float,
    ) -> None:
        super().__init__(MAX_MESSAGE)
        self.tunnel = tunnel
        self.over: Deferred[str] = Deferred()
        self.silent = False
        self._told = told
        self._patience = patience
        self._timer = clock.callLater(patience, self._silence)
        tunnel.attach(self)

    def message_received(self, message: bytes, binary: bool) -> None:
        """The next thing that it found."""
        try:
            if binary or len(self._told) >= MAX_MESSAGES:
                raise ProbeError("it says what a probe does not")
            self._told.append(parse(message))
        except ProbeError as error:
            self._end(str(error))
        else:
            if self._timer.active():
                self._timer.reset(self._patience)

    def close_received(self, code: int | None, reason: bytes) -> None:
        """That was all."""
        super().close_received(code, reason)
        said = printable(reason.decode("utf-8", "replace"), 120)
        self._end("" if code == NORMAL else f"the tunnel was closed: {code} {said}")

    def tunnel_lost(self, reason: Failure) -> None:
        """It broke off, unless that was all."""
        self._end("the tunnel broke off")

    def _silence(self) -> None:
        self.silent = True
        self._end(f"the listener said nothing more for {self._patience:g} s")

    def _end(self, words: str) -> None:
        if self._timer.active():
            self._timer.cancel()
        over: Any = self.over
        if not over.called:
            over.callback(words)


def _chosen_in(fields: Mapping[str, str]) -> str:
    return printable(fields.get(CHOSEN.lower(), ""), _LONGEST_ID)
