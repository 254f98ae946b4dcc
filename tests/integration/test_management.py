"""The management API of Microsoft.Relay by its published client, azure-mgmt-relay."""

from __future__ import annotations

import base64
import os
import threading
from typing import Any

from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from cryptography.fernet import Fernet

from tests.integration.case import IntegrationTestCase
from tests.integration.management_stage import (
    BASE,
    ENDPOINT,
    GROUP,
    NS,
    SUBSCRIPTION,
    ManagementStage,
)
from tests.integration.programs import command, output_of
from tests.integration.servers import shared_postgresql


class ManagementCase(IntegrationTestCase):
    """A relay with nothing in it but one namespace."""

    def setUp(self) -> None:
        super().setUp()
        stage = self.make_stage()
        self.use(stage)
        self.stage = stage
        stage.start()
        self.client: Any = stage.relay_client()
        self.namespaces = self.client.namespaces
        self.connections = self.client.hybrid_connections
        made = self.namespaces.begin_create_or_update(
            GROUP, NS, {"location": "West Europe", "tags": {"team": "edge"}}
        )
        self.made = made.result()

    def make_stage(self) -> ManagementStage:
        """With a SQLite file."""
        return ManagementStage()

    def put(self, name: str, **properties: Any) -> Any:
        return self.connections.create_or_update(
            GROUP, NS, name, {"properties": properties}
        )


class NamespaceTests(ManagementCase):
    """Section 7.2."""

    def test_life(self) -> None:
        """Made, read, listed, changed, removed."""
        made = self.made
        self.assertEqual((made.name, made.location), (NS, "West Europe"))
        self.assertEqual(made.properties.provisioning_state, "Succeeded")
        self.assertEqual(made.properties.status, "Active")
        endpoint = f"https://{NS}.localhost:{self.stage.port}/"
        self.assertEqual(made.properties.service_bus_endpoint, endpoint)
        found = self.namespaces.get(GROUP.upper(), NS.upper())
        self.assertEqual((found.name, found.tags), (NS, {"team": "edge"}))
        self.assertEqual([one.name for one in self.namespaces.list()], [NS])
        in_group = self.namespaces.list_by_resource_group(GROUP)
        self.assertEqual([one.name for one in in_group], [NS])
        self.assertEqual(list(self.namespaces.list_by_resource_group("other")), [])
        patched = self.namespaces.update(GROUP, NS, {"tags": {"a": "b"}})
        self.assertEqual(patched.tags, {"a": "b"})
        self.assertEqual(patched.properties.created_at, made.properties.created_at)
        self.namespaces.begin_delete(GROUP, NS).result()
        self.namespaces.begin_delete(GROUP, NS).result()
        with self.assertRaises(ResourceNotFoundError):
            self.namespaces.get(GROUP, NS)

    def test_refused(self) -> None:
        """Each mistake with its status and code."""
        put = self.namespaces.begin_create_or_update
        with self.assertRaises(ResourceExistsError) as moved:
            put(GROUP, NS, {"location": "mars"})
        self.assertEqual(moved.exception.error.code, "InvalidResourceLocation")
        with self.assertRaises(ResourceExistsError) as taken:
            put("rg2", NS, {"location": "westeurope"})
        self.assertEqual(taken.exception.error.code, "Conflict")
        with self.assertRaises(HttpResponseError) as bad:
            put(GROUP, "1bad", {"location": "westeurope"})
        self.assertEqual(bad.exception.status_code, 400)
        self.assertEqual(bad.exception.error.code, "InvalidResourceName")

    def test_name(self) -> None:
        """checkNameAvailability."""
        for name, reason in (
            (NS, "NameInUse"),
            ("x", "InvalidName"),
            ("free-name", "None"),
        ):
            said = self.namespaces.check_name_availability({"name": name})
            self.assertEqual(said.reason, reason)
            self.assertEqual(said.name_available, reason == "None")


