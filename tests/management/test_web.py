"""Microsoft.Web: plans, apps and what they use (management-api section 8)."""

from __future__ import annotations

from typing import Any

from hybridconn.core.plan_limits import PlanLimits
from tests.management.case import ENDPOINT, NS, SUB, ApiCase
from tests.relay.scene import watch_log

WEB = f"/subscriptions/{SUB}/resourceGroups/rg2/providers/Microsoft.Web"
PLAN = f"{WEB}/serverfarms/plan1"
RELAY = "hybridConnectionNamespaces/contoso-relay/relays"


class WebCase(ApiCase):
    """A namespace, a plan of the tier Basic and an app."""

    def setUp(self) -> None:
        super().setUp()
        self.namespace()
        self.connection("db")
        self.good("PUT", PLAN, {"location": "x", "sku": {"name": "B1"}})
        self.app("app1")

    def connection(self, name: str, **properties: Any) -> None:
        body = {"properties": {"userMetadata": ENDPOINT} | properties}
        self.good("PUT", f"{NS}/hybridConnections/{name}", body)

    def app(self, name: str) -> str:
        place = f"{WEB}/sites/{name}"
        body = {"location": "x", "properties": {"serverFarmId": PLAN}}
        self.good("PUT", place, body)
        return place

    def attach(self, name: str = "db", site: str = "app1", **properties: Any) -> Any:
        return self.good(
            "PUT", f"{WEB}/sites/{site}/{RELAY}/{name}", {"properties": properties}
        )

    @property
    def limit(self) -> tuple[int, int]:
        shown = self.good("GET", f"{PLAN}/hybridConnectionPlanLimits/limit")
        return shown["properties"]["current"], shown["properties"]["maximum"]


class PlanTests(WebCase):
    """Plans and apps."""

    def test_lowered(self) -> None:
        """A lowered limit: what is used stays, nothing new is taken; and up again."""
        for name in ("db", "b", "c"):
            self.connection(name)
        self.attach("db")
        self.attach("b")
        self.quotas.plans = PlanLimits(basic=1)
        self.assertEqual(self.limit, (2, 1))
        self.attach("b", hostname="other.corp")
        new = f"{WEB}/sites/app1/{RELAY}/c"
        self.refused(403, "QuotaExceeded", "PUT", new, {})
        self.quotas.plans = PlanLimits(basic=3)
        self.attach("c")
        self.assertEqual(self.limit, (3, 3))

    def test_shapes(self) -> None:
        """As section 8.1 says."""
        plan = self.good("GET", PLAN.upper())
        self.assertEqual(plan["sku"], {"name": "B1", "tier": "Basic", "capacity": 1})
        self.assertEqual(plan["properties"]["numberOfSites"], 1)
        self.assertEqual(plan["properties"]["provisioningState"], "Succeeded")
        app = self.good("GET", f"{WEB}/sites/APP1")
        self.assertEqual(app["properties"]["serverFarmId"], PLAN)
        self.assertEqual(app["properties"]["state"], "Running")
        for path in (WEB, f"/subscriptions/{SUB}/providers/Microsoft.Web"):
            plans = self.good("GET", path + "/serverfarms")["value"]
            self.assertEqual([one["name"] for one in plans], ["plan1"])
            apps = self.good("GET", path + "/sites")["value"]
            self.assertEqual([one["name"] for one in apps], ["app1"])

    def test_tiers(self) -> None:
        """Each has its limit, by its name or by the SKU's first letter."""
        for sku, limit in (
            ({"name": "F1"}, 0),
            ({"name": "D1"}, 0),
            ({"name": "Y1"}, 0),
            ({"name": "B3"}, 5),
            ({"name": "S1"}, 25),
            ({"name": "P1v3"}, 200),
            ({"name": "I1v2", "tier": "IsolatedV2"}, 200),
            ({"name": "x", "tier": "PremiumV2"}, 200),
            ({"name": "Y1", "tier": "Consumption"}, 0),
        ):
            place = f"{WEB}/serverfarms/other"
            self.good("PUT", place, {"location": "x", "sku": sku})
            shown = self.good("GET", place + "/hybridConnectionPlanLimits/limit")
            self.assertEqual(shown["properties"], {"current": 0, "maximum": limit})

    def test_configured_limits(self) -> None:
        """An operator may have other limits."""
        self.quotas.plans = PlanLimits(basic=1, free=7)
        self.assertEqual(self.limit, (0, 1))
        self.attach()
        self.connection("second")
        second = f"{WEB}/sites/app1/{RELAY}/second"
        self.refused(403, "QuotaExceeded", "PUT", second, {})
        self.good("PUT", PLAN, {"location": "x", "sku": {"name": "F1"}})
        self.assertEqual(self.limit, (1, 7))

    def test_mistakes(self) -> None:
        """Each with its status and code."""
        site = f"{WEB}/sites/app2"
        gone = {"location": "x", "properties": {"serverFarmId": PLAN + "x"}}
        for status, code, method, path, body in (
            (400, "LocationRequired", "PUT", PLAN, {}),
            (400, "BadRequest", "PUT", PLAN, {"location": "x", "sku": {"name": "Q"}}),
            (400, "BadRequest", "PUT", PLAN, {"location": "x", "sku": {"tier": "Q"}}),
            (400, "InvalidResourceName", "PUT", PLAN + "_", {"location": "x"}),
            (400, "InvalidResourceName", "PUT", f"{WEB}/sites/-a", {"location": "x"}),
            (400, "BadRequest", "PUT", site, {"location": "x"}),
            (404, "ResourceNotFound", "PUT", site, gone),
            (409, "Conflict", "PUT", f"{WEB}/sites/app1".replace("rg2", "rg3"), gone),
            (409, "Conflict", "DELETE", PLAN, None),
            (404, "ResourceNotFound", "GET", site, None),
        ):
            self.refused(status, code, method, path, body)
        self.assertEqual(self.call("DELETE", site)[0], 204)
        self.assertEqual(self.call("DELETE", f"{WEB}/sites/app1")[0], 200)
        self.assertEqual(self.call("DELETE", PLAN)[0], 200)
        self.assertEqual(self.call("DELETE", PLAN)[0], 204)


