"""What a sender's configuration leads to, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from attrs import field, frozen

from hybridconn.config.addresses import HostPort
from hybridconn.config.sender import SenderConfig
from hybridconn.core.connection_string import ConnectionString
from hybridconn.names.plan import HostAddresses, plan_addresses
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
    """

    connection: ConnectionString
    endpoint: HostPort | None = None
    place: HostPort | None = None
    http: bool | None = None
    headers: Mapping[str, str] = field(factory=dict)

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
        return str(self.endpoint) if self.endpoint is not None else self.entity


def leads_of(config: SenderConfig, learned: Learned) -> Iterator[Lead]:
    """
    All of a configuration.

    @raise ConfigError: there are more hosts than addresses for them.
    """
    for forward in config.forwards:
        yield Lead(forward.connection, None, forward.bind, forward.http)
    hosts = addresses(config, learned)
    for endpoint, redirect in learned.endpoints.items():
        place = HostPort(hosts[endpoint.host].ipv4, endpoint.port)
        yield Lead(redirect.connection, endpoint, place, http=False)
    known = list(learned.endpoints.values())
    for one in config.redirects:
        if one not in known:
            yield Lead(one.connection)


def addresses(config: SenderConfig, learned: Learned) -> Mapping[str, HostAddresses]:
    """
    The local addresses of redirected hosts.

    @raise ConfigError: there are more hosts than addresses for them.
    """
    return plan_addresses((one.host for one in learned.endpoints), config.names)