class ConnectionTests(ManagementCase):
    """Sections 7.3 and 7.4."""

    def test_life(self) -> None:
        """Metadata byte for byte, names with slashes, default rules."""
        made = self.put("plant/db", userMetadata=ENDPOINT)
        self.assertEqual(made.name, "plant/db")
        self.assertTrue(made.properties.requires_client_authorization)
        self.assertEqual(made.properties.user_metadata, ENDPOINT)
        self.assertEqual(made.properties.listener_count, 0)
        rules = self.connections.list_authorization_rules(GROUP, NS, "plant/db")
        self.assertEqual(
            [(rule.name, rule.rights) for rule in rules],
            [("defaultListener", ["Listen"]), ("defaultSender", ["Send"])],
        )
        keys = self.connections.list_keys(GROUP, NS, "plant/db", "defaultListener")
        self.assertEqual(
            keys.primary_connection_string,
            f"Endpoint=sb://{NS}.localhost:{self.stage.port}/;SharedAccessKeyName="
            f"defaultListener;SharedAccessKey={keys.primary_key};EntityPath=plant/db",
        )
        self.put("plant/db", requiresClientAuthorization=False)
        again = self.connections.list_keys(GROUP, NS, "plant/db", "defaultListener")
        self.assertEqual(again.primary_key, keys.primary_key)
        found = self.connections.get(GROUP, NS, "PLANT/DB")
        self.assertFalse(found.properties.requires_client_authorization)
        self.assertIn(found.properties.user_metadata, ("", None))
        self.connections.delete(GROUP, NS, "plant/db")
        self.connections.delete(GROUP, NS, "plant/db")
        with self.assertRaises(ResourceNotFoundError):
            self.connections.get(GROUP, NS, "plant/db")

    def test_pages(self) -> None:
        """Lists come in pages, in order, each item once."""
        for number in range(230):
            self.put(f"hc{number:03}")
        names = [one.name for one in self.connections.list_by_namespace(GROUP, NS)]
        self.assertEqual(names, [f"hc{number:03}" for number in range(230)])

    def test_rules(self) -> None:
        """Rights change, keys stay until they are regenerated; 12 at the most."""
        put = self.namespaces.create_or_update_authorization_rule
        rule = put(GROUP, NS, "mine", {"properties": {"rights": ["Send"]}})
        self.assertEqual(rule.rights, ["Send"])
        keys = self.namespaces.list_keys(GROUP, NS, "mine")
        put(GROUP, NS, "mine", {"properties": {"rights": ["Listen", "Send"]}})
        self.assertEqual(self.namespaces.list_keys(GROUP, NS, "mine"), keys)
        fresh = self.namespaces.regenerate_keys(
            GROUP, NS, "mine", {"keyType": "PrimaryKey"}
        )
        self.assertNotEqual(fresh.primary_key, keys.primary_key)
        self.assertEqual(fresh.secondary_key, keys.secondary_key)
        own = base64.b64encode(os.urandom(32)).decode()
        given = self.namespaces.regenerate_keys(
            GROUP, NS, "mine", {"keyType": "SecondaryKey", "key": own}
        )
        self.assertEqual(given.secondary_key, own)
        for number in range(10):
            put(GROUP, NS, f"rule{number}", {"properties": {"rights": ["Send"]}})
        with self.assertRaises(HttpResponseError) as full:
            put(GROUP, NS, "thirteenth", {"properties": {"rights": ["Send"]}})
        self.assertEqual(
            (full.exception.status_code, full.exception.error.code),
            (403, "QuotaExceeded"),
        )
        listed = self.namespaces.list_authorization_rules(GROUP, NS)
        self.assertEqual(len(list(listed)), 12)
        self.namespaces.delete_authorization_rule(GROUP, NS, "mine")
        for rights in ([], ["Send", "Send"], ["Manage"], ["Write"]):
            with self.assertRaises(HttpResponseError) as wrong:
                put(GROUP, NS, "rule1", {"properties": {"rights": rights}})
            self.assertEqual(wrong.exception.status_code, 400)

    def test_live(self) -> None:
        """Keys open at once, counts are true, what is deleted is closed."""
        self.put("db", userMetadata=ENDPOINT)
        listener = self.stage.listen_for("db", 9)

        def count() -> int:
            number: int = self.connections.get(
                GROUP, NS, "db"
            ).properties.listener_count
            return number

        self.wait_until("the listener to be counted", lambda: count() == 1)
        self.connections.regenerate_keys(
            GROUP, NS, "db", "defaultListener", {"keyType": "PrimaryKey"}
        )
        self.assertEqual(count(), 1)
        self.connections.delete(GROUP, NS, "db")
        listener.wait_log("offline: closed by the relay: 1001")
        listener.wait_log("offline: 40[14]")


