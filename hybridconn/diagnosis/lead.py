"""What a sender's configuration leads to, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import field, frozen

from hybridconn.config.addresses import HostPort
from hybridconn.config.forward import Forward
from hybridconn.config.redirects import Redirect
from hybridconn.config.sender import SenderConfig
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.probe import PORT_HEADER, WantedPort
from hybridconn.core.targets import TARGET_HEADER
from hybridconn.diagnosis.local import place_below
from hybridconn.names.plan import WILDCARD, HostAddresses, plan_addresses
from hybridconn.sender.learning import Learned


@frozen
class Lead:
    """
    One way of an app.

    @ivar endpoint: the name and port by which apps reach the service; L{None}: they
        use the sender's port.
    @ivar place: where the sender listens for it; L{None}: that is nothing here.
    @ivar http: whether HTTP requests go there; L{None}: that is not known.
    @ivar headers: what the sender tells the listener of this way, beside the token.
    @ivar vague: it stands for many services, and the listener is to be told for which.
    @ivar udp: apps send datagrams there.
    @ivar port: what the sender says at the beginning of a tunnel; L{None}: that is not
        known.
    """

    connection: ConnectionString
    endpoint: HostPort | None = None
    place: HostPort | None = None
    http: bool | None = None
    headers: Mapping[str, str] = field(factory=dict)
    vague: bool = False
    udp: bool = False
    port: WantedPort | None = None

    @property
    def told(self) -> Mapping[str, str]:
        """What a probe tells the listener of this way, beside the token."""
        port = {} if self.port is None else {PORT_HEADER: str(self.port)}
        return {**self.headers, **port}

    @property
    def entity(self) -> str:
        """The hybrid connection."""
        return self.connection.require_entity_path()

    @property
    def relay(self) -> tuple[str, int, bool]:
        """Where it goes, and whether with TLS."""
        return self.connection.host, self.connection.port, self.connection.secure

    @property
    def subject(self) -> str:
        """What people call it."""
        if self.endpoint is not None:
            return str(self.endpoint)
        if self.port is not None and self.port.name is not None:
            return f"{self.entity}, port {self.port.name}"
        return self.headers.get(TARGET_HEADER, self.entity)


def leads_of(config: SenderConfig, learned: Learned) -> Iterator[Lead]:
    """
    All of a configuration.

    @raise ConfigError: there are more hosts than addresses for them.
    """
    for forward in config.forwards:
        yield forwarded(forward)
    hosts = addresses(config, learned)
    for endpoint, redirect in learned.endpoints.items():
        place = HostPort(hosts[endpoint.host].ipv4, endpoint.port)
        if redirect.endpoints and endpoint.host.startswith(WILDCARD):
            place = place_below(config.names.network, endpoint)
        yield redirected(redirect, endpoint, place)
    known = list(learned.endpoints.values())
    for one in config.redirects:
        if one not in known:
            yield Lead(one.connection)


def forwarded(forward: Forward) -> Lead:
    """The way of an app that uses a port of the sender."""
    told = wanted_headers(forward.target)
    bind, http, udp = forward.bind, forward.http, forward.udp
    # What a sender of HTTP says is HTTP.
    port = None if http else WantedPort(forward.port_name, udp)
    return Lead(forward.connection, None, bind, http, told, udp=udp, port=port)


def redirected(redirect: Redirect, asked: HostPort, place: HostPort) -> Lead:
    """
    The way of an app that asks for a name and port.

    @param asked: those; a wildcard for any name below it.
    @param place: where the sender listens for it.
    """
    vague = bool(redirect.endpoints) and asked.host.startswith(WILDCARD)
    told = str(asked) if redirect.endpoints and not vague else ""
    headers = wanted_headers(told)
    port = WantedPort(redirect.port_name)
    return Lead(redirect.connection, asked, place, False, headers, vague, port=port)


def wanted_headers(target: str) -> Mapping[str, str]:
    """What tells a listener which target is wanted; empty: the one that it has."""
    return {TARGET_HEADER: target} if target else {}


def addresses(config: SenderConfig, learned: Learned) -> Mapping[str, HostAddresses]:
    """
    The local addresses of redirected hosts.

    @raise ConfigError: there are more hosts than addresses for them.
    """
    return plan_addresses((one.host for one in learned.endpoints), config.names)
