"""
Plans, apps and the hybrid connections that apps use: what each operation does
(management-api section 8).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, Final

from attrs import evolve
from twisted.logger import Logger

from hybridconn.core.entities import Secret
from hybridconn.core.management_names import (
    parse_group_name,
    parse_plan_name,
    parse_site_name,
    parse_slot_name,
)
from hybridconn.core.names import fold
from hybridconn.core.plan_limits import tier_of
from hybridconn.core.resources import (
    SENDER_RULE,
    AttachmentResource,
    ConnectionResource,
    Key,
    NamespaceResource,
    PlanResource,
    RuleResource,
    SiteResource,
)
from hybridconn.management.attaching import (
    endpoint_in,
    host_name_of,
    place_of,
    plan_key,
    same_names,
)
from hybridconn.management.bodies import Body
from hybridconn.management.checks import checked, location_of, stays_in_place
from hybridconn.management.errors import (
    bad_request,
    conflict,
    not_found,
    quota,
)
from hybridconn.management.ids import connection_id, plan_id, site_id
from hybridconn.management.registry import Draft
from hybridconn.management.relay_operations import RelayOperations
from hybridconn.management.server import Server

Json = dict[str, Any]

_FARMS: Final = "serverfarms"


class WebOperations:
    """
    @param server: what they run on.
    @param draft: what they see and change.
    """

    log = Logger()

    def __init__(self, server: Server, draft: Draft) -> None:
        self._server = server
        self._draft = draft
        self._relay = RelayOperations(server, draft)

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
        if any(True for _ in self.sites_of(plan)):
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
                "numberOfSites": sum(1 for _ in self.sites_of(plan)),
            },
        }

    def sites_of(self, plan: PlanResource) -> Iterator[SiteResource]:
        """The apps in a plan, by name."""
        found = self._draft.below(SiteResource, (fold(plan.subscription),))
        yield from sorted(
            (site for site in found if site.plan == plan.key), key=lambda s: s.key
        )

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
        brought = {_pair(one) for one in self._attachments([made])}
        self._check_limit(plan, brought)
        self._draft.put(made)
        return made

    def delete_site(self, site: SiteResource) -> None:
        """Remove it with its attachments."""
        self._draft.delete(self._attachments([site]))
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

    # --- what apps use ---

    def attachments(self, site: SiteResource, slot: str) -> list[AttachmentResource]:
        """What an app, or a slot of it, uses."""
        return list(self._draft.below(AttachmentResource, (*site.key, fold(slot))))

    def attachment(
        self, site: SiteResource, slot: str, namespace: str, path: str
    ) -> AttachmentResource:
        """
        @raise ApiError: 404.
        """
        key = (*site.key, fold(slot), fold(namespace), fold(path))
        found = self._draft.get(AttachmentResource, key)
        if found is None:
            raise not_found(f"The hybrid connection '{path}' of the app")
        return found

    def attach(
        self, site: SiteResource, slot: str, namespace: str, path: str, body: Body
    ) -> AttachmentResource:
        """Have an app use a hybrid connection; the checks are those of section 8.2."""
        if slot:
            checked("slot", parse_slot_name, slot)
        properties = body.object("properties")
        one, it = self._relay_of(namespace, path, properties)
        if not it.requires_client_authorization:
            raise bad_request(
                "The hybrid connection does not require client authorization."
            )
        host, port = endpoint_in(it)
        plan = self._draft.get(PlanResource, site.plan)
        if plan is None:
            raise not_found("The plan of the app")
        self._check_limit(plan, {(fold(one.name), fold(it.path))})
        name = properties.text("sendKeyName") or SENDER_RULE
        key = properties.text("sendKeyValue")
        if not key:
            self._relay.add_default_rules(it)
            rule = self._draft.get(RuleResource, (*it.key, fold(name)))
            if rule is None:
                raise bad_request(f"There is no authorization rule '{name[:50]}'.")
            key = rule.primary_key.reveal()
        else:
            self._relay.add_default_rules(it)
        known = (*site.key, fold(slot), fold(one.name), fold(it.path))
        before = self._draft.get(AttachmentResource, known)
        made = AttachmentResource(
            site=site.name,
            slot=before.slot if before else slot,
            namespace=one.name,
            path=it.path,
            relay_id=connection_id(one, it.path),
            hostname=host_name_of(properties) or host,
            port=properties.number("port", 1, 65535) or port,
            send_key_name=name,
            send_key=Secret(key),
            set_at=self._server.now(),
        )
        self._warn_of_twins(site, made)
        self._draft.put(made)
        return made

    def _warn_of_twins(self, site: SiteResource, made: AttachmentResource) -> None:
        place = (fold(made.hostname), made.port)
        for one in self.attachments(site, made.slot):
            if one.key != made.key and (fold(one.hostname), one.port) == place:
                self.log.warn(
                    "app {app} uses {first} and {second} for the same host and port; "
                    "the one that was attached first is used",
                    app=site.name,
                    first=one.path,
                    second=made.path,
                )

    def change(self, one: AttachmentResource, body: Body) -> AttachmentResource:
        """Change what is given."""
        properties = body.object("properties")
        same_names(one.namespace, one.path, properties)
        place_of(one.namespace, one.path, properties)
        key = properties.text("sendKeyValue")
        made = evolve(
            one,
            hostname=host_name_of(properties) or one.hostname,
            port=properties.number("port", 1, 65535) or one.port,
            send_key_name=properties.text("sendKeyName") or one.send_key_name,
            send_key=Secret(key) if key else one.send_key,
            set_at=self._server.now() if key else one.set_at,
        )
        self._draft.put(made)
        return made

    def detach(self, attachments: Iterable[AttachmentResource]) -> None:
        """Have apps use them no more; the hybrid connections stay."""
        self._draft.delete(attachments)

    def show_attachment(
        self, owner: PlanResource | SiteResource, one: AttachmentResource
    ) -> Json:
        """
        One as it is answered: without its key.

        @param owner: the app or plan that was asked.
        """
        path = one.path.replace("/", "%2F")
        if isinstance(owner, PlanResource):
            place, kind = plan_id(owner), _FARMS
        else:
            place, kind = site_id(owner, one.slot), "sites"
        return {
            "id": f"{place}/hybridConnectionNamespaces/{one.namespace}/relays/{path}",
            "name": one.path,
            "type": f"Microsoft.Web/{kind}/hybridConnectionNamespaces/relays",
            "location": owner.location,
            "properties": {
                "serviceBusNamespace": one.namespace,
                "relayName": one.path,
                "relayArmUri": one.relay_id,
                "hostname": one.hostname,
                "port": one.port,
                "sendKeyName": one.send_key_name,
                "serviceBusSuffix": self._server.suffix,
            },
        }

    # --- by plan ---

    def used_in(self, plan: PlanResource) -> dict[Key, list[AttachmentResource]]:
        """What the apps of a plan use, each namespace and path once."""
        found: dict[Key, list[AttachmentResource]] = {}
        for one in self._attachments(self.sites_of(plan)):
            found.setdefault(_pair(one), []).append(one)
        return found

    def used(
        self, plan: PlanResource, namespace: str, path: str
    ) -> list[AttachmentResource]:
        """
        Who uses one.

        @raise ApiError: 404, nobody does.
        """
        found = self.used_in(plan).get((fold(namespace), fold(path)))
        if not found:
            raise not_found(f"The hybrid connection '{path}' of the plan")
        return found

    def show_limits(self, plan: PlanResource) -> Json:
        """How many are used, and how many may be."""
        return {
            "id": f"{plan_id(plan)}/hybridConnectionPlanLimits/limit",
            "name": "limit",
            "type": "Microsoft.Web/serverfarms/hybridConnectionPlanLimits",
            "properties": {
                "current": len(self.used_in(plan)),
                "maximum": self._limit(plan),
            },
        }

    def show_key(self, plan: PlanResource, used: list[AttachmentResource]) -> Json:
        """The key that was set last."""
        latest = max(used, key=lambda one: one.set_at)
        shown = self.show_attachment(plan, latest)
        del shown["location"]
        shown["properties"] = {
            "sendKeyName": latest.send_key_name,
            "sendKeyValue": latest.send_key.reveal(),
        }
        return shown

    def key_etag(self, used: list[AttachmentResource]) -> str:
        """
        Another text whenever L{show_key} has another answer.  It says nothing of the
        key, so that whoever follows it need not ask for keys again and again.
        """
        latest = max(used, key=lambda one: one.set_at)
        return sha256(repr((latest.set_at, latest.send_key_name)).encode()).hexdigest()

    def _attachments(
        self, sites: Iterable[SiteResource]
    ) -> Iterator[AttachmentResource]:
        wanted = {site.key[0] for site in sites}
        for one in self._draft.every(AttachmentResource):
            if fold(one.site) in wanted:
                yield one

    def _limit(self, plan: PlanResource) -> int:
        return self._server.quotas.plans.of(plan.tier) or 0

    def _check_limit(self, plan: PlanResource, more: set[Key]) -> None:
        used = set(self.used_in(plan))
        limit = self._limit(plan)
        # What is counted already never fails, whatever became of the limit.
        if more - used and len(used | more) > limit:
            raise quota(
                f"The plan '{plan.name}' ({plan.tier}) may use {limit} hybrid "
                f"connections; this would be number {len(used | more)}."
            )

    def _relay_of(
        self, namespace: str, path: str, properties: Body
    ) -> tuple[NamespaceResource, ConnectionResource]:
        same_names(namespace, path, properties)
        one = self._draft.get(NamespaceResource, (fold(namespace),))
        place = place_of(namespace, path, properties)
        if one is None or (
            place is not None and place != (fold(one.subscription), fold(one.group))
        ):
            raise not_found(f"The namespace '{namespace}'")
        return one, self._relay.connection(one, path)


def _pair(one: AttachmentResource) -> Key:
    """What is counted once in a plan."""
    return fold(one.namespace), fold(one.path)