class AttachmentTests(WebCase):
    """What apps use."""

    def test_article(self) -> None:
        """The body of the article, its odd spellings included; no key comes back."""
        made = self.good(
            "PUT",
            f"{WEB}/sites/app1/{RELAY}/db",
            {
                "name": "db",
                "type": "x",
                "location": "y",
                "properties": {
                    "serviceBusNamespace": "contoso-relay",
                    "relayName": "db",
                    "relayArmUri": f"{NS}/hybridConnections/db",
                    "hostName": "other.corp",
                    "port": "1434",
                    "sendKeyName": "defaultSender",
                    "sendKeyValue": "mine",
                    "serviceBusSuffix": ".servicebus.windows.net",
                },
            },
        )
        self.assertEqual(
            made,
            {
                "id": f"{WEB}/sites/app1/{RELAY}/db",
                "name": "db",
                "type": "Microsoft.Web/sites/hybridConnectionNamespaces/relays",
                "location": "x",
                "properties": {
                    "serviceBusNamespace": "contoso-relay",
                    "relayName": "db",
                    "relayArmUri": f"{NS}/hybridConnections/db",
                    "hostname": "other.corp",
                    "port": 1434,
                    "sendKeyName": "defaultSender",
                    "serviceBusSuffix": ".relay.test",
                },
            },
        )
        self.assertEqual(self.good("GET", f"{WEB}/sites/app1/{RELAY}/DB"), made)
        listed = self.good("GET", f"{WEB}/sites/app1/hybridConnectionRelays")
        self.assertEqual(listed, {"value": [made]})
        keys = self.good("POST", f"{PLAN}/{RELAY}/db/listKeys")
        self.assertEqual(
            keys["properties"], {"sendKeyName": "defaultSender", "sendKeyValue": "mine"}
        )

    def test_defaults(self) -> None:
        """Place and key come from the hybrid connection."""
        made = self.attach()
        self.assertEqual(made["properties"]["hostname"], "db.corp")
        self.assertEqual(made["properties"]["port"], 1433)
        rule = f"{NS}/hybridConnections/db/authorizationRules/defaultSender/listKeys"
        sender = self.good("POST", rule)["primaryKey"]
        keys = self.good("POST", f"{PLAN}/{RELAY}/db/listKeys")
        self.assertEqual(keys["properties"]["sendKeyValue"], sender)

    def test_change_and_detach(self) -> None:
        """PATCH merges, DELETE is 200 once and then 404."""
        place = f"{WEB}/sites/app1/{RELAY}/db"
        self.refused(404, "ResourceNotFound", "PATCH", place, {})
        self.attach()
        self.now += 5
        changed = self.good(
            "PATCH", place, {"properties": {"port": 99, "sendKeyValue": "new"}}
        )
        self.assertEqual(changed["properties"]["port"], 99)
        self.assertEqual(changed["properties"]["hostname"], "db.corp")
        keys = self.good("POST", f"{PLAN}/{RELAY}/db/listKeys")
        self.assertEqual(keys["properties"]["sendKeyValue"], "new")
        self.assertEqual(self.call("DELETE", place), (200, None))
        self.refused(404, "ResourceNotFound", "DELETE", place)

    def test_slots(self) -> None:
        """A slot has a set of its own."""
        self.attach()
        slot = f"{WEB}/sites/app1/slots/staging"
        self.assertEqual(
            self.good("GET", slot + "/hybridConnectionRelays")["value"], []
        )
        made = self.good("PUT", f"{slot}/{RELAY}/db", {})
        self.assertEqual(made["id"], f"{slot}/{RELAY}/db")
        self.assertEqual(self.limit, (1, 5))

    def test_counted_once(self) -> None:
        """One that five apps use counts once; the sixth distinct one is refused."""
        for number in range(5):
            self.app(f"app{number}")
            self.attach("db", f"app{number}")
        self.assertEqual(self.limit, (1, 5))
        for number in range(4):
            self.connection(f"more{number}")
            self.attach(f"more{number}")
        self.assertEqual(self.limit, (5, 5))
        self.connection("sixth")
        message = self.refused(
            403, "QuotaExceeded", "PUT", f"{WEB}/sites/app2/{RELAY}/sixth", {}
        )
        for word in ("plan1", "5", "6"):
            self.assertIn(word, message)
        self.attach("more1", "app2")
        self.call("DELETE", f"{PLAN}/{RELAY}/more0")
        self.assertEqual(self.limit, (4, 5))
        self.attach("sixth", "app2")

    def test_refused(self) -> None:
        """The checks of section 8.2, in their order."""
        place = f"{WEB}/sites/app1/{RELAY}"
        self.connection("open", requiresClientAuthorization=False)
        self.connection("plain", userMetadata="x")
        other = {"properties": {"relayName": "x"}}
        uri = {"properties": {"relayArmUri": f"{NS}/hybridConnections/x"}}
        port = {"properties": {"port": 70000}}
        for status, code, path, body in (
            (404, "ParentResourceNotFound", place.replace("app1", "app9") + "/db", {}),
            (404, "ResourceNotFound", place + "/none", {}),
            (404, "ResourceNotFound", place.replace("contoso", "nobody") + "/db", {}),
            (400, "BadRequest", place + "/db", other),
            (400, "BadRequest", place + "/db", uri),
            (400, "BadRequest", place + "/open", {}),
            (400, "BadRequest", place + "/plain", {}),
            (400, "BadRequest", place + "/db", port),
        ):
            self.refused(status, code, "PUT", path, body)
        self.good("PUT", PLAN, {"location": "x", "sku": {"name": "F1"}})
        self.refused(403, "QuotaExceeded", "PUT", place + "/db", {})

    def test_by_plan(self) -> None:
        """Each distinct one once, and the apps that use it as objects."""
        self.app("app2")
        for site in ("app1", "app2"):
            self.attach("db", site)
        (one,) = self.good("GET", f"{PLAN}/hybridConnectionRelays")["value"]
        self.assertEqual(one["id"], f"{PLAN}/{RELAY}/db")
        self.assertEqual(self.good("GET", f"{PLAN}/{RELAY}/db"), one)
        users = self.good("GET", f"{PLAN}/{RELAY}/db/sites")["value"]
        self.assertEqual(
            users,
            [{"id": f"{WEB}/sites/{n}", "name": n} for n in ("app1", "app2")],
        )
        self.assertEqual(self.call("DELETE", f"{PLAN}/{RELAY}/db")[0], 200)
        self.assertEqual(self.call("DELETE", f"{PLAN}/{RELAY}/db")[0], 204)
        self.refused(404, "ResourceNotFound", "GET", f"{PLAN}/{RELAY}/db")
        self.refused(404, "ResourceNotFound", "POST", f"{PLAN}/{RELAY}/db/listKeys")
        self.good("GET", f"{NS}/hybridConnections/db")

    def test_order(self) -> None:
        """Lists over several places are by name, and their pages too."""
        self.good("PUT", PLAN, {"location": "x", "sku": {"name": "P1"}})
        for number in range(150):
            self.connection(f"c{number:03}")
            self.attach(f"c{number:03}")
        path = f"{PLAN}/hybridConnectionRelays"
        page = self.good("GET", path)
        _, _, query = page["nextLink"].partition("?")
        rest = self.good("GET", path, query=f"?{query}")
        names = [one["name"] for one in (*page["value"], *rest["value"])]
        self.assertEqual(names, [f"c{number:03}" for number in range(150)])
        for group, name in (("aa", "zz"), ("bb", "yy")):
            place = PLAN.replace("rg2", group).replace("plan1", name)
            self.good("PUT", place, {"location": "x"})
        plans = self.good(
            "GET", f"/subscriptions/{SUB}/providers/Microsoft.Web/serverfarms"
        )
        self.assertEqual([one["name"] for one in plans["value"]], ["plan1", "yy", "zz"])

    def test_twins(self) -> None:
        """Two that an app cannot tell apart are taken, and said in the log."""
        lines = watch_log(self)
        self.connection("twin")
        self.attach("db")
        self.attach("db")
        self.attach("twin", port=99)
        self.assertFalse([line for line in lines if "same host and port" in line])
        self.attach("twin")
        (line,) = [line for line in lines if "same host and port" in line]
        self.assertIn("app1 uses db and twin", line)

    def test_deleted_relay(self) -> None:
        """The entry stays and counts until it is removed."""
        self.attach()
        self.call("DELETE", f"{NS}/hybridConnections/db")
        self.good("GET", f"{WEB}/sites/app1/{RELAY}/db")
        self.assertEqual(self.limit, (1, 5))

    def test_reader(self) -> None:
        """No key for a reader."""
        self.attach()
        path = f"{PLAN}/{RELAY}/db/listKeys"
        self.assertEqual(self.call("POST", path, role="reader")[0], 403)
        self.good("GET", f"{PLAN}/{RELAY}/db", role="reader")

    def test_classics(self) -> None:
        """BizTalk's are gone."""
        place = f"{WEB}/sites/app1/hybridconnection"
        self.assertEqual(self.good("GET", place), {"value": []})
        self.refused(404, "ResourceNotFound", "GET", place + "/a")
        self.refused(410, "Gone", "PUT", place + "/a", {})
        missing = place.replace("app1", "app9")
        self.refused(404, "ParentResourceNotFound", "GET", missing)


