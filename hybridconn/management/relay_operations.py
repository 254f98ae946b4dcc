"""
Namespaces, hybrid connections, rules and keys: what each operation does (management-api
section 7).  Nothing here knows HTTP; each operation gets a draft of the change.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import evolve

from hybridconn.core.entities import Claim, HybridConnection
from hybridconn.core.management_names import parse_group_name, parse_rule_name
from hybridconn.core.names import fold, parse_entity_path, parse_namespace_name
from hybridconn.core.resources import (
    LISTENER_RULE,
    ROOT_RULE,
    SENDER_RULE,
    ConnectionResource,
    Key,
    NamespaceResource,
    RuleResource,
)
from hybridconn.management.bodies import Body
from hybridconn.management.checks import (
    checked,
    location_of,
    rights_of,
    stays_in_place,
)
from hybridconn.management.errors import (
    bad_request,
    conflict,
    not_found,
    quota,
)
from hybridconn.management.ids import connection_id, namespace_id
from hybridconn.management.network_rules import public_access
from hybridconn.management.registry import Draft
from hybridconn.management.server import Server, is_key, time_text

MOST_RULES = 12
MOST_METADATA = 1024
TLS_VERSIONS = ("1.2", "1.3")
STATUSES = ("Active", "Disabled")
KEY_TYPES = ("PrimaryKey", "SecondaryKey")

_ORDER = (Claim.LISTEN, Claim.MANAGE, Claim.SEND)
Json = dict[str, Any]


class RelayOperations:
    """
    @param server: what they run on.
    @param draft: what they see and change.
    """

    def __init__(self, server: Server, draft: Draft) -> None:
        self._server = server
        self._draft = draft

    # --- namespaces ---

    def namespace(self, subscription: str, group: str, name: str) -> NamespaceResource:
        """
        A namespace by its path.

        @raise ApiError: 404.
        """
        found = self._draft.get(NamespaceResource, (fold(name),))
        if (
            found is None
            or fold(found.subscription) != fold(subscription)
            or fold(found.group) != fold(group)
        ):
            raise not_found(f"The namespace '{name}'")
        return found

    def put_namespace(
        self, subscription: str, group: str, name: str, body: Body
    ) -> NamespaceResource:
        """Make or update a namespace."""
        checked("namespace", parse_namespace_name, name)
        checked("resource group", parse_group_name, group)
        location = location_of(body)
        before = self._draft.get(NamespaceResource, (fold(name),))
        now = self._server.now()
        if before is None:
            made = NamespaceResource(
                name=name,
                subscription=subscription,
                group=group,
                location=location,
                tags=body.tags({}),
                host_names=(self._server.host(name),),
                created=now,
                updated=now,
            )
            self._draft.put(self._with_properties(made, body))
            self._draft.put(self._new_rule(name, "", ROOT_RULE, frozenset(Claim)))
        else:
            if (fold(before.subscription), fold(before.group)) != (
                fold(subscription),
                fold(group),
            ):
                raise conflict(f"The namespace '{name}' exists in another group.")
            stays_in_place(f"The namespace '{name}'", before.location, location)
            updated = evolve(
                before, tags=body.tags({}), updated=max(now, before.updated)
            )
            self._draft.put(self._with_properties(updated, body))
        return self.namespace(subscription, group, name)

    def patch_namespace(self, one: NamespaceResource, body: Body) -> NamespaceResource:
        """Change what is given."""
        updated = evolve(
            one,
            tags=body.tags(one.tags),
            updated=max(self._server.now(), one.updated),
        )
        updated = self._with_properties(updated, body)
        self._draft.put(updated)
        return updated

    def delete_namespace(self, one: NamespaceResource) -> None:
        """Remove it with all that is in it."""
        for connection in tuple(self._draft.below(ConnectionResource, one.key)):
            self.delete_connection(connection)
        self._draft.delete(self._draft.below(RuleResource, (*one.key, "")))
        self._draft.delete([one])

    def _with_properties(self, one: NamespaceResource, body: Body) -> NamespaceResource:
        sku = body.object("sku")
        for member in ("name", "tier"):
            if fold(sku.text(member, "Standard") or "") != "standard":
                raise bad_request(f"'sku.{member}' is wrong: there is only Standard.")
        properties = body.object("properties")
        return evolve(
            one,
            public_network_access=public_access(properties, one),
            minimum_tls_version=properties.choice(
                "minimumTlsVersion", TLS_VERSIONS, one.minimum_tls_version
            ),
        )

    def show_namespace(self, one: NamespaceResource) -> Json:
        """A namespace as it is answered."""
        shown: Json = {
            "id": namespace_id(one),
            "name": one.name,
            "type": "Microsoft.Relay/Namespaces",
            "location": one.location,
            "tags": dict(one.tags),
            "sku": {"name": "Standard", "tier": "Standard"},
            "properties": {
                "provisioningState": "Succeeded",
                "status": "Active",
                "createdAt": time_text(one.created),
                "updatedAt": time_text(one.updated),
                "serviceBusEndpoint": (
                    f"https://{self.host(one)}:{self._server.port}/"
                ),
                "metricId": f"{one.subscription}:{one.name}",
                "publicNetworkAccess": one.public_network_access,
                "minimumTlsVersion": one.minimum_tls_version,
            },
        }
        return shown

    def check_name(self, body: Body) -> Json:
        """Whether a namespace could have a name."""
        name = body.text("name")
        if not name:
            raise bad_request("'name' is missing.")
        try:
            parse_namespace_name(name)
        except ValueError as error:
            reason, message = "InvalidName", f"The name is not valid: {error}."
        else:
            if self._draft.get(NamespaceResource, (fold(name),)) is None:
                return {"nameAvailable": True, "reason": "None", "message": ""}
            reason = "NameInUse"
            message = f"The name {name} is already in use."
        return {"nameAvailable": False, "reason": reason, "message": message}

    # --- hybrid connections ---

    def connection(self, one: NamespaceResource, path: str) -> ConnectionResource:
        """
        A hybrid connection by its path.

        @raise ApiError: 404.
        """
        found = self._draft.get(ConnectionResource, (*one.key, fold(path)))
        if found is None:
            raise not_found(f"The hybrid connection '{path}'")
        return found

    def put_connection(
        self, one: NamespaceResource, path: str, body: Body
    ) -> ConnectionResource:
        """Make or replace a hybrid connection."""
        checked("hybrid connection", parse_entity_path, path)
        properties = body.object("properties")
        metadata = properties.text("userMetadata", "", most=None) or ""
        if len(metadata) > MOST_METADATA:
            raise bad_request(
                f"'properties.userMetadata' has {len(metadata)} characters; use "
                f"{MOST_METADATA} at most."
            )
        before = self._draft.get(ConnectionResource, (*one.key, fold(path)))
        if before is None:
            count = self._draft.count(ConnectionResource, one.key)
            most = self._server.quotas.entities_per_namespace
            if count >= most:
                raise quota(f"A namespace may have {most} hybrid connections.")
        now = self._server.now()
        made = ConnectionResource(
            namespace=one.name,
            path=path if before is None else before.path,
            requires_client_authorization=properties.boolean(
                "requiresClientAuthorization", True
            ),
            user_metadata=metadata,
            # No word of Azure's: its clients leave it out when they write back.
            status=properties.choice(
                "status",
                STATUSES,
                "Active" if before is None else before.status,
            ),
            created=now if before is None else before.created,
            updated=now if before is None else max(now, before.updated),
        )
        self._draft.put(made)
        if endpoint_of(made) is not None:
            self.add_default_rules(made)
        return made

    def delete_connection(self, one: ConnectionResource) -> None:
        """Remove it with its rules."""
        self._draft.delete(self._draft.below(RuleResource, one.key))
        self._draft.delete([one])

    def show_connection(self, one: NamespaceResource, it: ConnectionResource) -> Json:
        """A hybrid connection as it is answered."""
        return {
            "id": connection_id(one, it.path),
            "name": it.path,
            "type": "Microsoft.Relay/Namespaces/HybridConnections",
            "properties": {
                "createdAt": time_text(it.created),
                "updatedAt": time_text(it.updated),
                "listenerCount": self._server.listener_count(it.namespace, it.path),
                "requiresClientAuthorization": it.requires_client_authorization,
                "userMetadata": it.user_metadata,
                "status": it.status,
            },
        }

    def add_default_rules(self, it: ConnectionResource) -> None:
        """
        The rules for a listener and a sender, unless they are there (section 9).

        @raise ApiError: 403, there is no room for them.
        """
        for name, claim in (
            (LISTENER_RULE, Claim.LISTEN),
            (SENDER_RULE, Claim.SEND),
        ):
            if self._draft.get(RuleResource, (*it.key, fold(name))) is None:
                self._make_room(it.key)
                rule = self._new_rule(it.namespace, it.path, name, frozenset({claim}))
                self._draft.put(rule)

    # --- rules and keys ---

    def rules(self, parent: Key) -> Iterator[RuleResource]:
        """
        The rules at a place.

        @param parent: the folded namespace and path.
        """
        return self._draft.below(RuleResource, parent)

    def rule(self, parent: Key, name: str) -> RuleResource:
        """
        One of them.

        @raise ApiError: 404.
        """
        found = self._draft.get(RuleResource, (*parent, fold(name)))
        if found is None:
            raise not_found(f"The authorization rule '{name}'")
        return found

    def put_rule(
        self, namespace: str, path: str, name: str, body: Body
    ) -> RuleResource:
        """Make a rule, or change its rights; keys stay."""
        checked("authorization rule", parse_rule_name, name)
        rights = rights_of(body.object("properties").texts("rights"))
        parent = (fold(namespace), fold(path))
        before = self._draft.get(RuleResource, (*parent, fold(name)))
        if before is None:
            self._make_room(parent)
            made = self._new_rule(namespace, path, name, rights)
        else:
            made = evolve(before, rights=rights)
        self._draft.put(made)
        return made

    def delete_rule(self, rule: RuleResource) -> None:
        """Remove it."""
        self._draft.delete([rule])

    def regenerate(self, rule: RuleResource, body: Body) -> RuleResource:
        """Give it another key; the other one stays."""
        which = body.choice("keyType", KEY_TYPES, "")
        given = body.text("key")
        if given is not None and not is_key(given):
            raise bad_request("'key' is wrong: use base64 of 32 bytes.")
        fresh = (
            self._server.new_key() if given is None else type(rule.primary_key)(given)
        )
        made = (
            evolve(rule, primary_key=fresh)
            if which == "PrimaryKey"
            else evolve(rule, secondary_key=fresh)
        )
        self._draft.put(made)
        return made

    def show_rule(self, one: NamespaceResource, rule: RuleResource) -> Json:
        """A rule as it is answered."""
        place, kind = namespace_id(one), "Microsoft.Relay/Namespaces"
        if rule.path:
            place = connection_id(one, rule.path)
            kind += "/HybridConnections"
        return {
            "id": f"{place}/authorizationRules/{rule.name}",
            "name": rule.name,
            "type": f"{kind}/AuthorizationRules",
            "properties": {
                "rights": [claim.value for claim in _ORDER if claim in rule.rights]
            },
        }

    def show_keys(self, one: NamespaceResource, rule: RuleResource) -> Json:
        """Its keys, and connection strings made with them."""
        secondary = rule.secondary_key or rule.primary_key
        shown: Json = {"keyName": rule.name}
        for name, key in (("primary", rule.primary_key), ("secondary", secondary)):
            shown[f"{name}Key"] = key.reveal()
            shown[f"{name}ConnectionString"] = self._string(one, rule, key.reveal())
        return shown

    def _string(self, one: NamespaceResource, rule: RuleResource, key: str) -> str:
        port = "" if self._server.port == 443 else f":{self._server.port}"
        entity = f";EntityPath={rule.path}" if rule.path else ""
        return (
            f"Endpoint=sb://{self.host(one)}{port}/;SharedAccessKeyName={rule.name};"
            f"SharedAccessKey={key}{entity}"
        )

    def host(self, one: NamespaceResource) -> str:
        """The name by which clients reach it."""
        return one.host_names[0] if one.host_names else self._server.host(one.name)

    def _new_rule(
        self, namespace: str, path: str, name: str, rights: frozenset[Claim]
    ) -> RuleResource:
        return RuleResource(
            namespace=namespace,
            path=path,
            name=name,
            rights=rights,
            primary_key=self._server.new_key(),
            secondary_key=self._server.new_key(),
        )

    def _make_room(self, parent: Key) -> None:
        if self._draft.count(RuleResource, parent) >= MOST_RULES:
            raise quota(f"There may be {MOST_RULES} authorization rules here.")


def endpoint_of(it: ConnectionResource) -> str | None:
    """The C{host:port} in its metadata."""
    return HybridConnection("-", user_metadata=it.user_metadata).endpoint
