"""
Every operation of sections 7 and 8 by Azure's published clients, unchanged, over TLS
with a private authority; and no operation that these clients have is left out.
"""

from __future__ import annotations

from typing import Any

from tests.integration.case import IntegrationTestCase
from tests.integration.management_clients import (
    Client,
    NodeClient,
    PythonClient,
    Refused,
)
from tests.integration.management_stage import (
    ENDPOINT,
    GROUP,
    ManagementStage,
)

NS, HC, RULE, PLAN, APP, SLOT = (
    "contoso-relay",
    "plant/db",
    "mine",
    "plan1",
    "app1",
    "s1",
)
LISTEN = {"properties": {"rights": ["Listen"]}}
BOTH = {"properties": {"rights": ["Listen", "Send"]}}
FRESH = {"keyType": "PrimaryKey"}


class ClientCase(IntegrationTestCase):
    """What each client is taken through."""

    client: Client

    def start(self) -> ManagementStage:
        stage = ManagementStage()
        self.use(stage)
        stage.start()
        return stage

    def refused(self, status: int, code: str, *call: Any) -> None:
        with self.assertRaises(Refused) as caught:
            self.client(*call)
        found = (caught.exception.status, caught.exception.code)
        self.assertEqual(found, (status, code), call)

    def names_of(self, *call: Any) -> list[str]:
        return [one["name"] for one in self.client(*call)]

    def walk(self) -> None:
        """All of it."""
        self.namespaces()
        self.connections()
        self.rules("namespaces", NS)
        self.rules("hybridConnections", NS, HC)
        self.plans_and_apps()
        self.attachments("")
        self.attachments("Slot")
        self.of_the_plan()
        self.classics()
        self.ends()
        self.assertEqual(self.client.not_called(), [])

    def namespaces(self) -> None:
        client, group = self.client, "namespaces"
        self.assertEqual(client("operations", "list"), [])
        asked = client(group, "checkNameAvailability", {"name": NS})
        self.assertTrue(asked["nameAvailable"])
        self.refused(404, "ResourceNotFound", group, "get", GROUP, NS)
        body = {"location": "West Europe", "tags": {"team": "edge"}}
        made = client(group, "createOrUpdate", GROUP, NS, body)
        self.assertEqual((made["name"], made["provisioningState"]), (NS, "Succeeded"))
        self.assertEqual(client(group, "get", GROUP, NS)["tags"], {"team": "edge"})
        asked = client(group, "checkNameAvailability", {"name": NS})
        self.assertEqual(asked["reason"], "NameInUse")
        changed = client(group, "update", GROUP, NS, {"tags": {"team": "core"}})
        self.assertEqual(changed["tags"], {"team": "core"})
        self.assertEqual(self.names_of(group, "list"), [NS])
        self.assertEqual(self.names_of(group, "listByResourceGroup", GROUP), [NS])
        moved = {"location": "Mars"}
        call = (group, "createOrUpdate", GROUP, NS, moved)
        self.refused(409, "InvalidResourceLocation", *call)

    def connections(self) -> None:
        client, group = self.client, "hybridConnections"
        body = {"properties": {"userMetadata": ENDPOINT}}
        self.refused(
            *(404, "ParentResourceNotFound", group, "createOrUpdate"),
            *(GROUP, "nobody-here", HC, body),
        )
        made = client(group, "createOrUpdate", GROUP, NS, HC, body)
        self.assertEqual((made["name"], made["userMetadata"]), (HC, ENDPOINT))
        self.assertEqual(made["listenerCount"], 0)
        self.assertEqual(client(group, "get", GROUP, NS, HC)["name"], HC)
        for number in range(105):
            name = f"extra{number:03}"
            client(group, "createOrUpdate", GROUP, NS, name, {"properties": {}})
        names = self.names_of(group, "listByNamespace", GROUP, NS)
        self.assertEqual(names, [f"extra{n:03}" for n in range(105)] + [HC])

    def rules(self, group: str, *path: str) -> None:
        client, place = self.client, (GROUP, *path)
        put: Any = (group, "createOrUpdateAuthorizationRule", *place, RULE)
        self.assertEqual(client(*put, LISTEN)["rights"], ["Listen"])
        keys = client(group, "listKeys", *place, RULE)
        self.assertEqual(keys["keyName"], RULE)
        self.assertEqual(client(*put, BOTH)["rights"], ["Listen", "Send"])
        self.assertEqual(client(group, "listKeys", *place, RULE), keys)
        shown = client(group, "getAuthorizationRule", *place, RULE)
        self.assertEqual(shown["rights"], ["Listen", "Send"])
        self.assertIn(RULE, self.names_of(group, "listAuthorizationRules", *place))
        fresh = client(group, "regenerateKeys", *place, RULE, FRESH)
        self.assertNotEqual(fresh["primaryKey"], keys["primaryKey"])
        self.assertEqual(fresh["secondaryKey"], keys["secondaryKey"])
        self.refused(400, "BadRequest", *put, {"properties": {"rights": ["Manage"]}})
        for _ in range(2):
            client(group, "deleteAuthorizationRule", *place, RULE)
        gone = (group, "getAuthorizationRule", *place, RULE)
        self.refused(404, "ResourceNotFound", *gone)

    def plans_and_apps(self) -> None:
        client, group = self.client, "appServicePlans"
        body: Any = {"location": "westeurope", "sku": {"name": "B1"}}
        plan = client(group, "createOrUpdate", GROUP, PLAN, body)
        self.assertEqual(plan["sku"]["tier"], "Basic")
        self.assertEqual(client(group, "get", GROUP, PLAN)["id"], plan["id"])
        self.assertEqual(self.names_of(group, "list"), [PLAN])
        self.assertEqual(self.names_of(group, "listByResourceGroup", GROUP), [PLAN])
        group = "webApps"
        body = {"location": "westeurope", "properties": {"serverFarmId": plan["id"]}}
        app = client(group, "createOrUpdate", GROUP, APP, body)
        self.assertEqual(app["serverFarmId"], plan["id"])
        self.assertEqual(client(group, "get", GROUP, APP)["state"], "Running")
        self.assertEqual(self.names_of(group, "list"), [APP])
        self.assertEqual(self.names_of(group, "listByResourceGroup", GROUP), [APP])

    def attachments(self, slot: str) -> None:
        client, group = self.client, "webApps"
        place = (GROUP, APP, NS, HC, SLOT) if slot else (GROUP, APP, NS, HC)
        # In the slots' methods the slot stands last in Python and in Node alike.
        body = {"properties": {"hostname": "db.corp", "port": 1433}}
        made = self.attach(f"createOrUpdateHybridConnection{slot}", place, body)
        self.assertEqual((made["hostname"], made["port"]), ("db.corp", 1433))
        self.assertFalse(made.get("sendKeyValue"))
        changed = self.attach(
            f"updateHybridConnection{slot}", place, {"properties": {"port": 1434}}
        )
        self.assertEqual((changed["hostname"], changed["port"]), ("db.corp", 1434))
        shown = client(group, f"getHybridConnection{slot}", *place)
        self.assertEqual(shown["sendKeyName"], "defaultSender")
        whole = (GROUP, APP, SLOT) if slot else (GROUP, APP)
        listed = client(group, f"listHybridConnections{slot}", *whole)
        # The published type is one hybrid connection: Node drops what is not in it.
        if isinstance(self.client, PythonClient):
            self.assertEqual([one["name"] for one in listed["value"]], [HC])
        client(group, f"deleteHybridConnection{slot}", *place)
        call = (group, f"deleteHybridConnection{slot}", *place)
        self.refused(404, "ResourceNotFound", *call)
        if not slot:
            body = {"properties": {"port": 1434}}
            self.attach("createOrUpdateHybridConnection", place, body)

    def attach(self, method: str, place: tuple[str, ...], body: Any) -> Any:
        return self.client("webApps", method, *place, body)

    def of_the_plan(self) -> None:
        client, group, place = self.client, "appServicePlans", (GROUP, PLAN, NS, HC)
        limit = client(group, "getHybridConnectionPlanLimit", GROUP, PLAN)
        self.assertEqual((limit["current"], limit["maximum"]), (1, 5))
        (one,) = client(group, "listHybridConnections", GROUP, PLAN)
        self.assertEqual(one["relayName"], HC)
        self.assertEqual(client(group, "getHybridConnection", *place)["port"], 1434)
        key = client(group, "listHybridConnectionKeys", *place)
        rule = client("hybridConnections", "listKeys", GROUP, NS, HC, "defaultSender")
        self.assertEqual(key["sendKeyValue"], rule["primaryKey"])
        (user,) = client(group, "listWebAppsByHybridConnection", *place)
        self.assertIn(APP, str(user))
        for _ in range(2):
            client(group, "deleteHybridConnection", *place)
        call = (group, "getHybridConnection", *place)
        self.refused(404, "ResourceNotFound", *call)

    def classics(self) -> None:
        group = "webApps"
        for slot, place in (("", (GROUP, APP)), ("Slot", (GROUP, APP, SLOT))):
            self.client(group, f"listRelayServiceConnections{slot}", *place)
            one = (GROUP, APP, "old", *((SLOT,) if slot else ()))
            name = f"RelayServiceConnection{slot}"
            self.refused(404, "ResourceNotFound", group, f"get{name}", *one)
            self.refused(410, "Gone", group, f"delete{name}", *one)
            for verb in ("createOrUpdate", "update"):
                call = (group, f"{verb}{name}", *one, {"properties": {}})
                self.refused(410, "Gone", *call)

    def ends(self) -> None:
        client = self.client
        call = ("appServicePlans", "delete", GROUP, PLAN)
        self.refused(409, "Conflict", *call)
        for group, name in (("webApps", APP), ("appServicePlans", PLAN)):
            for _ in range(2):
                client(group, "delete", GROUP, name)
        for _ in range(2):
            client("hybridConnections", "delete", GROUP, NS, HC)
            client("namespaces", "delete", GROUP, NS)
        self.assertEqual(client("namespaces", "list"), [])


