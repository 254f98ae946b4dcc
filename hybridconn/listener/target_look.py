"""A look at a target, step by step, as a listener reaches it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import cache
from ipaddress import ip_address
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.error import TimeoutError
from twisted.internet.interfaces import IReactorTime
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from hybridconn.config.addresses import Target, parse_host_name
from hybridconn.core.probe import (
    Failed,
    Found,
    Message,
    Reached,
    Step,
    TargetIs,
    TargetTLS,
)
from hybridconn.interfaces import ITargetProber
from hybridconn.listener.reject import Reject
from hybridconn.tls import ClientTrust, TLSLook
from hybridconn.websocket.client import with_timeout
from hybridconn.websocket.words import explain, is_surprise

#: Seconds for what is not the target's: to find out which it is, and TLS.
PATIENCE: Final = 10.0


class TargetLook:
    """
    One look.

    @param say: told of each step as soon as it is done.
    @param timeout: seconds for each; by default as for senders.
    """

    def __init__(
        self,
        prober: ITargetProber,
        clock: IReactorTime,
        say: Callable[[Message], object],
        timeout: float | None = None,
    ) -> None:
        self._prober = prober
        self._clock = clock
        self._say = say
        self._timeout = timeout
        self._patience = timeout or PATIENCE
        self._step: Step = "target"
        self._over = False
        self._since = clock.seconds()

    async def look(self, find: Callable[[], Awaitable[Target]], tls_name: str) -> None:
        """
        Say all that is found.

        @param find: where to look; may raise L{Reject}.
        @param tls_name: for TLS with the target; empty: none, unless it is C{https}.
        """
        try:
            target = await self._find(find)
            await self._reach(target, self._tls_look(target, tls_name))
        except Reject as no:
            self._say(Failed(self._step, no.status, no.description, self._lap()))
        finally:
            self._over = True

    async def _find(self, find: Callable[[], Awaitable[Target]]) -> Target:
        async def found() -> Target:
            return await find()

        finding = Deferred.fromCoroutine(found())
        try:
            return await with_timeout(finding, self._clock, self._patience)
        except TimeoutError:
            words = f"The target is not known: not found out in {self._patience:g} s"
            raise Reject(504, words) from None

    async def _reach(self, target: Target, tls: TLSLook | None) -> None:
        self._say(TargetIs(str(target), self._lap()))
        factory: Any = Factory.forProtocol(_Hung) if tls is None else tls.factory
        factory.noisy = False

        def looked_up(addresses: Sequence[str]) -> None:
            # A look-up that was given up may end all the same, much later.
            if addresses and not self._over:
                self._say(Found(tuple(addresses), self._lap()))
                self._step = "reached"

        self._step = "found" if _has_name(target) else "reached"
        try:
            reached = await self._prober.look(target, factory, looked_up, self._timeout)
        except Reject as no:
            if no.status == 403:
                self._step = "target"
            raise
        if reached is None:
            return
        peer = reached.transport.getPeer()
        address = f"{peer.host}:{peer.port}" if hasattr(peer, "port") else str(target)
        self._say(Reached(address, self._lap()))
        if tls is not None:
            self._step = "tls"
            try:
                await self._agree(target, tls)
            finally:
                reached.transport.abortConnection()

    async def _agree(self, target: Target, tls: TLSLook) -> None:
        try:
            found = await with_timeout(tls.found, self._clock, self._patience)
        except Exception as error:
            failure = Failure(error)
            if is_surprise(failure):
                raise
            raise Reject(502, f"target {target}: {explain(failure)}") from None
        self._say(
            TargetTLS(
                found.protocol,
                found.names,
                found.issuer,
                max(0.0, found.ends),
                found.wrong,
                found.untrusted,
                self._lap(),
            )
        )

    def _tls_look(self, target: Target, name: str) -> TLSLook | None:
        if not name and target.http is not None and target.http.secure:
            name = target.http.host
        if not name:
            return None
        try:
            return TLSLook(_systems_trust(), parse_host_name(name), self._clock)
        except ValueError:
            raise Reject(400, "The name for TLS is no host name") from None

    def _lap(self) -> float:
        """Seconds since the last call."""
        since, self._since = self._since, self._clock.seconds()
        return self._since - since


@cache
def _systems_trust() -> ClientTrust:
    """What a target speaks inside TLS is not known, so nothing is said of it."""
    return ClientTrust(protocols=())


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
