"""Who may use the management API, and what is written down of it, in a real relay."""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from typing import Any

import trustme

from tests.integration.case import IntegrationTestCase
from tests.integration.identity import IdentityProvider
from tests.integration.management_stage import (
    BASE,
    ENDPOINT,
    ManagementStage,
)
from tests.integration.programs import twistd
from tests.integration.stage import HOST, SEND, Stage, table
from tests.integration.test_workers import free_pair
from tests.integration.tokens import traces_of
from tests.integration.waiting import free_port
from tests.management.signers import (
    EC_KEY,
    ISSUER,
    OTHER_RSA_KEY,
    RSA_KEY,
    jwk_of,
    jwks,
    pem_of,
    token,
)

AUDIENCE = "https://management.azure.com/"
NS = f"{BASE}/namespaces/contoso-relay"


def signed(key: Any = RSA_KEY, algorithm: str = "RS256", **more: Any) -> str:
    """A good token, unless told otherwise."""
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": now + 600}
    return token(key, algorithm, **{**claims, "roles": ["admin"], **more})


class OidcTests(IntegrationTestCase):
    """Tokens of an identity provider, whose keys come over TLS from a private CA."""

    def setUp(self) -> None:
        super().setUp()
        self.port = free_port()
        values = {
            "issuer": ISSUER,
            "jwks_url": f"https://localhost:{self.port}/keys",
            "ca_file": "ca.pem",
            "unknown_key_interval": 0.5,
        }
        self.stage = ManagementStage(more=table("[management.oidc]", values))
        self.use(self.stage)

    def provider(self, keys: bytes) -> IdentityProvider:
        made = IdentityProvider(self.stage.folder, keys, self.port)
        self.addCleanup(made.close)
        return made

    def ask(self, text: str, method: str = "GET") -> int:
        fields = {"Authorization": f"Bearer {text}"}
        status, _, _ = self.stage.call(method, NS, headers=fields)
        return status

    def test_roles(self) -> None:
        """Good ones are good, bad ones are not; tokens of its own go on."""
        self.provider(jwks(jwk_of(RSA_KEY, "one"), jwk_of(EC_KEY, "two")))
        self.stage.start()
        self.assertEqual(self.ask(signed()), 404)
        self.assertEqual(self.ask(signed(EC_KEY, "ES256", kid="two")), 404)
        self.assertEqual(self.ask(signed(roles="reader")), 404)
        self.assertEqual(self.ask(signed(roles="reader"), "DELETE"), 403)
        self.assertEqual(self.ask(signed(roles="user")), 403)
        self.assertEqual(self.ask(signed(OTHER_RSA_KEY)), 401)
        self.assertEqual(self.ask(signed(aud="https://other.test")), 401)
        self.assertEqual(self.ask(signed(exp=int(time.time()) - 600)), 401)
        self.assertEqual(self.stage.call("GET", NS)[0], 404)
        self.stage.relay.wait_log("audit: alice from 127.0.0.1: GET")
        client = self.stage.relay_client(token=signed())
        made = client.namespaces.begin_create_or_update(
            "rg1", "contoso-relay", {"location": "x"}
        ).result()
        self.assertEqual(made.name, "contoso-relay")

    def test_new_key(self) -> None:
        """A new key is found when the first token names it, an old one then goes."""
        provider = self.provider(jwks(jwk_of(RSA_KEY, "one")))
        self.stage.start()
        self.wait_until("the first look", lambda: provider.asked)
        self.assertEqual(self.ask(signed()), 404)
        self.assertEqual(provider.asked, 1)
        provider.keys = jwks(jwk_of(OTHER_RSA_KEY, "new"))
        new = signed(OTHER_RSA_KEY, kid="new")
        self.wait_until("the second look", lambda: self.ask(new) == 404)
        self.assertEqual(self.ask(signed()), 401)

    def test_down(self) -> None:
        """A provider that is down keeps nobody out whose key is known."""
        provider = self.provider(jwks(jwk_of(RSA_KEY, "one")))
        self.stage.start()
        self.assertEqual(self.ask(signed()), 404)
        provider.close()
        self.wait_until("a look", lambda: self.ask(signed(kid="new")) == 401)
        self.stage.relay.wait_log("keys for signed tokens cannot be had")
        self.assertEqual(self.ask(signed()), 404)

    def test_another_authority(self) -> None:
        """Keys from a server whose certificate is not good are none."""
        provider = self.provider(jwks(jwk_of(RSA_KEY, "one")))
        trustme.CA().cert_pem.write_to_path(str(self.stage.folder / "other.pem"))
        file = self.stage.folder / "relay.toml"
        text = file.read_text().replace('ca_file = "ca.pem"', 'ca_file = "other.pem"')
        self.stage.write("relay.toml", text)
        self.stage.start()
        self.assertEqual(self.ask(signed()), 401)
        self.stage.relay.wait_log("cannot be had: .*certificate")
        self.assertEqual(provider.asked, 0)


class FileTests(IntegrationTestCase):
    """Keys from a file."""

    def test_file(self) -> None:
        """It stands for a provider that cannot be reached."""
        values = {"issuer": ISSUER, "jwks_file": "key.pem"}
        stage = ManagementStage(more=table("[management.oidc]", values))
        self.use(stage)
        stage.write("key.pem", pem_of(EC_KEY).decode())
        stage.start()
        for text, status in (
            (signed(EC_KEY, "ES256"), 404),
            (signed(EC_KEY, "ES256", roles=[]), 403),
            (signed(), 401),
        ):
            fields = {"Authorization": f"Bearer {text}"}
            self.assertEqual(stage.call("GET", NS, headers=fields)[0], status)


