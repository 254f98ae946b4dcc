"""All local ports of one sender."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import IProtocolFactory
from twisted.python.failure import Failure

from hybridconn.config.forward import Forward
from hybridconn.config.redirects import Redirect
from hybridconn.config.sender import SenderConfig
from hybridconn.core.limits import Limits
from hybridconn.core.preamble import DATAGRAM
from hybridconn.interfaces import IDialer
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.datagrams import UdpForward, UdpPort
from hybridconn.sender.forward import LocalForward
from hybridconn.sender.front_door import front_door_ports
from hybridconn.sender.http_forward import HttpForward
from hybridconn.sender.preamble import PreambleTunnels
from hybridconn.sender.redirects import RedirectService
from hybridconn.startup import PortService, local_endpoint, raise_failure
from hybridconn.websocket.keeper import Keeper
from hybridconn.websocket.reading import ReadSizes


class SenderService(MultiService):
    """
    Listens on every local port of a configuration.

    @param dialer: the way to the relays.
    @param failed: called with the port, in words, if one cannot be opened; what
        it returns is called with the failure and raises.
    @param wall: seconds since 1970-01-01 UTC, for tokens.
    @param ports: opens local ports in place of the reactor, in another network; see
        L{PortsElsewhere<hybridconn.redirect.network.PortsElsewhere>}.
    @ivar forwards: the factories of the ports, in the configuration's order.
    @ivar redirects: services under their own names.
    """

    def __init__(
        self,
        config: SenderConfig,
        dialer: IDialer,
        reactor: Any,
        failed: Callable[[str], Callable[[Failure], NoReturn]] | None = None,
        wall: Callable[[], float] = time.time,
        ports: Any = None,
    ) -> None:
        super().__init__()
        ports = ports or reactor
        timings = config.timings
        self._drain_timeout = timings.drain_timeout
        keeper = Keeper(reactor, timings.ping_interval, timings.dead_after)
        read_sizes = ReadSizes(reactor, Limits().read_bytes)

        def connector_for(one: Forward | Redirect) -> TunnelConnector:
            return TunnelConnector(
                one.connection,
                dialer,
                reactor,
                timings=timings,
                keeper=keeper,
                wall=wall,
                read_sizes=read_sizes,
                data_path=config.data_path,
            )

        def fail(port: str) -> Callable[[Failure], NoReturn]:
            return failed(port) if failed else raise_failure

        self.forwards: list[LocalForward | HttpForward | UdpForward] = []
        for one in config.forwards:
            connector = connector_for(one)
            if one.udp:
                tunnels = PreambleTunnels(connector, one.port_name or "", DATAGRAM)
                udp = UdpForward(connector, tunnels, one.udp_idle_time)
                self.forwards.append(udp)
                name = f"{one.bind} (UDP)"
                UdpPort(ports, one.bind, udp, fail(name)).setServiceParent(self)
                continue
            forward: LocalForward | HttpForward
            factory: IProtocolFactory
            if one.http:
                forward = HttpForward(
                    one.connection,
                    connector,
                    dialer,
                    reactor,
                    host_names=one.own_names,
                    response_timeout=timings.response_timeout,
                    token_lifetime=timings.token_lifetime,
                    wall=wall,
                )
                factory = forward.front_door
            else:
                factory = forward = LocalForward(
                    connector,
                    config.spare_tunnels,
                    one.target,
                    port_name=one.port_name,
                )
            self.forwards.append(forward)
            port = PortService(
                local_endpoint(ports, one.bind), factory, fail(str(one.bind))
            )
            port.setServiceParent(self)
        self.redirects = RedirectService(
            config, connector_for, dialer, reactor, fail, wall, ports
        )
        self.redirects.setServiceParent(self)
        for door in front_door_ports(
            config.front_door, self.redirects.find, reactor, fail, ports
        ):
            door.setServiceParent(self)

    def stopService(self) -> Deferred[Any]:
        """
        Close the ports; what came through them has C{drain_timeout} (Twisted).
        """
        closed = maybeDeferred(super().stopService)
        forwards = [*self.forwards, *self.redirects.forwards]
        drained = [forward.drain(self._drain_timeout) for forward in forwards]
        return gatherResults([closed, *drained])
