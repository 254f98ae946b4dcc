"""
A hybrid connection with named ports: the sender says which one it wants, with
azbridge's preamble, once the tunnel is there (product-behaviour section 7.3).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, maybeDeferred, succeed
from twisted.internet.error import ConnectionLost, TimeoutError
from twisted.logger import Logger
from zope.interface import implementer

from hybridconn.config.addresses import Target
from hybridconn.config.ports import NamedPort
from hybridconn.core.commands import Accept
from hybridconn.core.preamble import (
    DATAGRAM,
    IS_DATAGRAM,
    IS_STREAM,
    BadPreamble,
    Preamble,
    accepted,
    parse_preamble,
)
from hybridconn.interfaces import ITargetConnector, ITunnelEnd
from hybridconn.listener.forward import ForwardConnector
from hybridconn.listener.reject import Reject
from hybridconn.websocket.base import StreamingWebSocket
from hybridconn.websocket.closing import INTERNAL_ERROR, NORMAL, close_reason
from hybridconn.websocket.prologue import Farewell, Prologue

#: Seconds that a sender has for its preamble.
PREAMBLE_TIMEOUT: Final = 20.0


class UnknownPort(Exception):
    """There is no port of the name that a sender wants."""


class NamedPorts:
    """
    Which target a name stands for.

    @param ports: those with names.
    @param only: says what a number stands for where there are none.
    """

    def __init__(
        self,
        ports: Sequence[NamedPort],
        only: Callable[[], Target | Deferred[Target]] | None = None,
    ) -> None:
        self._ports = {port.name: port for port in ports}
        self._only = only

    def find(self, name: str) -> Deferred[NamedPort]:
        """
        @return: fails with L{UnknownPort}, or with L{Reject} if it cannot be found out.
        """
        number = name.isascii() and name.isdigit()
        found = self._ports.get(name)
        if found is None and number and len(self._ports) == 1:
            # A single port answers to any number: azbridge's rule.
            (found,) = self._ports.values()
        if found is not None:
            return succeed(found)
        if self._ports or self._only is None or not number:
            known = ", ".join(self._ports) or "any number"
            return Deferred.fromCoroutine(_fail(name, known))
        told: Deferred[Any] = maybeDeferred(self._only)
        return told.addCallback(lambda target: NamedPort(name, target))

    def __str__(self) -> str:
        return ", ".join(map(str, self._ports.values()))


async def _fail(name: str, known: str) -> NamedPort:
    raise UnknownPort(f"there is no port {name[:80]!r} here, only {known}")


@implementer(ITargetConnector)
class NamedPortConnector:
    """
    @param forward: reaches the targets.
    """

    def __init__(self, ports: NamedPorts, forward: ForwardConnector) -> None:
        self._ports = ports
        self._forward = forward

    def connect(self, accept: Accept) -> Deferred[NamedPortEnd]:
        """See L{ITargetConnector.connect}: what is reached turns out later."""
        return succeed(NamedPortEnd(accept, self._ports, self._forward))


@implementer(ITunnelEnd)
class NamedPortEnd:
    """
    A sender's tunnel until it has said which port it wants, and the connection to that
    from then on.

    @ivar reached: called with what the sender is joined to.
    @ivar refused: called with the reason if it is not.
    """

    log = Logger()

    def __init__(
        self, accept: Accept, ports: NamedPorts, forward: ForwardConnector
    ) -> None:
        self.reached: Callable[[ITunnelEnd], None] = lambda _: None
        self.refused: Callable[[Reject], None] = lambda _: None
        self._accept = accept
        self._ports = ports
        self._forward = forward
        self._inner: ITunnelEnd | None = None
        self._tunnel: Any = None
        self._opening: Deferred[None] | None = None
        # It is decided what becomes of the tunnel.
        self._settled = False

    # --- ITunnelEnd ---

    def join(self, tunnel: Any) -> Deferred[None]:
        """See L{ITunnelEnd.join}."""
        self._tunnel = tunnel
        self._opening = opening = Deferred.fromCoroutine(self._serve(tunnel))
        return opening

    def abandon(self) -> None:
        """Nothing was reached yet."""

    def end(self, code: int, reason: bytes) -> None:
        """See L{ITunnelEnd.end}."""
        if self._inner is not None:
            self._inner.end(code, reason)
        elif self._opening is not None and not self._settled:
            self._settled = True
            self._tunnel.finish(code, reason)
            self._opening.cancel()

    # --- ours ---

    async def _serve(self, tunnel: StreamingWebSocket) -> None:
        try:
            joined = await self._open(tunnel)
        except CancelledError:
            joined = Farewell(tunnel).done
        except Exception:
            self.log.failure("{entity}: a sender was not served", entity=self._entity)
            joined = self._close(tunnel, INTERNAL_ERROR, "The listener failed")
        self._settled = True
        await joined

    async def _open(self, tunnel: StreamingWebSocket) -> Deferred[None]:
        try:
            preamble = await Prologue(tunnel, parse_preamble, PREAMBLE_TIMEOUT).done
        except BadPreamble as error:
            tunnel.send_piece(error.answer, True, True)
            return self._refuse(
                tunnel,
                Reject(400, f'{error}; if it is none of azbridge\'s, use mode = "raw"'),
            )
        except TimeoutError:
            why = f'no preamble in {PREAMBLE_TIMEOUT:g} s; is its mode "bridge"?'
            return self._refuse(tunnel, Reject(408, why))
        except ConnectionLost as error:
            return self._refuse(tunnel, Reject(400, f"no preamble: {error}"))
        try:
            port = await self._ports.find(preamble.name)
        except UnknownPort as unknown:
            # azbridge says nothing then; the words are for the two logs.
            return self._refuse(tunnel, Reject(404, str(unknown)))
        except Reject as no:
            return self._refuse(tunnel, no, INTERNAL_ERROR)
        if port.datagrams is not (preamble.mode == DATAGRAM):
            tunnel.send_piece(IS_DATAGRAM if port.datagrams else IS_STREAM, True, True)
            kind = "UDP" if port.datagrams else "TCP"
            wrong = Reject(400, f"port {preamble.name} is for {kind}")
            return self._refuse(tunnel, wrong)
        return await self._reach(tunnel, preamble, port)

    async def _reach(
        self, tunnel: StreamingWebSocket, preamble: Preamble, port: NamedPort
    ) -> Deferred[None]:
        try:
            inner = await self._forward.reach(self._accept, port.target, port.datagrams)
        except Reject as no:
            return self._refuse(tunnel, no, INTERNAL_ERROR)
        self._inner = inner
        self.reached(inner)
        tunnel.send_piece(accepted(preamble.mode), True, True)
        over: Deferred[None] = inner.join(tunnel)
        return over

    def _refuse(
        self, tunnel: StreamingWebSocket, no: Reject, code: int = NORMAL
    ) -> Deferred[None]:
        self.log.info(
            "{entity}: refused {peer}: {reason}, tracking id {tracking_id}",
            entity=self._entity,
            peer=f"{self._accept.remote_address}:{self._accept.remote_port}",
            reason=no.description,
            tracking_id=self._accept.id,
        )
        self.refused(no)
        return self._close(tunnel, code, no.description)

    def _close(
        self, tunnel: StreamingWebSocket, code: int, words: str
    ) -> Deferred[None]:
        over = Farewell(tunnel)
        tunnel.finish(code, close_reason(words))
        return over.done

    @property
    def _entity(self) -> str:
        return self._forward.entity
