"""
Services under their own names: each has a port of its own number on the local
address of its host, and apps on this machine learn that address by name.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from random import SystemRandom
from typing import Any, NoReturn

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.logger import Logger
from twisted.python.failure import Failure

from hybridconn.config.addresses import HostPort
from hybridconn.config.mistakes import ConfigError
from hybridconn.config.redirects import Redirect
from hybridconn.config.sender import SenderConfig
from hybridconn.interfaces import IDialer
from hybridconn.names.cache import AnswerCache
from hybridconn.names.plan import HostAddresses, NameTable
from hybridconn.names.resolvers import SystemResolvers
from hybridconn.names.server import NameServer, NameService
from hybridconn.names.upstream import Upstreams
from hybridconn.open_files import most_open_files
from hybridconn.redirect.listening import occupant
from hybridconn.sender.app_reader import AppConnections, reader_for
from hybridconn.sender.app_redirects import AppRedirects
from hybridconn.sender.app_watch import AppWatch
from hybridconn.sender.connector import TunnelConnector
from hybridconn.sender.endpoint_watch import EndpointWatch
from hybridconn.sender.forward import LocalForward
from hybridconn.sender.redirected import Endpoints, Redirected, Way
from hybridconn.startup import listen_trouble, local_endpoint
from hybridconn.web.description_reader import DescriptionReader

Failed = Callable[[str], Callable[[Failure], NoReturn]]

#: Local ports that are wanted: for which endpoint, and how connections go.
_Places = dict[HostPort, tuple[HostPort, Way]]
#: Seconds until a port that somebody else has is tried again.
_TRY_AGAIN = 10.0


class RedirectService(MultiService):
    """
    Opens the ports, and moves them when metadata change.

    @param connector_for: makes what opens the tunnels of one hybrid connection.
    @param failed: called with a port, in words, if one that the configuration names
        cannot be opened; what it returns is called with the failure and raises.
    @param ports: opens the ports in place of the reactor.
    @ivar table: the names that are redirected now.
    """

    log = Logger()

    def __init__(
        self,
        config: SenderConfig,
        connector_for: Callable[[Redirect], TunnelConnector],
        dialer: IDialer,
        reactor: Any,
        failed: Failed,
        wall: Callable[[], float] = time.time,
        ports: Any = None,
    ) -> None:
        super().__init__()
        self._opener = ports or reactor
        self.table = NameTable(asked=self._asked)
        self._reactor = reactor
        self._failed = failed
        self._ports: dict[HostPort, tuple[Way, IListeningPort]] = {}
        # Those that are no longer ours, but not yet free.
        self._closing: set[HostPort] = set()
        self._waits = False
        self._told: set[str] = set()
        self._again: IDelayedCall | None = None
        self._redirected: list[Redirected] = []

        def make(one: Redirect) -> Redirected:
            many = bool(one.endpoints)
            return Redirected(
                one.connection.require_entity_path(),
                LocalForward(
                    connector_for(one),
                    config.spare_tunnels,
                    many=many,
                    port_name=one.port_name,
                ),
                one.known,
                many,
            )

        self._drain_timeout = config.timings.drain_timeout
        self._draining: list[LocalForward] = []
        self._of_app = AppRedirects(make)
        self._app: AppWatch | None = None
        if config.app:
            self._app = AppWatch(
                reader_for(config, dialer, reactor),
                config.app.name,
                reactor,
                self._follow,
                config.app.check_interval,
            )
        for one in config.redirects:
            made = make(one)
            self._redirected.append(made)
            if not one.known:
                reader = DescriptionReader(one.connection, dialer, reactor, wall)
                made.watch = EndpointWatch(reader, made.entity, reactor, self._learned)
        self._endpoints = Endpoints(
            lambda: self._all, config.names, self._tell_once, most_open_files()
        )
        self._names = self._name_service(config)

    # --- for others ---

    @property
    def forwards(self) -> list[LocalForward]:
        """
        The factories of the ports, in the configuration's order; then those whose
        ports are closed and whose connections end.
        """
        return [*(one.forward for one in self._all), *self._draining]

    @property
    def hosts(self) -> Mapping[str, HostAddresses]:
        """The local addresses of each host."""
        return self._endpoints.hosts

    def find(self, host: str, port: int) -> Way | None:
        """
        How connections to a service go.

        @param host: its name, or the local address that stands for it.
        """
        for candidate, addresses in self.hosts.items():
            if host in addresses.all:
                return self._endpoints.find(candidate, candidate, port)
        found = self.table.match(host)
        if found is None:
            return None
        return self._endpoints.find(found, host.lower().removesuffix("."), port)

    # --- called by Twisted ---

    def privilegedStartService(self) -> None:
        """Open ports while they may be below 1024 (Twisted)."""
        super().privilegedStartService()
        self._arrange(at_start=True)

    def startService(self) -> None:
        """Open what is not yet open, and read the metadata (Twisted)."""
        super().startService()
        if not self._ports:
            self._arrange(at_start=True)
        for one in self._redirected:
            if one.watch is not None:
                one.watch.start()
        if self._app is not None:
            self._app.start()

    def stopService(self) -> Deferred[Any]:
        """Close the ports; connections go on (Twisted)."""
        if self._app is not None:
            self._app.stop()
        for one in self._redirected:
            if one.watch is not None:
                one.watch.stop()
        again, self._again = self._again, None
        if again is not None:
            again.cancel()
        closed = [maybeDeferred(super().stopService)]
        ports, self._ports = self._ports, {}
        closed += [maybeDeferred(port.stopListening) for _, port in ports.values()]
        return gatherResults(closed)

    # --- ours ---

    def _name_service(self, config: SenderConfig) -> NameServer | None:
        settings = config.names
        if settings.dns is None or not (self._redirected or config.app):
            return None
        servers: Callable[[], Sequence[HostPort]] = SystemResolvers(settings.dns)
        if settings.upstreams:
            servers = lambda: settings.upstreams  # noqa: E731
        upstreams = Upstreams(
            servers,
            self._reactor,
            SystemRandom(),
            settings.upstream_timeout,
            settings.answer_timeout,
        )
        cache = AnswerCache(self._reactor.seconds, settings.cache_entries)
        server = NameServer(self.table, upstreams, cache, settings.ttl)
        bind = settings.dns
        fail = self._failed(f"{bind} for names")
        NameService(server, bind, self._reactor, fail, self._opener).setServiceParent(
            self
        )
        return server

    @property
    def _all(self) -> list[Redirected]:
        """Those of the configuration first: they win."""
        return [*self._redirected, *self._of_app.current]

    def _follow(self, found: AppConnections) -> None:
        gone = self._of_app.follow(found.served)
        self._arrange(at_start=False)
        for one in gone:
            self.log.info("{entity}: is served no more", entity=one.entity)
            self._draining.append(one.forward)
            drained = one.forward.drain(self._drain_timeout)
            drained.addCallback(
                lambda _, forward: self._draining.remove(forward), one.forward
            )

    def _learned(self) -> None:
        if self.running:
            self._arrange(at_start=False)

    def _asked(self, host: str, name: str) -> None:
        """Somebody asks for a name: one below a wildcard may be to have its ports."""
        unfolded = self._endpoints.asked(host, name)
        if unfolded is None:
            return
        if unfolded.gone is not None:
            gone, addresses = unfolded.gone
            for place in [one for one in self._ports if one.host in addresses.all]:
                self._close(place)
            self.table.drop(gone)
        places = self._places(self._endpoints.ways_of(unfolded.name))
        if self._closing.isdisjoint(places):
            self._open_all(places, at_start=False)
        else:
            self._waits = True  # it had them a moment ago
        open_at = {one.host for one in places if one in {*self._ports, *self._closing}}
        answer = self._answer(unfolded.name, open_at)
        if answer is not None:
            self.table.put(unfolded.name, answer)

    def _arrange(self, at_start: bool) -> None:
        """Have the ports that are wanted open, and no others."""
        try:
            self._endpoints.learn()
        except ConfigError as error:
            self._tell_once(str(error))
            return
        places = self._places(self._endpoints.ways.items())
        for place in [*self._ports]:
            if place not in places or self._ports[place][0] != places[place][1]:
                self._close(place)
        if not self._closing.isdisjoint(places):
            self._waits = True  # another may want a place, which is not free yet
            return
        whole = self._open_all(places, at_start)
        self._publish()
        if self._names is not None:
            # Nobody is to keep that a name does not exist which is to be ours.
            self._names.unsettled = (
                not whole
                or any(
                    one.watch is not None and not one.endpoints
                    for one in self._redirected
                )
                or (self._app is not None and self._app.known is None)
            )

    def _places(self, ways: Iterable[tuple[HostPort, Way]]) -> _Places:
        return {
            HostPort(address, endpoint.port): (endpoint, way)
            for endpoint, way in ways
            for address in self.hosts[endpoint.host].all
        }

    def _close(self, place: HostPort) -> None:
        _, port = self._ports.pop(place)
        closing = maybeDeferred(port.stopListening)
        if not closing.called:
            self._closing.add(place)
            closing.addBoth(self._closed, place)

    def _closed(self, _: object, place: HostPort) -> None:
        self._closing.discard(place)
        if self._waits and not self._closing:
            self._waits = False
            self._learned()

    def _open_all(self, places: _Places, at_start: bool) -> bool:
        """
        Open those that are not.

        @return: whether all are.
        """
        missing = [
            place
            for place, (endpoint, way) in places.items()
            if place not in self._ports
            and not self._open(place, endpoint, way, at_start)
        ]
        if missing and self._again is None:
            self._again = self._reactor.callLater(_TRY_AGAIN, self._try_again)
        return not missing

    def _try_again(self) -> None:
        self._again = None
        self._arrange(at_start=False)

    def _open(
        self, place: HostPort, endpoint: HostPort, way: Way, at_start: bool
    ) -> bool:
        """
        @return: whether all is well; without an IPv6 address all goes by IPv4.
        """
        failures: list[Failure] = []
        entity, factory = way.redirected.entity, way.forward.toward(way.wanted)
        opening = local_endpoint(self._opener, place).listen(factory)
        opening.addCallbacks(
            lambda port: self._ports.__setitem__(place, (way, port)), failures.append
        )
        if not failures:
            self.log.info(
                "{entity}: {endpoint} is {place} here",
                entity=entity,
                endpoint=str(endpoint),
                place=str(place),
            )
            return True
        # Nobody of this machine is in the way in another network.
        who = occupant(place) if self._opener is self._reactor else ""
        what = f"{place} for {endpoint}" + (f" ({who})" if who else "")
        if ":" in place.host and _is_unknown_address(failures[0].value):
            self._tell_once(
                f"{entity}: {endpoint} has no IPv6 address: {place.host} is not on"
                " this machine; hybridconn redirect install puts it there, or: ip -6"
                f" address add {place.host}/128 dev lo"
            )
            return True
        if at_start:
            self._failed(what)(failures[0])
        else:
            why = listen_trouble(failures[0].value)
            self._tell_once(f"{entity}: cannot listen on {what}: {why}")
        return False

    def _publish(self) -> None:
        """Say of each host those addresses at which somebody listens."""
        open_at = {place.host for place in self._ports}
        answers = {host: self._answer(host, open_at) for host in self.hosts}
        self.table.replace(
            {host: one for host, one in answers.items() if one is not None}
        )

    def _answer(self, host: str, open_at: Container[str]) -> HostAddresses | None:
        addresses = self.hosts[host]
        if host in self._endpoints.folded:
            # A name that can have no address of its own is found all the same,
            # where nobody listens: others would lead it elsewhere.
            return HostAddresses(addresses.ipv4)
        if addresses.ipv4 not in open_at:
            return None
        ipv6 = addresses.ipv6 if addresses.ipv6 in open_at else None
        return HostAddresses(addresses.ipv4, ipv6)

    def _tell_once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self.log.warn("{text}", text=text)


def _is_unknown_address(error: BaseException | None) -> bool:
    return (
        isinstance(error, CannotListenError)
        and getattr(error.socketError, "errno", None) == errno.EADDRNOTAVAIL
    )
