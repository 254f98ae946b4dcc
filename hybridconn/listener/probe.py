"""The listener's answer to a probe: what it finds on the way to its target."""

from __future__ import annotations

import socket
from collections.abc import Callable, Coroutine, Sequence
from ipaddress import ip_address
from typing import Any, Final

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.config.addresses import Target, parse_host_name
from hybridconn.core.commands import Accept
from hybridconn.core.frames import PROTOCOL_ERROR
from hybridconn.core.probe import (
    TLS_NAME_HEADER,
    Failed,
    Found,
    ListenerIs,
    Message,
    Reached,
    Step,
    TargetIs,
    TargetTLS,
    encode,
)
from hybridconn.core.text import printable
from hybridconn.interfaces import ITargetProber
from hybridconn.listener.reject import Reject
from hybridconn.operation.updates import running_version
from hybridconn.tls import ClientTrust, TLSLook
from hybridconn.websocket.client import TunnelClientProtocol, with_timeout
from hybridconn.websocket.closing import NORMAL
from hybridconn.websocket.keeper import Keeper
from hybridconn.websocket.messages import MessageSink
from hybridconn.websocket.words import explain, is_surprise

#: Probes that one hybrid connection answers at a time.
AT_ONCE: Final = 4
#: And in a minute.
PER_MINUTE: Final = 120
#: Seconds for each step.
PATIENCE: Final = 10.0


class ProbeDesk:
    """
    Answers the probes of one hybrid connection.

    @param keeper: pings their tunnels.
    @param admit: decides on each, as on any sender.
    @param dial: opens the tunnel to one.
    @param refuse: tells one no.
    @param control_id: gives the tracking id of the control channel.
    @param machine: what this machine is called.
    """

    log = Logger()

    def __init__(
        self,
        entity: str,
        prober: ITargetProber,
        clock: IReactorTime,
        keeper: Keeper,
        *,
        admit: Callable[[Accept], Deferred[None] | None],
        dial: Callable[[Accept], Deferred[TunnelClientProtocol]],
        refuse: Callable[[Accept, Reject], Coroutine[Deferred[Any], Any, None]],
        control_id: Callable[[], str],
        machine: Callable[[], str] = socket.gethostname,
    ) -> None:
        self._entity = entity
        self._prober = prober
        self._clock = clock
        self._keeper = keeper
        self._admit = admit
        self._dial = dial
        self._refuse = refuse
        self._control_id = control_id
        self._machine = machine
        self._trust: ClientTrust | None = None
        self._now = 0
        self._minute, self._answered = 0.0, 0

    async def serve(self, accept: Accept) -> None:
        """Answer one, or refuse it."""
        self._now += 1
        try:
            self._count()
            await maybeDeferred(self._admit, accept)
            tunnel = await self._dial(accept)
            self._keeper.watch(tunnel, f"{self._entity}: probe {accept.id}")
            try:
                await self._answer(accept, tunnel)
            finally:
                self._keeper.forget(tunnel)
        except Reject as no:
            await self._refuse(accept, no)
        finally:
            self._now -= 1

    def _count(self) -> None:
        """
        @raise Reject: there are too many.
        """
        minute = self._clock.seconds() // 60
        if minute != self._minute:
            self._minute, self._answered = minute, 0
        if self._now > AT_ONCE or self._answered >= PER_MINUTE:
            raise Reject(429, "The listener answers too many probes already")
        self._answered += 1

    async def _answer(self, accept: Accept, tunnel: TunnelClientProtocol) -> None:
        """Say what is found, and close."""
        tunnel.attach(_Silent(tunnel))
        telling = _Telling(tunnel, self._clock)
        name = printable(self._machine(), 120)
        try:
            telling.say(ListenerIs(name, running_version(), self._control_id()))
            await self._look(accept, telling)
        except Reject as no:
            status, reason = no.status, no.description
            telling.say(Failed(telling.step, status, reason, telling.lap()))
        finally:
            tunnel.finish(NORMAL, b"")
        self.log.info(
            "{entity}: a probe by {peer}: {seen}, tracking id {tracking_id}",
            entity=self._entity,
            peer=f"{accept.remote_address}:{accept.remote_port}",
            seen=telling.last,
            tracking_id=accept.id,
        )

    async def _look(self, accept: Accept, telling: _Telling) -> None:
        target = await self._prober.find(accept)
        telling.say(TargetIs(str(target), telling.lap()))
        look = self._tls_look(accept, target)
        factory: Any = Factory.forProtocol(_Hung) if look is None else look.factory
        factory.noisy = False

        def looked_up(addresses: Sequence[str]) -> None:
            if addresses:
                telling.say(Found(tuple(addresses), telling.lap()))
                telling.step = "reached"

        telling.step = "found" if _has_name(target) else "reached"
        try:
            reached = await self._prober.look(target, factory, looked_up, PATIENCE)
        except Reject as no:
            if no.status == 403:
                telling.step = "target"
            raise
        peer = reached.transport.getPeer()
        address = f"{peer.host}:{peer.port}" if hasattr(peer, "port") else str(target)
        telling.say(Reached(address, telling.lap()))
        if look is None:
            return
        telling.step = "tls"
        try:
            found = await with_timeout(look.found, self._clock, PATIENCE)
        except Exception as error:
            failure = Failure(error)
            if is_surprise(failure):
                raise
            raise Reject(502, f"target {target}: {explain(failure)}") from None
        finally:
            reached.transport.abortConnection()
        telling.say(
            TargetTLS(
                found.protocol,
                found.names,
                found.issuer,
                max(0.0, found.ends),
                found.wrong,
                found.untrusted,
                telling.lap(),
            )
        )

    def _tls_look(self, accept: Accept, target: Target) -> TLSLook | None:
        name = accept.header(TLS_NAME_HEADER) or ""
        if not name and target.http is not None and target.http.secure:
            name = target.http.host
        if not name:
            return None
        if self._trust is None:
            self._trust = ClientTrust(protocols=())
        try:
            return TLSLook(self._trust, parse_host_name(name), self._clock)
        except ValueError:
            raise Reject(400, "The name for TLS is no host name") from None


class _Telling:
    """
    @ivar step: what is being done.
    @ivar last: what was told last, in a word.
    """

    def __init__(self, tunnel: TunnelClientProtocol, clock: IReactorTime) -> None:
        self._tunnel = tunnel
        self._clock = clock
        self._since = clock.seconds()
        self.step: Step = "target"
        self.last = ""

    def lap(self) -> float:
        """Seconds since the last call."""
        since, self._since = self._since, self._clock.seconds()
        return self._since - since

    def say(self, message: Message) -> None:
        """Tell one thing."""
        reason = f": {message.reason}" if isinstance(message, Failed) else ""
        self.last = type(message).__name__.lower() + reason
        self._tunnel.send_piece(encode(message), False, True)


class _Silent(MessageSink):
    """There is nothing to be said to it."""

    def __init__(self, tunnel: TunnelClientProtocol) -> None:
        super().__init__(max_bytes=0)
        self.tunnel = tunnel

    def message_received(self, message: bytes, binary: bool) -> None:
        """It speaks all the same."""
        self.tunnel.finish(PROTOCOL_ERROR, b"a probe is silent")


class _Hung(Protocol):
    """The connection to a target that is not used."""

    def connectionMade(self) -> None:
        """That is all (Twisted)."""
        assert self.transport is not None
        self.transport.loseConnection()


def _has_name(target: Target) -> bool:
    """Whether there is something to be looked up."""
    place = target.http or target.host_port
    if place is None:
        return False
    try:
        ip_address(place.host.partition("%")[0])
    except ValueError:
        return True
    return False
