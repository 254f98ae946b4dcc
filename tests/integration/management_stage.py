"""A relay with a store and the management API, and Azure's own clients of it."""

from __future__ import annotations

import hashlib
import http.client
import json
import secrets
import time
from collections.abc import Mapping
from typing import Any

from azure.core.credentials import AccessToken
from azure.mgmt.relay import RelayAPIMgmtClient
from azure.mgmt.web import WebSiteManagementClient
from cryptography.fernet import Fernet

from tests.integration.programs import Program, twistd
from tests.integration.stage import HOST, Stage, table
from tests.integration.waiting import free_port

SUBSCRIPTION = "6f1a1a3e-6f1b-4b41-9c9c-0d3b8a2f5a11"
GROUP = "rg1"
NS = "contoso-relay"
BASE = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{GROUP}/providers/Microsoft.Relay"
ENDPOINT = json.dumps([{"key": "endpoint", "value": "db.corp.example:1433"}])


class StaticToken:
    """Stands in for azure-identity."""

    def __init__(self, value: str) -> None:
        self._value = value

    def get_token(self, *scopes: str, **more: Any) -> AccessToken:
        """Always the same one (Azure)."""
        return AccessToken(self._value, int(time.time()) + 3600)


class ManagementStage(Stage):
    """
    @param store: what C{[store]} says beside the key's file; a SQLite file if nothing.
    @param key: the key's, if another relay has the same store.
    @param relay: C{[relay]}; C{limits}: C{[limits]}.
    @ivar tokens: by role.
    @ivar management_port: of the API.
    """

    def __init__(
        self,
        store: Mapping[str, object] | None = None,
        key: str | None = None,
        relay: Mapping[str, object] | None = None,
        limits: Mapping[str, object] | None = None,
        more: str = "",
    ) -> None:
        self._more = more
        self.management_port = free_port()
        self._store = {"key_file": "store.key", **(store or {"path": "relay.db"})}
        self.key = key or Fernet.generate_key().decode()
        self.tokens = {
            role: secrets.token_urlsafe(24) for role in ("admin", "reader", "sender")
        }
        super().__init__([], limits, relay_settings=relay)
        self._secrets |= {*self.tokens.values(), self.key}
        self.write("store.key", self.key + "\n")

    def _write_relay(
        self, _: object, limits: Mapping[str, object], relay: Mapping[str, object]
    ) -> None:
        text = table(
            "[listen]",
            {
                "port": self.port,
                "interface": "127.0.0.1",
                "certificate": "relay.pem",
                "key": "relay.key",
                "public_url": f"wss://{HOST}:{self.port}",
            },
        )
        text += table("[relay]", relay)
        text += table("[limits]", limits)
        text += table("[store]", self._store)
        text += table(
            "[management]",
            {
                "port": self.management_port,
                "subscriptions": [SUBSCRIPTION],
                "suffix": ".localhost",
            },
        )
        for role, token in self.tokens.items():
            sha256 = hashlib.sha256(token.encode()).hexdigest()
            values = {"name": role, "role": role, "sha256": sha256}
            text += table("[[management.token]]", values)
        self.write("relay.toml", text + self._more)

    def start(self) -> None:
        """Start the relay and wait for both ports."""
        self.start_relay()
        self.relay.wait_port(self.management_port)

    def also_secret(self, text: str) -> None:
        """What must not be logged either."""
        self._secrets.add(text)

    def connection_string_of(self, path: str, rule: str) -> str:
        """Of a hybrid connection of the namespace L{NS}, as the API tells it."""
        keys = f"{BASE}/namespaces/{NS}/hybridConnections/{path}/authorizationRules"
        status, value, _ = self.call("POST", f"{keys}/{rule}/listKeys")
        assert status == 200, value
        said: str = value["primaryConnectionString"]
        return said.replace(f"{NS}.localhost", HOST)

    def listen_for(self, path: str, target: int, name: str = "listener") -> Program:
        """Start a listener for a hybrid connection and wait until it is online."""
        text = self.connection_string_of(path, "defaultListener")
        self.write(f"{name}.cs", text)
        started = self.program(
            name,
            twistd(
                *("hclistener", "--connection-string-file", f"{name}.cs"),
                *("--target", f"127.0.0.1:{target}", "--ca-file", str(self.ca_file)),
            ),
        ).start()
        self.wait_online(started)
        return started

    @property
    def base_url(self) -> str:
        return f"https://{HOST}:{self.management_port}"

    def relay_client(self, role: str = "admin", token: str = "") -> Any:
        """Microsoft's client for Microsoft.Relay, unchanged."""
        return self._client(RelayAPIMgmtClient, token or self.tokens[role])

    def web_client(self) -> Any:
        """The same for Microsoft.Web."""
        return self._client(WebSiteManagementClient, self.tokens["admin"])

    def _client(self, kind: Any, token: str) -> Any:
        return kind(
            StaticToken(token),
            SUBSCRIPTION,
            base_url=self.base_url,
            credential_scopes=[f"{self.base_url}/.default"],
            connection_verify=str(self.ca_file),
            retry_total=0,
        )

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        role: str = "admin",
        version: str = "?api-version=2021-11-01",
        seconds: float = 20,
    ) -> tuple[int, Any, dict[str, str]]:
        """One call by hand: status, JSON and header fields."""
        connection = http.client.HTTPSConnection(
            HOST, self.management_port, timeout=seconds, context=self.trust()
        )
        fields = {"Authorization": f"Bearer {self.tokens[role]}"} | dict(headers or {})
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path + version, data, fields)
        response = connection.getresponse()
        said = response.read()
        connection.close()
        value = json.loads(said) if said else None
        fields = {name.lower(): value for name, value in response.headers.items()}
        return response.status, value, fields
