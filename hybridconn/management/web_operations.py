"""Plans and apps: what each operation does (management-api section 8)."""

from __future__ import annotations

from typing import Any

from hybridconn.core.management_names import (
    parse_group_name,
    parse_plan_name,
    parse_site_name,
)
from hybridconn.core.names import fold
from hybridconn.core.plan_limits import tier_of
from hybridconn.core.resources import PlanResource, SiteResource
from hybridconn.management.attaching import plan_key
from hybridconn.management.bodies import Body
from hybridconn.management.checks import checked, location_of, stays_in_place
from hybridconn.management.errors import bad_request, conflict, not_found
from hybridconn.management.ids import plan_id, site_id
from hybridconn.management.registry import Draft
from hybridconn.management.server import Server
from hybridconn.management.usage import attachments_of, check_limit, pair, sites_of

Json = dict[str, Any]


class WebOperations:
    """
    @param server: what they run on.
    @param draft: what they see and change.
    """

    def __init__(self, server: Server, draft: Draft) -> None:
        self._server = server
        self._draft = draft

    # --- plans ---

    def plan(self, subscription: str, group: str, name: str) -> PlanResource:
        """
        @raise ApiError: 404.
        """
        key = (fold(subscription), fold(group), fold(name))
        found = self._draft.get(PlanResource, key)
        if found is None:
            raise not_found(f"The plan '{name}'")
        return found

    def put_plan(
        self, subscription: str, group: str, name: str, body: Body
    ) -> PlanResource:
        """Make or update a plan."""
        checked("plan", parse_plan_name, name)
        checked("resource group", parse_group_name, group)
        location = location_of(body)
        sku = body.object("sku")
        key = (fold(subscription), fold(group), fold(name))
        before = self._draft.get(PlanResource, key)
        size = sku.text("name", before.sku if before else "B1") or "B1"
        tier = sku.text("tier") or tier_of(size)
        if self._server.quotas.plans.of(tier) is None:
            raise bad_request(
                f"'sku' is wrong: there is no tier '{tier[:20]}'."
                if tier
                else f"'sku' is wrong: there is no tier for '{size[:20]}'."
            )
        if before is not None:
            stays_in_place(f"The plan '{name}'", before.location, location)
        made = PlanResource(
            subscription=before.subscription if before else subscription,
            group=before.group if before else group,
            name=before.name if before else name,
            location=location,
            tier=tier,
            sku=size,
            capacity=sku.number("capacity", 0, 1000) or 1,
            tags=body.tags({}),
        )
        self._draft.put(made)
        return made

    def delete_plan(self, plan: PlanResource) -> None:
        """
        Remove it.

        @raise ApiError: 409, it has apps.
        """
        if any(True for _ in sites_of(self._draft, plan)):
            raise conflict(f"The plan '{plan.name}' has apps; remove them first.")
        self._draft.delete([plan])

    def show_plan(self, plan: PlanResource) -> Json:
        """A plan as it is answered."""
        return {
            "id": plan_id(plan),
            "name": plan.name,
            "type": "Microsoft.Web/serverfarms",
            "kind": "app",
            "location": plan.location,
            "tags": dict(plan.tags),
            "sku": {"name": plan.sku, "tier": plan.tier, "capacity": plan.capacity},
            "properties": {
                "provisioningState": "Succeeded",
                "status": "Ready",
                "numberOfSites": sum(1 for _ in sites_of(self._draft, plan)),
            },
        }

    # --- apps ---

    def site(self, subscription: str, group: str, name: str) -> SiteResource:
        """
        @raise ApiError: 404.
        """
        found = self._draft.get(SiteResource, (fold(name),))
        if (
            found is None
            or fold(found.subscription) != fold(subscription)
            or fold(found.group) != fold(group)
        ):
            raise not_found(f"The app '{name}'")
        return found

    def put_site(
        self, subscription: str, group: str, name: str, body: Body
    ) -> SiteResource:
        """Make or update an app."""
        checked("app", parse_site_name, name)
        checked("resource group", parse_group_name, group)
        location = location_of(body)
        before = self._draft.get(SiteResource, (fold(name),))
        if before is not None:
            self._same_place(before, subscription, group)
            stays_in_place(f"The app '{name}'", before.location, location)
        wanted = body.object("properties").text("serverFarmId")
        if wanted:
            plan = self._draft.get(PlanResource, plan_key(wanted))
        elif before is not None:
            plan = self._draft.get(PlanResource, before.plan)
        else:
            raise bad_request("'properties.serverFarmId' is missing.")
        if plan is None:
            raise not_found("The plan of the app")
        made = SiteResource(
            subscription=subscription if before is None else before.subscription,
            group=group if before is None else before.group,
            name=name if before is None else before.name,
            location=location,
            plan=plan.key,
            tags=body.tags({}),
        )
        brought = {pair(one) for one in attachments_of(self._draft, [made])}
        check_limit(self._draft, self._server.quotas.plans, plan, brought)
        self._draft.put(made)
        return made

    def delete_site(self, site: SiteResource) -> None:
        """Remove it with its attachments."""
        self._draft.delete(attachments_of(self._draft, [site]))
        self._draft.delete([site])

    def show_site(self, site: SiteResource) -> Json:
        """An app as it is answered."""
        plan = self._draft.get(PlanResource, site.plan)
        return {
            "id": site_id(site),
            "name": site.name,
            "type": "Microsoft.Web/sites",
            "kind": "app",
            "location": site.location,
            "tags": dict(site.tags),
            "properties": {
                "serverFarmId": "" if plan is None else plan_id(plan),
                "state": "Running",
                "enabled": True,
                "defaultHostName": f"{site.name}{self._server.suffix}",
            },
        }

    def _same_place(self, site: SiteResource, subscription: str, group: str) -> None:
        here = (fold(site.subscription), fold(site.group))
        if here != (fold(subscription), fold(group)):
            raise conflict(f"The app '{site.name}' exists in another group.")
