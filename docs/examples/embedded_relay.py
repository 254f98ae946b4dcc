"""
A relay inside another Twisted program, which has a web site of its own.

    hybridconn init tunnel --host localhost --port 8443
    python embedded_relay.py 8443 8080 tunnel

The relay takes its certificate and the two connection strings from that folder;
where another program keeps such things is its own business: here they become a
L{Namespace} in a L{MemoryEntityStore}.  C{http://127.0.0.1:8080/} tells how many
listen and how many senders wait.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.task import react
from twisted.web.resource import Resource
from twisted.web.server import Site

from hybridconn import ConnectionString
from hybridconn.balancers import LeastConnectionsBalancer
from hybridconn.core.entities import (
    AuthorizationRule,
    Claim,
    HybridConnection,
    Namespace,
)
from hybridconn.relay import RelayService
from hybridconn.relay.desk import entity_key
from hybridconn.stores import MemoryEntityStore
from hybridconn.tls import CertificateFiles, CertificateStore

LOOPBACK = "127.0.0.1"


def namespace_from(folder: Path) -> Namespace:
    """One namespace with one hybrid connection, opened by two keys."""
    rules = []
    for name, claim in (("listen", Claim.LISTEN), ("send", Claim.SEND)):
        text = (folder / f"{name}.connection-string").read_text()
        connection = ConnectionString.parse(text)
        if connection.key_name is None or connection.key is None:
            raise SystemExit(f"{name}.connection-string holds no key")
        rules.append(AuthorizationRule(connection.key_name, {claim}, connection.key))
    entity = HybridConnection(connection.require_entity_path(), rules=tuple(rules))
    return Namespace("embedded", (connection.host,), (), (entity,))


class Status(Resource):
    """The program's own page: what goes on in its relay."""

    isLeaf = True

    def __init__(self, relay: RelayService, store: MemoryEntityStore) -> None:
        super().__init__()
        self._relay = relay
        self._store = store

    def render_GET(self, request: Any) -> bytes:
        """One line for each hybrid connection, and one for the waiting senders."""
        request.setHeader("Content-Type", "text/plain; charset=utf-8")
        desk = self._relay.desk
        lines = [
            f"{entity.path}: {desk.listeners(entity_key(one.name, entity.path))}"
            for one in self._store.namespaces()
            for entity in one.hybrid_connections
        ]
        lines.append(f"waiting: {desk.pending}")
        return "\n".join([*lines, ""]).encode()


async def main(reactor: Any, relay_port: str, web_port: str, folder: str) -> None:
    """Run both until the process is ended."""
    place = Path(folder)
    program = MultiService()

    store = MemoryEntityStore([namespace_from(place)])
    relay = RelayService(reactor, store, LeastConnectionsBalancer())
    files = CertificateFiles(str(place / "relay.pem"), str(place / "relay.key"))
    relay.listen_on(
        TCP4ServerEndpoint(reactor, int(relay_port), interface=LOOPBACK),
        CertificateStore([files]),
    )
    relay.setServiceParent(program)

    web = TCP4ServerEndpoint(reactor, int(web_port), interface=LOOPBACK)
    site = StreamServerEndpointService(web, Site(Status(relay, store)))
    site.setServiceParent(program)

    # The relay tells its clients that it goes (1001) before the process ends.
    reactor.addSystemEventTrigger("before", "shutdown", program.stopService)
    program.startService()
    print("relay and web site are up", flush=True)
    await Deferred()


if __name__ == "__main__":
    react(main, sys.argv[1:])
