"""
A whole relay on a network in memory: the real one, without sockets, with time
and chance in the test's hand.

    >>> from twisted.internet.protocol import Factory, Protocol
    >>> class Echo(Protocol):
    ...     def dataReceived(self, data):
    ...         self.transport.write(data)
    >>> class Show(Protocol):
    ...     def dataReceived(self, data):
    ...         print(data.decode())
    ...     def connectionLost(self, reason):
    ...         print(reason.type.__name__)
    >>> relay = MemoryRelay(["hyco"])
    >>> port = relay.server_endpoint("hyco").listen(Factory.forProtocol(Echo))
    >>> relay.network.flush()
    >>> show = relay.client_endpoint("hyco").connect(Factory.forProtocol(Show))
    >>> relay.network.flush()
    >>> show.result.transport.write(b"hello")
    >>> relay.network.flush()
    hello
    >>> relay.stop()
    TunnelClosed
"""

from __future__ import annotations

import base64
import random
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from attrs import evolve

from hybridconn.balancers.randomchoice import RandomBalancer
from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.entities import (
    AuthorizationRule,
    Claim,
    HybridConnection,
    Namespace,
    Secret,
)
from hybridconn.core.limits import Limits
from hybridconn.core.sas import audience_of, sign
from hybridconn.endpoints import (
    HybridConnectionClientEndpoint,
    HybridConnectionServerEndpoint,
)
from hybridconn.interfaces import (
    IAudit,
    IClusterBus,
    ILoadBalancer,
    ITargetConnector,
)
from hybridconn.listener import HybridConnectionListener
from hybridconn.relay.connecting import PublicUrl
from hybridconn.relay.service import RelayService
from hybridconn.sender import TunnelConnector
from hybridconn.stores.memory import MemoryEntityStore
from hybridconn.testing.dialling import MemoryDialer
from hybridconn.testing.network import DEFAULT_SOURCE, MemoryNetwork

#: What the clock's zero is as wall time: 2030-01-01 00:00:00 UTC.
WALL_START = 1_893_456_000.0

_NAMESPACE = "testing"

_UNHURRIED = Limits(exempt_networks=("0.0.0.0/0", "::/0"))