class AccessTests(ManagementCase):
    """Sections 1 to 3, by hand."""

    def test_tokens(self) -> None:
        """401 before everything else; a reader sees no keys and changes nothing."""
        with self.assertRaises(ClientAuthenticationError):
            self.stage.relay_client(token="wrong").namespaces.get(GROUP, NS)
        self.put("db", userMetadata=ENDPOINT)
        reader = self.stage.relay_client("reader")
        self.assertEqual(reader.namespaces.get(GROUP, NS).name, NS)
        self.assertEqual(reader.hybrid_connections.get(GROUP, NS, "db").name, "db")
        for refused in (
            lambda: reader.namespaces.list_keys(GROUP, NS, "RootManageSharedAccessKey"),
            lambda: reader.hybrid_connections.delete(GROUP, NS, "db"),
            lambda: reader.namespaces.begin_delete(GROUP, NS),
        ):
            with self.assertRaises(HttpResponseError) as caught:
                refused()
            self.assertEqual(caught.exception.status_code, 403)
            self.assertEqual(caught.exception.error.code, "AuthorizationFailed")

    def test_mistakes(self) -> None:
        """Status and code of each."""
        call = self.stage.call
        path = f"{BASE}/namespaces/{NS}"
        for method, where, body, version, status, code in (
            (
                "GET",
                "/nothing",
                None,
                "?api-version=2021-11-01",
                404,
                "ResourceNotFound",
            ),
            ("GET", path, None, "", 400, "MissingApiVersionParameter"),
            ("GET", path, None, "?api-version=x", 400, "InvalidApiVersionParameter"),
            ("POST", path, None, "?api-version=2021-11-01", 405, "MethodNotAllowed"),
            (
                "PUT",
                path,
                b"{",
                "?api-version=2021-11-01",
                400,
                "InvalidRequestContent",
            ),
            (
                "PUT",
                path,
                b"[]",
                "?api-version=2021-11-01",
                400,
                "InvalidRequestContent",
            ),
            ("PUT", path, {}, "?api-version=2021-11-01", 400, "LocationRequired"),
            (
                *("GET", path.replace(SUBSCRIPTION, "other"), None),
                *("?api-version=2021-11-01", 404, "SubscriptionNotFound"),
            ),
            (
                *("PUT", path + "x/hybridConnections/a", {}),
                *("?api-version=2021-11-01", 404, "ParentResourceNotFound"),
            ),
            (
                *("GET", path + "/hybridConnections", None),
                *("?api-version=2021-11-01&$skiptoken=%21", 400, "BadRequest"),
            ),
        ):
            found, value, fields = call(method, where, body, version=version)
            self.assertEqual((found, value["error"]["code"]), (status, code), where)
            self.assertTrue(value["error"]["message"])
            self.assertTrue(fields["x-ms-request-id"])
        found, _, fields = call(
            "GET", "/nothing", headers={"Authorization": "Bearer x"}
        )
        self.assertEqual((found, fields["www-authenticate"]), (401, "Bearer"))

    def test_shapes(self) -> None:
        """Cases, client request ids, and what there is not."""
        asked = {
            "x-ms-return-client-request-id": "true",
            "x-ms-client-request-id": "mine",
        }
        shouted = f"{BASE}/namespaces/{NS}".upper()
        status, _, fields = self.stage.call("GET", shouted, headers=asked)
        self.assertEqual((status, fields["x-ms-client-request-id"]), (200, "mine"))
        place = f"{BASE}/namespaces/{NS}"
        self.assertEqual(
            self.stage.call("GET", place + "/wcfRelays")[:2], (200, {"value": []})
        )
        self.assertEqual(self.stage.call("PUT", place + "/wcfRelays/a", {})[0], 400)
        status, value, _ = self.stage.call("GET", place + "/networkRuleSets/default")
        self.assertEqual(value["properties"]["defaultAction"], "Allow")
        status, value, _ = self.stage.call(
            "PUT",
            place + "/networkRuleSets/default",
            {"properties": {"defaultAction": "Deny", "ipRules": [{"ipMask": "x"}]}},
        )
        self.assertEqual((status, value["error"]["code"]), (400, "BadRequest"))