class AccountTests(WebCase):
    """Section 9: looking around."""

    def test_lists(self) -> None:
        """Subscriptions, tenants, groups, providers."""
        (one,) = self.good("GET", "/subscriptions")["value"]
        self.assertEqual((one["subscriptionId"], one["state"]), (SUB, "Enabled"))
        self.assertEqual(self.good("GET", f"/subscriptions/{SUB.upper()}"), one)
        self.assertEqual(len(self.good("GET", "/tenants")["value"]), 1)
        groups = self.good("GET", f"/subscriptions/{SUB}/resourceGroups")["value"]
        self.assertEqual([group["name"] for group in groups], ["rg1", "rg2"])
        place = f"/subscriptions/{SUB}/resourcegroups/new"
        for method in ("GET", "PUT"):
            group = self.good(method, place, {"location": "x"})
            self.assertEqual(group["properties"], {"provisioningState": "Succeeded"})
        self.refused(400, "InvalidResourceName", "PUT", place + ".", {})
        for name in ("Microsoft.Relay", "Microsoft.Web"):
            shown = {"namespace": name, "registrationState": "Registered"}
            provider = f"/subscriptions/{SUB}/providers/{name}"
            self.assertEqual(self.good("GET", provider), shown)
            self.assertEqual(self.good("POST", provider + "/register"), shown)
