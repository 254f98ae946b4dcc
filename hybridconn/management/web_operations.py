"""
Plans, apps and the hybrid connections that apps use: what each operation does
(management-api section 8).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from attrs import evolve

from hybridconn.core.entities import Secret
from hybridconn.core.management_names import (
    parse_group_name,
    parse_plan_name,
    parse_site_name,
)
from hybridconn.core.names import fold
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
from hybridconn.management.bodies import Body
from hybridconn.management.errors import (
    ApiError,
    bad_request,
    conflict,
    not_found,
    quota,
)
from hybridconn.management.registry import Draft
from hybridconn.management.relay_operations import (
    RelayOperations,
    endpoint_of,
    namespace_id,
)
from hybridconn.management.server import Server

Json = dict[str, Any]

#: Tiers by the first letters of a SKU's name (section 6).
_TIERS: Mapping[str, str] = {
    "F": "Free",
    "D": "Shared",
    "Y": "Dynamic",
    "B": "Basic",
    "S": "Standard",
    "P": "Premium",
    "I": "Isolated",
}


def web_id(subscription: str, group: str) -> str:
    """The front of the ids of plans and apps."""
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Web"
    )


def plan_id(plan: PlanResource) -> str:
    """The resource id of a plan."""
    return f"{web_id(plan.subscription, plan.group)}/serverfarms/{plan.name}"


def site_id(site: SiteResource, slot: str = "") -> str:
    """The resource id of an app or of a slot of it."""
    place = f"{web_id(site.subscription, site.group)}/sites/{site.name}"
    return f"{place}/slots/{slot}" if slot else place


class WebOperations:
    """
    @param server: what they run on.
    @param draft: what they see and change.
    """

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
        _checked("plan", parse_plan_name, name)
        _checked("resource group", parse_group_name, group)
        location = body.text("location")
        if not location:
            raise bad_request("The location is missing.", "LocationRequired")
        sku = body.object("sku")
        key = (fold(subscription), fold(group), fold(name))
        before = self._draft.get(PlanResource, key)
        size = sku.text("name", before.sku if before else "B1") or "B1"
        tier = sku.text("tier") or _TIERS.get(size[:1].upper(), "")
        if self._server.quotas.plans.of(tier) is None:
            raise bad_request(f"'sku' is wrong: there is no tier for '{size[:20]}'.")
        made = PlanResource(
            subscription=subscription,
            group=group,
            name=name,
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
        _checked("app", parse_site_name, name)
        _checked("resource group", parse_group_name, group)
        location = body.text("location")
        if not location:
            raise bad_request("The location is missing.", "LocationRequired")
        before = self._draft.get(SiteResource, (fold(name),))
        if before is not None:
            self._same_place(before, subscription, group)
        wanted = body.object("properties").text("serverFarmId")
        if wanted:
            plan = self._plan_by_id(wanted)
        elif before is not None:
            plan = self._draft.get(PlanResource, before.plan)
        else:
            raise bad_request("'properties.serverFarmId' is missing.")
        if plan is None:
            raise not_found("The plan of the app")
        made = SiteResource(
            subscription=subscription,
            group=group,
            name=name if before is None else before.name,
            location=location,
            plan=plan.key,
            tags=body.tags({}),
        )
        self._draft.put(made)
        self._check_limit(plan, ())
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

    def _plan_by_id(self, wanted: str) -> PlanResource | None:
        parts = [fold(part) for part in wanted.strip("/").split("/")]
        if len(parts) != 8 or parts[6] != "serverfarms":
            raise bad_request("'properties.serverFarmId' is no plan's id.")
        return self._draft.get(PlanResource, (parts[1], parts[3], parts[7]))

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
        properties = body.object("properties")
        one, it = self._relay_of(namespace, path, properties)
        if not it.requires_client_authorization:
            raise bad_request(
                "The hybrid connection does not require client authorization."
            )
        host, port = _endpoint(it)
        plan = self._draft.get(PlanResource, site.plan)
        if plan is None:
            raise not_found("The plan of the app")
        self._check_limit(plan, ((fold(one.name), fold(it.path)),))
        name = properties.text("sendKeyName") or SENDER_RULE
        key = properties.text("sendKeyValue")
        if key is None:
            self._relay.add_default_rules(it)
            rule = self._draft.get(RuleResource, (*it.key, fold(name)))
            if rule is None:
                raise bad_request(f"There is no authorization rule '{name[:50]}'.")
            key = rule.primary_key.reveal()
        elif endpoint_of(it) is not None:
            self._relay.add_default_rules(it)
        made = AttachmentResource(
            site=site.name,
            slot=slot,
            namespace=one.name,
            path=it.path,
            relay_id=f"{namespace_id(one)}/hybridConnections/{it.path}",
            hostname=properties.text("hostname") or host,
            port=properties.number("port", 1, 65535) or port,
            send_key_name=name,
            send_key=Secret(key),
            set_at=self._server.now(),
        )
        self._draft.put(made)
        return made

    def change(self, one: AttachmentResource, body: Body) -> AttachmentResource:
        """Change what is given."""
        properties = body.object("properties")
        key = properties.text("sendKeyValue")
        made = evolve(
            one,
            hostname=properties.text("hostname") or one.hostname,
            port=properties.number("port", 1, 65535) or one.port,
            send_key_name=properties.text("sendKeyName") or one.send_key_name,
            send_key=one.send_key if key is None else Secret(key),
            set_at=one.set_at if key is None else self._server.now(),
        )
        self._draft.put(made)
        return made

    def detach(self, attachments: Iterable[AttachmentResource]) -> None:
        """Have apps use them no more; the hybrid connections stay."""
        self._draft.delete(attachments)

    def show_attachment(self, place: str, one: AttachmentResource) -> Json:
        """
        One as it is answered: without its key.

        @param place: the id of the app or plan.
        """
        path = one.path.replace("/", "%2F")
        kind = "serverfarms" if "/serverfarms/" in place else "sites"
        return {
            "id": f"{place}/hybridConnectionNamespaces/{one.namespace}/relays/{path}",
            "name": one.path,
            "type": f"Microsoft.Web/{kind}/hybridConnectionNamespaces/relays",
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
            found.setdefault((fold(one.namespace), fold(one.path)), []).append(one)
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
                "maximum": self._server.quotas.plans.of(plan.tier),
            },
        }

    def show_key(self, plan: PlanResource, used: list[AttachmentResource]) -> Json:
        """The key that was set last."""
        latest = max(used, key=lambda one: one.set_at)
        shown = self.show_attachment(plan_id(plan), latest)
        shown["properties"] = {
            "sendKeyName": latest.send_key_name,
            "sendKeyValue": latest.send_key.reveal(),
        }
        return shown

    def _attachments(
        self, sites: Iterable[SiteResource]
    ) -> Iterator[AttachmentResource]:
        wanted = {site.key[0] for site in sites}
        for one in self._draft.every(AttachmentResource):
            if fold(one.site) in wanted:
                yield one

    def _check_limit(self, plan: PlanResource, more: Iterable[Key]) -> None:
        used = set(self.used_in(plan)) | set(more)
        limit = self._server.quotas.plans.of(plan.tier) or 0
        if len(used) > limit and (not more or set(more) - set(self.used_in(plan))):
            raise quota(
                f"The plan '{plan.name}' ({plan.tier}) may use {limit} hybrid "
                f"connections; this would be number {len(used)}."
            )

    def _relay_of(
        self, namespace: str, path: str, properties: Body
    ) -> tuple[NamespaceResource, ConnectionResource]:
        for member, expected in (
            ("serviceBusNamespace", namespace),
            ("relayName", path),
        ):
            given = properties.text(member)
            if given is not None and fold(given) != fold(expected):
                raise bad_request(f"'properties.{member}' and the path differ.")
        uri = properties.text("relayArmUri")
        if uri:
            _, _, named = uri.partition("/namespaces/")
            name, _, entity = named.partition("/")
            _, _, entity = entity.partition("/")
            entity = entity.replace("%2F", "/").replace("%2f", "/")
            if (fold(name), fold(entity)) != (fold(namespace), fold(path)):
                raise bad_request("'properties.relayArmUri' and the path differ.")
        one = self._draft.get(NamespaceResource, (fold(namespace),))
        if one is None:
            raise not_found(f"The namespace '{namespace}'")
        return one, self._relay.connection(one, path)


def _endpoint(it: ConnectionResource) -> tuple[str, int]:
    endpoint = endpoint_of(it)
    try:
        listed = isinstance(json.loads(it.user_metadata or "null"), list)
    except (ValueError, RecursionError):
        listed = False
    if endpoint is None or not listed:
        raise bad_request(
            "The hybrid connection's userMetadata has no endpoint item of the form "
            "host:port."
        )
    host, _, port = endpoint.rpartition(":")
    return host, int(port)


def _checked(what: str, parse: Any, text: str) -> None:
    try:
        parse(text)
    except ValueError as error:
        raise ApiError(
            400, "InvalidResourceName", f"This is no name of a {what}: {error}."
        ) from None
