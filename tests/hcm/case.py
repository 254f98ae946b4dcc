"""A connection manager, its admin port, a relay and targets, all in memory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Factory, Protocol

from hybridconn.core.entities import Claim, HybridConnection, endpoint_metadata
from hybridconn.core.http import RequestHead
from hybridconn.hcm.doctor import Doctor
from hybridconn.hcm.loading import load_managed
from hybridconn.hcm.logbook import LogBook
from hybridconn.hcm.manager import Manager
from hybridconn.hcm.routes import ManagerRoutes
from hybridconn.hcm.steward import Steward
from hybridconn.page.handler import AdminApi
from hybridconn.page.port import TokenGate
from hybridconn.testing.fakes import Answer, FakeHeldRequest
from hybridconn.testing.relay import MemoryRelay
from tests.listener.scene import LogTestCase

TOKEN = "a-token-that-nobody-guesses"


class Echo(Protocol):
    """Sends everything back."""

    def dataReceived(self, data: bytes) -> None:
        """Some of it (Twisted)."""
        transport: Any = self.transport
        transport.write(data)


class Client(Protocol):
    """An app beyond a sender."""

    def __init__(self) -> None:
        self.data = b""
        self.lost = False

    def dataReceived(self, data: bytes) -> None:
        """Some bytes (Twisted)."""
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        """The end (Twisted)."""
        self.lost = True


class HcmTestCase(LogTestCase):
    """
    @ivar drift: by which the clock of the day is wrong.
    """

    top = ""

    def setUp(self) -> None:
        super().setUp()
        self.drift = 0.0
        self.relay = MemoryRelay(
            [
                "one",
                "two",
                HybridConnection("meta", user_metadata=endpoint_metadata("db.corp:5")),
            ]
        )
        self.network = self.relay.network
        self.clock = self.network.clock
        self.network.listen("db.corp", 5, Factory.forProtocol(Echo))
        self.folder = Path(self.mktemp())
        self.folder.mkdir()
        self.conf = self.folder / "conf.d"
        self.file = self.write(
            "listener.toml", self.top + '[connections]\nfolder = "conf.d"\n'
        )
        self.manager = self.make()
        self.steward = Steward(
            self.manager,
            str(self.file),
            lambda: load_managed(self.file, {}),
            self.clock,
        )
        self.logbook = LogBook()
        self.routes = ManagerRoutes(
            self.manager,
            self.steward,
            self.logbook,
            Doctor(self.manager, self.steward, self.clock, self.wall),
            self.clock,
            self.wall,
        )
        self.api = AdminApi(self.routes.routes(), (), [TokenGate(TOKEN)], local=False)
        self.logbook.start()
        self.addCleanup(self.logbook.stop)
        self.manager.startService()
        self.steward.startService()
        self.addCleanup(self.stop)

    def make(self) -> Manager:
        """A manager of what the files say."""
        return Manager(
            load_managed(self.file, {}),
            lambda config: self.relay.dialer(),
            self.clock,
            self.wall,
            lambda target, reactor, timeout: self.network.client_endpoint(
                target.host_port.host if target.host_port else "",
                target.host_port.port if target.host_port else 0,
                timeout=timeout,
            ),
        )

    def stop(self) -> None:
        """End everything; nothing may be left over."""
        self.routes.close()
        if self.steward.running:
            self.steward.stopService()
        if self.manager.running:
            self.manager.stopService()
        self.network.advance(10)
        self.relay.stop()

    def wall(self) -> float:
        """The clock of the day."""
        return self.relay.wall() + self.drift

    # --- files ---

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """Write a file, as an editor does."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        os.chmod(path, mode)
        return path

    def table(self, path: str, **settings: object) -> str:
        """A hybrid connection as it stands in a file."""
        values = {"connection_string": self.string(path), **settings}
        lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
        return "\n".join(["[[hybrid_connection]]", *lines, ""])

    def string(self, path: str, claim: Claim = Claim.LISTEN) -> str:
        """A connection string."""
        return self.relay.connection_string(path, claim)

    # --- the admin port ---

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *headers: tuple[str, str],
        token: str = TOKEN,
    ) -> FakeHeldRequest:
        """One request; its answer may be still to come."""
        fields = (
            ("Host", "127.0.0.1:7420"),
            ("Authorization", f"Bearer {token}"),
            *headers,
        )
        data = b"" if body is None else json.dumps(body).encode()
        head = RequestHead(method, path, "1.1", fields)
        request = FakeHeldRequest(head, body_length=len(data), body=data)
        self.api.handle(request)
        return request

    def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Its status and JSON, once everything has happened that can."""
        request = self.request(method, path, body)
        self.network.flush()
        answer = request.outcome
        assert isinstance(answer, Answer), answer
        return answer.status, json.loads(answer.body) if answer.body else None

    def good(self, method: str, path: str, body: object = None) -> Any:
        """Its JSON; it must be a success."""
        status, value = self.call(method, path, body)
        self.assertLess(status, 300, value)
        return value

    def refused(
        self, status: int, code: str, method: str, path: str, body: object = None
    ) -> str:
        """It must be refused so; the message."""
        found, value = self.call(method, path, body)
        self.assertEqual((found, value["error"]["code"]), (status, code), value)
        return str(value["error"]["message"])

    def add(self, path: str, **settings: object) -> Any:
        """Add a hybrid connection and let it connect."""
        body = {"connectionString": self.string(path), "settings": settings}
        self.good("POST", "/v1/connections", body)
        return self.view(path)

    def view(self, name: str) -> Any:
        """How a hybrid connection is."""
        return self.good("GET", f"/v1/connections/{name}")

    def status(self, name: str) -> str:
        """Its word."""
        return str(self.view(name)["status"])

    # --- a sender ---

    def dial(self, path: str) -> Client:
        """Open a tunnel; it must open."""
        endpoint = self.relay.client_endpoint(path)
        dialled = endpoint.connect(Factory.forProtocol(Client))
        self.network.flush()
        client = self.successResultOf(dialled)
        assert isinstance(client, Client)
        return client

    def refusal(self, path: str) -> str:
        """Why no tunnel opens."""
        endpoint = self.relay.client_endpoint(path)
        dialled = endpoint.connect(Factory.forProtocol(Client))
        self.network.flush()
        return str(self.failureResultOf(dialled).value)