class PythonTests(ClientCase):
    """azure-mgmt-relay and azure-mgmt-web."""

    def test_all(self) -> None:
        """One after the other."""
        self.client = PythonClient(self.start())
        self.client("namespaces", "createOrUpdate", GROUP, NS, {"location": "x"})
        place = ("namespaces", "createOrUpdateNetworkRuleSet", GROUP, NS)
        rules = self.client("namespaces", "getNetworkRuleSet", GROUP, NS)
        self.assertEqual(rules["defaultAction"], "Allow")
        self.client(*place, {"properties": {"defaultAction": "Allow", "ipRules": []}})
        allow = [{"ipMask": "10.0.0.0/8", "action": "Allow"}]
        deny = {"properties": {"defaultAction": "Deny", "ipRules": allow}}
        self.client(*place, deny)
        rules = self.client("namespaces", "getNetworkRuleSet", GROUP, NS)
        self.assertEqual((rules["defaultAction"], rules["ipRules"]), ("Deny", allow))
        trusted = {"properties": {"trustedServiceAccessEnabled": True}}
        self.refused(400, "NotSupported", *place, trusted)
        self.others()
        self.client("namespaces", "delete", GROUP, NS)
        self.walk()

    def others(self) -> None:
        """What Azure Relay has beside hybrid connections."""
        for group, method in (
            ("wCFRelays", "listByNamespace"),
            ("privateEndpointConnections", "list"),
        ):
            self.assertEqual(self.client(group, method, GROUP, NS), [])
            self.refused(404, "ResourceNotFound", group, "get", GROUP, NS, "one")
            self.client(group, "delete", GROUP, NS, "one")
            put: Any = (group, "createOrUpdate", GROUP, NS, "one", {"properties": {}})
            self.refused(400, "NotSupported", *put)
        links = self.client("privateLinkResources", "list", GROUP, NS)
        self.assertFalse(links if isinstance(links, list) else links["value"])
        one = ("privateLinkResources", "get", GROUP, NS, "one")
        self.refused(404, "ResourceNotFound", *one)


class NodeTests(ClientCase):
    """@azure/arm-relay and @azure/arm-appservice."""

    def test_all(self) -> None:
        """One after the other."""
        client = NodeClient(self.start())
        self.addCleanup(client.close)
        self.client = client
        self.walk()
