"""Two relays on one PostgreSQL, for tests."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from typing import Any

from tests.integration.case import IntegrationTestCase
from tests.integration.management_stage import BASE, ENDPOINT, NS, ManagementStage
from tests.integration.programs import twistd
from tests.integration.servers import PostgreSQL, shared_postgresql
from tests.integration.stage import HOST
from tests.integration.waiting import free_port

NAMESPACE = f"{BASE}/namespaces/{NS}"
CONNECTIONS = f"{NAMESPACE}/hybridConnections"
RULES = f"{NAMESPACE}/authorizationRules"
#: Seconds after which another node has surely seen a change.  A second is what
#: is promised; the rest is for a machine that does something else meanwhile.
SOON = 5.0


class NodesCase(IntegrationTestCase):
    """
    @ivar one: a relay with a namespace in it.
    @ivar two: another one on the same database.
    """

    limits: Mapping[str, object] = {}  # never changed
    share_listeners = False

    def setUp(self) -> None:
        super().setUp()
        self.server = self.make_server()
        self.store: Mapping[str, object] = {
            "url": self.server.new_database(),
            "share_listeners": self.share_listeners,
        }
        self.one = self.node()
        self.two = self.node(self.one.key)
        self.one.start()
        self.two.start()
        self.put(self.one, NAMESPACE, {"location": "here"})

    def make_server(self) -> PostgreSQL:
        return shared_postgresql()

    def node(self, key: str | None = None) -> ManagementStage:
        """A relay on the database, not started yet."""
        made = ManagementStage(self.store, key, limits=self.limits)
        self.use(made)
        return made

    def put(self, node: ManagementStage, path: str, body: object) -> Any:
        """It must be done."""
        status, value, _ = node.call("PUT", path, body)
        self.assertEqual(status, 200, value)
        return value

    def connect(self, node: ManagementStage, name: str) -> None:
        """Make a hybrid connection with rules of its own."""
        self.put(
            node, f"{CONNECTIONS}/{name}", {"properties": {"userMetadata": ENDPOINT}}
        )

    def status(self, node: ManagementStage, path: str) -> int:
        """Of a look at it."""
        return node.call("GET", path)[0]

    def sees(
        self, node: ManagementStage, path: str, status: int = 200, within: float = SOON
    ) -> None:
        """A node sees it so, soon."""
        self.wait_until(
            f"{path} to be {status}", lambda: self.status(node, path) == status, within
        )

    def sender(self, node: ManagementStage) -> int:
        """Start a sender for "db" at a node; its local port."""
        node.write("send.cs", node.connection_string_of("db", "defaultSender"))
        port = free_port()
        sender = node.program(
            "sender",
            twistd(
                *("hcsender", "--connection-string-file", "send.cs"),
                *("--bind", f"127.0.0.1:{port}", "--ca-file", str(node.ca_file)),
            ),
        )
        sender.start().wait_port(port)
        return port

    def works(self, node: ManagementStage, port: int) -> bool:
        """Whether a sender's port leads to an echo."""
        try:
            with node.dial(port, 10) as connection:
                connection.sendall(b"hello")
                return connection.recv(5) == b"hello"
        except OSError:
            return False

    def request(self, node: ManagementStage, path: str, token: str) -> int:
        """The status of an HTTP request through a relay."""
        connection = http.client.HTTPSConnection(
            HOST, node.port, timeout=20, context=node.trust()
        )
        connection.request("GET", f"/{path}", None, {"ServiceBusAuthorization": token})
        status = connection.getresponse().status
        connection.close()
        return status