class KillTests(ManagementCase):
    """Nothing that was acknowledged is lost."""

    def test_kill(self) -> None:
        """kill -9 in the middle of 1,000 writes."""
        acknowledged: list[str] = []

        def write() -> None:
            for number in range(1000):
                try:
                    name = f"{BASE}/namespaces/{NS}/hybridConnections/hc{number}"
                    if self.stage.call("PUT", name, {})[0] == 200:
                        acknowledged.append(f"hc{number}")
                except OSError:
                    return

        writer = threading.Thread(target=write)
        writer.start()
        self.wait_until("some writes", lambda: len(acknowledged) > 100)
        self.stage.relay.kill()
        writer.join(60)
        self.assertLess(len(acknowledged), 1000)
        self.stage.start()
        names = {one.name for one in self.connections.list_by_namespace(GROUP, NS)}
        self.assertEqual(set(acknowledged) - names, set())
        self.assertLessEqual(len(names), len(acknowledged) + 1)


class KillWithPostgreSQLTests(KillTests):
    """The same with PostgreSQL."""

    def make_stage(self) -> ManagementStage:
        return ManagementStage({"url": shared_postgresql().new_database()})


class FileTests(ManagementCase):
    """What lies on the disk."""

    def run_command(self, *arguments: str, status: int = 0) -> str:
        argv = command(*arguments, "--config", "relay.toml")
        found, said = output_of(argv, folder=self.stage.folder)
        self.assertEqual(found, status, said)
        self.assertNotIn("Traceback", said)
        return said

    def test_backup(self) -> None:
        """A copy while it is written to, from which a relay starts again."""
        folder = self.stage.folder
        stop = threading.Event()
        written: list[str] = []

        def write() -> None:
            while not stop.is_set():
                name = f"hc{len(written)}"
                self.stage.call(
                    "PUT", f"{BASE}/namespaces/{NS}/hybridConnections/{name}", {}
                )
                written.append(name)

        writer = threading.Thread(target=write)
        writer.start()
        self.addCleanup(stop.set)
        self.wait_until("some writes", lambda: len(written) > 20)
        before = set(written)
        self.run_command("store-backup", "copy.db")
        self.assertIn("already", self.run_command("store-backup", "copy.db", status=1))
        stop.set()
        writer.join(20)
        self.assertEqual((folder / "copy.db").stat().st_mode & 0o777, 0o600)
        self.stage.relay.stop()
        for file in folder.glob("relay.db*"):
            file.unlink()
        (folder / "copy.db").rename(folder / "relay.db")
        self.stage.start()
        names = {one.name for one in self.connections.list_by_namespace(GROUP, NS)}
        self.assertEqual(before - names, set())
        self.assertEqual(names - set(written), set())

    def test_apply(self) -> None:
        """The command works on a store whose relay runs."""
        self.stage.write("more.toml", '[[namespace]]\nname = "fabrikam"\n')
        self.assertIn("+ namespace fabrikam", self.run_command("apply", "more.toml"))
        found = lambda: {one.name for one in self.namespaces.list()}  # noqa: E731
        self.wait_until("it to be seen", lambda: found() == {NS, "fabrikam"}, 1.0)

    def test_keys_at_rest(self) -> None:
        """No key stands in the store's files; another key does not open it."""
        keys = self.namespaces.list_keys(GROUP, NS, "RootManageSharedAccessKey")
        folder = self.stage.folder
        for file in folder.glob("relay.db*"):
            self.assertNotIn(keys.primary_key.encode(), file.read_bytes())
            self.assertEqual(file.stat().st_mode & 0o077, 0, file)
        self.stage.relay.stop()
        old = (folder / "store.key").read_text()
        self.stage.write("store.key", Fernet.generate_key().decode() + "\n" + old)
        self.stage.start()
        again = self.namespaces.list_keys(GROUP, NS, "RootManageSharedAccessKey")
        self.assertEqual(again.primary_key, keys.primary_key)
        self.stage.relay.stop()
        self.stage.write("store.key", Fernet.generate_key().decode())
        status, said = output_of(self.stage.relay.argv, 30, folder=folder)
        self.assertEqual(status, 1)
        self.assertIn("encrypted with another key", said)
        self.assertNotIn("Traceback", said)