class AuditTests(IntegrationTestCase):
    """The file with all calls and uses of keys."""

    def setUp(self) -> None:
        super().setUp()
        values = {"file": "audit.jsonl", "data_plane": True}
        self.stage = ManagementStage(more=table("[audit]", values))
        self.use(self.stage)
        self.stage.start()
        self.file = self.stage.folder / "audit.jsonl"

    def events(self, path: Path | None = None) -> list[dict[str, Any]]:
        lines = (path or self.file).read_text().splitlines()
        return [json.loads(line) for line in lines]

    def test_everything(self) -> None:
        """Calls, keys and their uses; no token, key, query or body; rotation."""
        call = self.stage.call
        call("PUT", NS, {"location": "x", "tags": {"a": "tagged-value"}})
        body = {"properties": {"userMetadata": ENDPOINT}}
        call("PUT", f"{NS}/hybridConnections/db", body)
        rules = f"{NS}/hybridConnections/db/authorizationRules"
        _, keys, _ = call("POST", f"{rules}/defaultListener/listKeys")
        own = {"keyType": "SecondaryKey", "key": keys["secondaryKey"]}
        call("POST", f"{rules}/defaultSender/regenerateKeys", own)
        bad = {"Authorization": "Bearer not-a-token-of-anybody"}
        call("DELETE", NS, headers=bad)
        call("DELETE", NS, role="reader")
        call("GET", "/not-a-token-of-anybody", headers=bad)
        shown = [
            (e["who"], e["action"], e.get("operation"), e["outcome"], e["status"])
            for e in self.events()
        ]
        self.assertEqual(
            shown,
            [
                ("admin", "PUT", "NamespacesCreateOrUpdate", "allowed", 200),
                ("admin", "PUT", "HybridConnectionsCreateOrUpdate", "allowed", 200),
                ("admin", "POST", "HybridConnectionsListKeys", "allowed", 200),
                ("admin", "POST", "HybridConnectionsRegenerateKeys", "allowed", 200),
                ("", "DELETE", "NamespacesDelete", "refused", 401),
                ("reader", "DELETE", "NamespacesDelete", "refused", 403),
                ("", "GET", None, "refused", 401),
            ],
        )
        self.assertEqual(self.file.stat().st_mode & 0o777, 0o600)

        moved = self.file.rename(self.file.with_suffix(".1"))
        text = keys["primaryConnectionString"].replace("contoso-relay.", "")
        self.stage.write("listen.cs", text)
        options = ("--connection-string-file", "listen.cs", "--target", "127.0.0.1:9")
        argv = twistd("hclistener", *options, "--ca-file", str(self.stage.ca_file))
        listener = self.stage.program("listener", argv).start()
        self.stage.wait_online(listener)
        call("DELETE", f"{rules}/defaultListener")
        listener.stop()
        listener.start()
        listener.wait_log("offline: 401")
        (listen, _, *refused) = self.events()
        self.assertEqual(
            (listen["event"], listen["action"], listen["who"], listen["outcome"]),
            ("key", "listen", "defaultListener", "allowed"),
        )
        self.assertEqual(listen["target"], "contoso-relay/db")
        self.assertTrue(refused)
        for event in refused:
            self.assertEqual((event["who"], event["outcome"]), ("", "refused"))
            self.assertEqual((event["code"], event["status"]), ("TokenInvalid", 401))
        self.assertNotIn("listen", {event["action"] for event in self.events(moved)})

        whole = self.file.read_text() + moved.read_text()
        secrets = {
            *self.stage.tokens.values(),
            "tagged-value",
            "not-a-token-of-anybody",
        }
        for name in ("primaryKey", "secondaryKey"):
            secrets |= traces_of(keys[name])
        for secret in (*secrets, "SharedAccess", "sig=", "Bearer", "api-version"):
            self.assertNotIn(secret, whole)

    def test_no_place(self) -> None:
        """A file that cannot be made is said at the start."""
        self.stage.relay.stop()
        config = self.stage.folder / "relay.toml"
        text = config.read_text().replace("audit.jsonl", "gone/audit.jsonl")
        self.stage.write("relay.toml", text)
        child = self.stage.relay.start()
        self.wait_until("it to end", lambda: not child.running)
        self.assertEqual(child.child.returncode, 1)
        self.assertRegex(child.log(), r"hcrelay: .*\[audit\] file: ")


class WorkersTests(IntegrationTestCase):
    """Several processes, no store, one file."""

    def test_one_file(self) -> None:
        """Each use of a key is one whole line."""
        stage = Stage(["web"], relay_settings={"worker_port": free_pair()})
        self.use(stage)
        config = stage.folder / "relay.toml"
        audit = table("[audit]", {"file": "audit.jsonl", "data_plane": True})
        stage.write("relay.toml", f"{audit}{config.read_text()}")
        stage.relay.argv += ["--workers", "2"]
        stage.start_relay()
        for worker in (1, 2):
            stage.relay.wait_log(f"worker {worker}: .*FrontDoor")
        token = stage.token("web", SEND)
        for number in range(20):
            connection = http.client.HTTPSConnection(
                HOST, stage.port, timeout=20, context=stage.trust()
            )
            given = token if number % 2 else f"{token}x"
            fields = {"ServiceBusAuthorization": given}
            connection.request("GET", "/web/a?b=c", headers=fields)
            status = connection.getresponse().status
            connection.close()
            self.assertEqual(status, 502 if number % 2 else 401)
        lines = (stage.folder / "audit.jsonl").read_text().splitlines()
        events = [json.loads(line) for line in lines]
        self.assertEqual(
            [(e["action"], e["who"], e["outcome"]) for e in events],
            [("http", "", "refused"), ("http", "send", "allowed")] * 10,
        )