class MemoryRelay:
    """
    A L{RelayService} that runs from the start.  Its only namespace has one rule
    for each L{Claim}, called as the claim; the keys are the same in every run.

    @ivar network: where it listens.
    @ivar clock: the network's clock; C{network.advance} moves it.
    @ivar store: its entities, to be changed at any time.
    @ivar service: the relay itself.
    @ivar host: by which it is reached.
    @ivar port: on which it listens.
    @ivar secure: whether it is reached as C{wss}; nothing is encrypted.
    """

    def __init__(
        self,
        entities: Iterable[str | HybridConnection] = (),
        network: MemoryNetwork | None = None,
        *,
        host: str = "relay.test",
        port: int = 443,
        secure: bool = True,
        balancer: ILoadBalancer | None = None,
        limits: Limits | None = None,
        seed: int = 0,
        bus: IClusterBus | None = None,
        log_requests: bool = False,
        audit: IAudit | None = None,
    ) -> None:
        """
        @param entities: paths, or hybrid connections with all their properties.
        @param network: L{None} makes a new one.
        @param balancer: by default random, as C{seed} says.
        @param limits: by default the relay's own, except that no address has a
            rate limit and no refusal is kept back.
        @param seed: of everything that is random.
        @param bus: makes it one of several processes, to whose own C{port}
            listeners are sent; see L{MemoryCluster
            <hybridconn.testing.bus.MemoryCluster>}.
        @param log_requests: log a line for each HTTP request that was answered.
        @param audit: is told of each use of a key.
        """
        self.network = MemoryNetwork() if network is None else network
        self.clock = self.network.clock
        self.host = host
        self.port = port
        self.secure = secure
        self._chance = chance = random.Random(seed)
        rules = (AuthorizationRule(c.value, {c}, self.key(c)) for c in Claim)
        namespace = Namespace(_NAMESPACE, (host,), tuple(rules))
        self.store = MemoryEntityStore([namespace])
        for entity in entities:
            self.add(entity)
        self.service = RelayService(
            self.clock,
            self.store,
            RandomBalancer(chance) if balancer is None else balancer,
            _UNHURRIED if limits is None else limits,
            wall=self.wall,
            random_bytes=chance.randbytes,
            new_guid=self.new_guid,
            random_number=chance.random,
            public_url=PublicUrl(port=None if bus is None else port),
            bus=bus,
            log_requests=log_requests,
            audit=audit,
        )
        self.service.listen_on(self.network.server_endpoint(host, port))
        self.start()

    def start(self) -> None:
        """Run it, again after L{stop}."""
        self.service.startService()
        self.network.flush()

    def stop(self) -> None:
        """Shut it down as C{SIGTERM} does; time passes until all is closed."""
        if self.service.running:
            self.service.stopService()
            self.network.advance(self.service.limits.control_close_timeout)

    def add(self, entity: str | HybridConnection) -> None:
        """Add a hybrid connection, or put it in the place of its namesake."""
        if isinstance(entity, str):
            entity = HybridConnection(entity)
        self.store.put_hybrid_connection(_NAMESPACE, entity)

    def remove(self, path: str) -> None:
        """
        Delete a hybrid connection.

        @raise KeyError: there is none.
        """
        self.store.delete_hybrid_connection(_NAMESPACE, path)

    def wall(self) -> float:
        """Seconds since 1970-01-01 UTC, in step with the clock."""
        return WALL_START + self.clock.seconds()

    def new_guid(self) -> UUID:
        """The next GUID of this run."""
        return UUID(int=self._chance.getrandbits(128), version=4)

    # --- ways in ---

    def key(self, claim: Claim) -> Secret:
        """The key of the rule that gives C{claim}."""
        return Secret(base64.b64encode(claim.value.encode().ljust(32)).decode())

    def token(self, path: str, claim: Claim, lifetime: float = 3600.0) -> str:
        """
        A SAS token.

        @param lifetime: seconds; below zero for one that is expired.
        """
        expires_at = int(self.wall() + lifetime)
        audience = audience_of(self.host, path)
        return sign(audience, claim.value, self.key(claim).reveal(), expires_at)

    def connection_string(self, path: str, claim: Claim) -> str:
        """The connection string that opens C{path} for C{claim}."""
        return self.parsed_connection_string(path, claim).render()

    def parsed_connection_string(self, path: str, claim: Claim) -> ConnectionString:
        """The same as a value, which also knows whether TLS is to be used."""
        key = self.key(claim)
        string = ConnectionString(self.host, self.port, path, claim.value, key)
        return evolve(string, secure=self.secure)

    def dialer(self, source: str = DEFAULT_SOURCE) -> MemoryDialer:
        """
        The way to it for a listener or a sender.

        @param source: the address that they come from.
        """
        return self.network.dialer(source)

    # --- the product's own listeners and senders, in this relay's time ---

    def server_endpoint(
        self, path: str, source: str = DEFAULT_SOURCE, **more: Any
    ) -> HybridConnectionServerEndpoint:
        """
        An endpoint that listens on C{path}.

        @param source: the address that its connections come from.
        @param more: as for L{HybridConnectionServerEndpoint.for_connection}.
        """
        return HybridConnectionServerEndpoint.for_connection(
            self.parsed_connection_string(path, Claim.LISTEN),
            self.clock,
            self.dialer(source),
            **self._listening | more,
        )

    def listener(
        self,
        path: str,
        connector: ITargetConnector,
        source: str = DEFAULT_SOURCE,
        listener_class: type[HybridConnectionListener] = HybridConnectionListener,
        **more: Any,
    ) -> HybridConnectionListener:
        """
        A listener on C{path}, still to be started.

        @param source: the address that its connections come from.
        @param more: as for C{listener_class}.
        """
        return listener_class(
            self.parsed_connection_string(path, Claim.LISTEN),
            connector,
            self.dialer(source),
            self.clock,
            **self._listening | more,
        )

    def client_endpoint(
        self, path: str, source: str = DEFAULT_SOURCE, **more: Any
    ) -> HybridConnectionClientEndpoint:
        """
        An endpoint that connects to C{path}.

        @param source: the address that its connections come from.
        @param more: as for L{HybridConnectionClientEndpoint}.
        """
        return HybridConnectionClientEndpoint(self.connector(path, source), **more)

    def connector(
        self, path: str, source: str = DEFAULT_SOURCE, **more: Any
    ) -> TunnelConnector:
        """
        What opens a sender's tunnels to C{path}, for a L{LocalForward
        <hybridconn.sender.LocalForward>} too.

        @param source: the address that its connections come from.
        @param more: as for L{TunnelConnector}.
        """
        return TunnelConnector(
            self.parsed_connection_string(path, Claim.SEND),
            self.dialer(source),
            self.clock,
            **{"wall": self.wall, "new_guid": self.new_guid} | more,
        )

    @property
    def _listening(self) -> dict[str, Any]:
        chance = self._chance.random
        return {"rng": chance, "wall": self.wall, "new_guid": self.new_guid}
