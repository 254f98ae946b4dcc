"""
The hybrid connections that apps use: what each operation does (management-api
section 8).
"""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256
from typing import Any, Final

from attrs import evolve
from twisted.logger import Logger

from hybridconn.core.entities import Secret
from hybridconn.core.management_names import parse_slot_name
from hybridconn.core.names import fold
from hybridconn.core.resources import (
    SENDER_RULE,
    AttachmentResource,
    ConnectionResource,
    NamespaceResource,
    PlanResource,
    RuleResource,
    SiteResource,
)
from hybridconn.management.attaching import (
    endpoint_in,
    host_name_of,
    place_of,
    same_names,
)
from hybridconn.management.bodies import Body
from hybridconn.management.checks import checked
from hybridconn.management.errors import bad_request, not_found
from hybridconn.management.ids import connection_id, plan_id, site_id
from hybridconn.management.registry import Draft
from hybridconn.management.relay_operations import RelayOperations
from hybridconn.management.server import Server
from hybridconn.management.usage import check_limit, limit_of, used_in

Json = dict[str, Any]

_FARMS: Final = "serverfarms"


class AttachmentOperations:
    """
    @param server: what they run on.
    @param draft: what they see and change.
    """

    log = Logger()

    def __init__(self, server: Server, draft: Draft) -> None:
        self._server = server
        self._draft = draft
        self._relay = RelayOperations(server, draft)

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
        check_limit(self._draft, self._server.quotas.plans, plan, {it.key})
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

    def used(
        self, plan: PlanResource, namespace: str, path: str
    ) -> list[AttachmentResource]:
        """
        Who uses one.

        @raise ApiError: 404, nobody does.
        """
        found = used_in(self._draft, plan).get((fold(namespace), fold(path)))
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
                "current": len(used_in(self._draft, plan)),
                "maximum": limit_of(self._server.quotas.plans, plan),
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
