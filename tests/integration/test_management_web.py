"""The management API of Microsoft.Web by its published client, azure-mgmt-web."""

from __future__ import annotations

from typing import Any

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

from tests.integration.management_stage import ENDPOINT, GROUP, NS
from tests.integration.test_management import ManagementCase

PLAN, APP = "plan1", "app1"


class WebTests(ManagementCase):
    """Plans, apps and their hybrid connections."""

    def setUp(self) -> None:
        super().setUp()
        self.web: Any = self.stage.web_client()
        self.apps, self.plans = self.web.web_apps, self.web.app_service_plans
        plan = self.plans.begin_create_or_update(
            GROUP, PLAN, {"location": "westeurope", "sku": {"name": "B1"}}
        ).result()
        self.assertEqual(plan.sku.tier, "Basic")
        self.put("db", userMetadata=ENDPOINT)
        app = self.make_app(APP, plan.id)
        self.assertEqual(app.name, APP)

    def make_app(self, name: str, plan: str) -> Any:
        body = {"location": "westeurope", "properties": {"serverFarmId": plan}}
        return self.apps.begin_create_or_update(GROUP, name, body).result()

    def test_apps(self) -> None:
        """Attach, change, list, detach."""
        body = {"properties": {"hostname": "db.corp", "port": 1433}}
        made = self.apps.create_or_update_hybrid_connection(GROUP, APP, NS, "db", body)
        self.assertEqual((made.hostname, made.port), ("db.corp", 1433))
        self.assertIsNone(made.send_key_value)
        found = self.apps.get_hybrid_connection(GROUP, APP, NS, "db")
        self.assertEqual(found.send_key_name, "defaultSender")
        body = {"properties": {"port": 1434}}
        changed = self.apps.update_hybrid_connection(GROUP, APP, NS, "db", body)
        self.assertEqual((changed.hostname, changed.port), ("db.corp", 1434))
        listed = self.apps.list_hybrid_connections(GROUP, APP)["value"]
        self.assertEqual([one["name"] for one in listed], ["db"])
        self.apps.delete_hybrid_connection(GROUP, APP, NS, "db")
        with self.assertRaises(ResourceNotFoundError):
            self.apps.delete_hybrid_connection(GROUP, APP, NS, "db")

    def test_plans(self) -> None:
        """Limits, keys and users."""
        plan = self.plans.get(GROUP, PLAN)
        for number in range(2, 6):
            self.make_app(f"app{number}", plan.id)
        for number in range(1, 6):
            self.apps.create_or_update_hybrid_connection(
                GROUP, f"app{number}", NS, "db", {"properties": {}}
            )
        limit = self.plans.get_hybrid_connection_plan_limit(GROUP, PLAN)
        self.assertEqual((limit.current, limit.maximum), (1, 5))
        (one,) = self.plans.list_hybrid_connections(GROUP, PLAN)
        self.assertEqual(one.relay_name, "db")
        found = self.plans.get_hybrid_connection(GROUP, PLAN, NS, "db")
        self.assertEqual(found.hostname, "db.corp.example")
        users = list(
            self.plans.list_web_apps_by_hybrid_connection(GROUP, PLAN, NS, "db")
        )
        self.assertEqual(len(users), 5)
        self.assertIn("app1", str(users[0]))
        key = self.plans.list_hybrid_connection_keys(GROUP, PLAN, NS, "db")
        rule = self.connections.list_keys(GROUP, NS, "db", "defaultSender")
        self.assertEqual(key.send_key_value, rule.primary_key)
        self.plans.delete_hybrid_connection(GROUP, PLAN, NS, "db")
        self.plans.delete_hybrid_connection(GROUP, PLAN, NS, "db")
        limit = self.plans.get_hybrid_connection_plan_limit(GROUP, PLAN)
        self.assertEqual(limit.current, 0)
        with self.assertRaises(HttpResponseError) as used:
            self.plans.delete(GROUP, PLAN)
        self.assertEqual(used.exception.status_code, 409)
        for number in range(1, 6):
            self.apps.delete(GROUP, f"app{number}")
        self.plans.delete(GROUP, PLAN)
        self.assertEqual(list(self.plans.list()), [])
        self.assertEqual(list(self.apps.list_by_resource_group(GROUP)), [])
