"""All local ports of one sender."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from hybridconn.config.addresses import HostPort
from hybridconn.config.sender import SenderConfig
from hybridconn.core.limits import Limits
from hybridconn.interfaces import IDialer
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.forward import LocalForward
from hybridconn.startup import PortService
from hybridconn.websocket.keeper import Keeper
from hybridconn.websocket.reading import ReadSizes

_BACKLOG = 1024
#: Seconds that connections have for their end when the sender stops.
_STOP_PATIENCE = 5.0
_STOP_POLL = 0.05


class SenderService(MultiService):
    """
    Listens on every local port of a configuration.

    @param dialer: the way to the relays.
    @param failed: called with the port, in words, if one cannot be opened; what
        it returns is called with the failure and raises.
    @param wall: seconds since 1970-01-01 UTC, for tokens.
    @ivar forwards: the factories of the ports, in the configuration's order.
    """

    def __init__(
        self,
        config: SenderConfig,
        dialer: IDialer,
        reactor: Any,
        failed: Callable[[str], Callable[[Failure], NoReturn]] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__()
        self._clock = reactor
        timings = config.timings
        keeper = Keeper(reactor, timings.ping_interval, timings.dead_after)
        read_sizes = ReadSizes(reactor, Limits().read_bytes)
        self.forwards: list[LocalForward] = []
        for one in config.forwards:
            forward = LocalForward(
                TunnelConnector(
                    one.connection,
                    dialer,
                    reactor,
                    timings=timings,
                    keeper=keeper,
                    wall=wall,
                    read_sizes=read_sizes,
                    data_path=config.data_path,
                ),
                config.spare_tunnels,
            )
            self.forwards.append(forward)
            more = [failed(str(one.bind))] if failed else []
            port = PortService(_endpoint(reactor, one.bind), forward, *more)
            port.setServiceParent(self)

    def stopService(self) -> Deferred[Any]:
        """Close the ports and what came through them (Twisted)."""
        closed = maybeDeferred(super().stopService)
        for forward in self.forwards:
            forward.close_all()
        return gatherResults([closed, self._ended(self._clock.seconds())])

    def _ended(self, since: float) -> Deferred[Any]:
        over = not any(forward.joints for forward in self.forwards)
        if over or self._clock.seconds() - since >= _STOP_PATIENCE:
            done: Deferred[Any] = Deferred()
            done.callback(None)
            return done
        return deferLater(self._clock, _STOP_POLL, self._ended, since)


def _endpoint(reactor: Any, bind: HostPort) -> Any:
    kind = TCP6ServerEndpoint if ":" in bind.host else TCP4ServerEndpoint
    return kind(reactor, bind.port, backlog=_BACKLOG, interface=bind.host)
