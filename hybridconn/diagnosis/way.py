"""The way to a relay: its name, a proxy, TCP, TLS, its answer and its clock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IHostResolution, IResolutionReceiver
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure
from twisted.web.client import ResponseFailed
from zope.interface import implementer

from hybridconn.core.connection_string import ConnectionString
from hybridconn.diagnosis.check import Result
from hybridconn.diagnosis.clock import compare_clocks
from hybridconn.diagnosis.mends import OTHER_PORT, way_step
from hybridconn.diagnosis.steps import Seen, Skipped, Steps, Trouble
from hybridconn.dialer import ReactorDialer
from hybridconn.tls import TLSFound, TLSLook
from hybridconn.wayout.bypass import address_of
from hybridconn.web.agents import pooled_agent
from hybridconn.websocket.client import with_timeout
from hybridconn.websocket.words import SHUT, SILENT, explain, is_surprise

NAME, PROXY, PORT, TLS = "relay name", "proxy", "relay port", "relay TLS"
ANSWER, CLOCK = "relay answer", "clock"
#: All of them, in their order.
HOPS: Final = (NAME, PROXY, PORT, TLS, ANSWER, CLOCK)

_DAY: Final = 86400.0
#: A certificate that ends in fewer days is spoken of.
_SOON: Final = 14
_BUSY: Final = (429, 503)
_NO_HTTP: Final = "what it answers is no HTTP"

_T = TypeVar("_T")


class RelayWay:
    """
    @param connection: names the relay.
    @param timeout: seconds for each hop.
    @param wall: seconds since 1970-01-01 UTC.
    @param file: the configuration, as people call it.
    """

    def __init__(
        self,
        connection: ConnectionString,
        dialer: ReactorDialer,
        reactor: Any,
        timeout: float,
        wall: Callable[[], float] = time.time,
        file: str = "sender.toml",
    ) -> None:
        self._file = file
        self._host, self._port = connection.host, connection.port
        self._authority = connection.authority
        self._secure = connection.secure
        self._dialer = dialer
        self._reactor = reactor
        self._timeout = timeout
        self._wall = wall
        self._proxy = dialer.way_out.proxy_for(self._host, self._port, self._secure)

    async def look(self, steps: Steps) -> bool:
        """
        Go it, hop by hop.

        @return: whether the relay answers and its clock is as ours.
        """
        if self._proxy is not None:
            steps.skip(NAME, why="the proxy finds it")
            await steps.run(PROXY, self._look_at_port)
        else:
            if address_of(self._host) is None:
                await steps.run(NAME, self._look_up)
            await steps.run(PORT, self._look_at_port)
        await steps.run(TLS, self._look_at_tls)
        date = await steps.run(ANSWER, self._ask)
        return self._compare_clocks(steps, date)

    async def _look_up(self) -> Seen[None]:
        found = await self._wait(addresses_of(self._reactor, self._host, self._port))
        if not found:
            what = f"{self._host} is not found"
            raise Trouble(what, way_step("name cannot be resolved", self._file))
        return Seen(f"{self._host} is {' and '.join(found[:4])}", None)

    async def _look_at_port(self) -> Seen[None]:
        reached = await self._dial(Factory.forProtocol(_Hung))
        peer = reached.transport.getPeer()
        if self._proxy is not None:
            words = f"{self._proxy} lets us through to {self._host}:{self._port}"
        else:
            words = f"{peer.host}:{peer.port} takes connections"
        return Seen(words, None)

    async def _look_at_tls(self) -> Seen[None]:
        if not self._secure:
            raise Skipped("insecure = true: anyone on the way can read")
        look = TLSLook(self._dialer.trust, self._host, self._reactor)
        await self._dial(look.factory)
        found = await self._wait(look.found, reached=True)
        problem = found.wrong or found.untrusted
        if problem:
            words = f"the certificate of {self._host}, signed by {found.issuer}, is"
            mend = self._certificate_mend(found)
            raise Trouble(f"{words} refused: {problem}", mend)
        return Seen(certificate_words(found, self._wall()), None)

    async def _ask(self) -> Seen[str]:
        agent = pooled_agent(self._reactor, self._dialer, persistent=False)
        scheme = "https" if self._secure else "http"
        url = f"{scheme}://{self._authority}/"
        asking = agent.request(b"GET", url.encode("ascii"))
        response = await self._wait(asking, reached=True)
        if response.code in _BUSY:
            words = f"it answers {response.code}"
            raise Trouble(
                words, "wait: the relay stops, is full or was asked too often"
            )
        if not 200 <= response.code < 300 and not 400 <= response.code < 600:
            # No relay sends anybody elsewhere.
            raise Trouble(f"it answers {response.code}", OTHER_PORT)
        dates = response.headers.getRawHeaders("Date") or [""]
        return Seen(f"HTTP {response.code}", dates[0])

    def _compare_clocks(self, steps: Steps, date: str | None) -> bool:
        if steps.failed:
            steps.skip(CLOCK)
            return False
        compared = compare_clocks(date or "", self._wall())
        if compared is None:
            steps.skip(CLOCK, why="the relay does not say what time it is")
            return True
        good, seen, mend = compared
        steps.tell(CLOCK, Result.PASS if good else Result.FAIL, seen, mend)
        return good

    def _certificate_mend(self, found: TLSFound) -> str:
        if not found.wrong:
            return way_step("certificate", self._file)
        if "names" in found.wrong:
            return (
                "mend the host in Endpoint of the connection string, or have the"
                " relay's certificate made for that name"
            )
        return "renew the relay's certificate; if its dates are good, set this clock"

    async def _dial(self, factory: Any) -> Any:
        factory.noisy = False
        endpoint = self._dialer.plain_endpoint(self._host, self._port, self._secure)
        return await self._wait(endpoint.connect(factory))

    async def _wait(self, deferred: Deferred[_T], reached: bool = False) -> _T:
        """
        @param reached: somebody took a connection before.
        @raise Trouble: it failed.
        """
        try:
            found = await with_timeout(deferred, self._reactor, self._timeout)
        except Exception as error:
            failure = Failure(error)
            words = ""
            if isinstance(error, ResponseFailed):
                failure = error.reasons[0]
                words = _NO_HTTP if is_surprise(failure) else ""
            if not words and is_surprise(failure):
                raise
            words = words or explain(failure)
            raise Trouble(words, self._mend(words, reached)) from None
        return found

    def _mend(self, words: str, reached: bool) -> str:
        silent = words in (SILENT, SHUT, _NO_HTTP)
        if silent and reached:
            return OTHER_PORT
        if words == SILENT and self._proxy is not None:
            return way_step("proxy ", self._file)
        return way_step(words, self._file)


def certificate_words(found: TLSFound, now: float) -> str:
    """What a server showed, in one line."""
    days = int((found.ends - now) / _DAY)
    soon = ": renew it soon" if days < _SOON else ""
    names = ", ".join(found.names[:3]) or "an address"
    return (
        f"{found.protocol}, certificate for {names} signed by {found.issuer},"
        f" {days} days left{soon}"
    )


def addresses_of(reactor: Any, host: str, port: int) -> Deferred[list[str]]:
    """What a name leads to, as apps of this machine find it."""
    found = _Addresses()
    reactor.nameResolver.resolveHostName(found, host, port)
    return found.done


@implementer(IResolutionReceiver)
class _Addresses:
    def __init__(self) -> None:
        self.done: Deferred[list[str]] = Deferred()
        self._found: list[str] = []

    def resolutionBegan(self, resolutionInProgress: IHostResolution) -> None:
        """It began (Twisted)."""

    def addressResolved(self, address: IAddress) -> None:
        """One address (Twisted)."""
        if isinstance(address, IPv4Address | IPv6Address):
            self._found.append(address.host)

    def resolutionComplete(self) -> None:
        """That was all (Twisted)."""
        if not self.done.called:
            self.done.callback(list(dict.fromkeys(self._found)))


class _Hung(Protocol):
    """A connection that is not used."""

    def connectionMade(self) -> None:
        """That is all (Twisted)."""
        assert self.transport is not None
        self.transport.loseConnection()
