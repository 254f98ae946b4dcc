"""The paths of Microsoft.Relay (management-api section 7.1)."""

from __future__ import annotations

from collections.abc import Iterator

from hybridconn.core.names import fold
from hybridconn.core.resources import (
    ConnectionResource,
    Key,
    NamespaceResource,
    RuleResource,
)
from hybridconn.management.calls import Call, Json, Result
from hybridconn.management.errors import ApiError, bad_request, not_found
from hybridconn.management.network_rules import put_rules
from hybridconn.management.relay_operations import RelayOperations, namespace_id
from hybridconn.management.routing import Route, route
from hybridconn.management.server import Server

_PROVIDER = "/subscriptions/{sub}/providers/Microsoft.Relay"
_GROUP = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Relay"
_NS = _GROUP + "/namespaces/{ns}"
_HC = _NS + "/hybridConnections/{hc}"
_RULES = "/authorizationRules"
_RULE = _RULES + "/{rule}"

_EMPTY: Json = {"value": []}


class RelayRoutes:
    """
    @param server: what the operations run on.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    def routes(self) -> Iterator[Route]:
        """All of them."""
        yield route("GET", "/providers/Microsoft.Relay/operations", _nothing)
        yield route(
            "POST", _PROVIDER + "/checkNameAvailability", self._check, changes=False
        )
        for base in (_PROVIDER, _GROUP):
            yield route("GET", base + "/namespaces", self._namespaces)
        yield route("GET", _NS, self._get_namespace)
        yield route("PUT", _NS, self._put_namespace)
        yield route("PATCH", _NS, self._patch_namespace)
        yield route("DELETE", _NS, self._delete_namespace)
        rules = _NS + "/networkRuleSets/default"
        yield route("GET", rules, self._network_rules)
        yield route("PUT", rules, self._put_network_rules)
        yield route("GET", _NS + "/hybridConnections", self._connections)
        yield route("GET", _HC, self._get_connection)
        yield route("PUT", _HC, self._put_connection)
        yield route("DELETE", _HC, self._delete_connection)
        for base in (_NS, _HC):
            yield route("GET", base + _RULES, self._rules)
            yield route("GET", base + _RULE, self._get_rule)
            yield route("PUT", base + _RULE, self._put_rule)
            yield route("DELETE", base + _RULE, self._delete_rule)
            # They change nothing, but show what not every role may see.
            yield route("POST", base + _RULE + "/listKeys", self._keys)
            yield route("POST", base + _RULE + "/regenerateKeys", self._regenerate)
        for kind in ("wcfRelays", "privateEndpointConnections", "privateLinkResources"):
            yield route("GET", f"{_NS}/{kind}", self._none_of_these)
            yield route("GET", f"{_NS}/{kind}/{{name}}", self._no_such)
            yield route("PUT", f"{_NS}/{kind}/{{name}}", _not_supported)

    # --- namespaces ---

    def _at(self, call: Call) -> tuple[RelayOperations, NamespaceResource]:
        operations = RelayOperations(self._server, call.draft)
        return operations, operations.namespace(call["sub"], call["rg"], call["ns"])

    def _check(self, call: Call) -> Result:
        operations = RelayOperations(self._server, call.draft)
        return Result(200, operations.check_name(call.body))

    def _namespaces(self, call: Call) -> Result:
        operations = RelayOperations(self._server, call.draft)
        wanted = call.values.get("rg")
        found = {
            one.key: one
            for one in call.draft.below(NamespaceResource, ())
            if fold(one.subscription) == fold(call["sub"])
            and (wanted is None or fold(one.group) == fold(wanted))
        }
        return call.page(
            sorted(found), lambda key: operations.show_namespace(found[key])
        )

    def _get_namespace(self, call: Call) -> Result:
        operations, one = self._at(call)
        return Result(200, operations.show_namespace(one))

    def _put_namespace(self, call: Call) -> Result:
        operations = RelayOperations(self._server, call.draft)
        one = operations.put_namespace(call["sub"], call["rg"], call["ns"], call.body)
        return Result(200, operations.show_namespace(one))

    def _patch_namespace(self, call: Call) -> Result:
        operations, one = self._at(call)
        changed = operations.patch_namespace(one, call.body)
        return Result(200, operations.show_namespace(changed))

    def _delete_namespace(self, call: Call) -> Result:
        try:
            operations, one = self._at(call)
        except ApiError:
            return Result(204)
        operations.delete_namespace(one)
        return Result(200)

    def _network_rules(self, call: Call) -> Result:
        _, one = self._at(call)
        return Result(200, _rule_set(one))

    def _put_network_rules(self, call: Call) -> Result:
        _, one = self._at(call)
        changed = put_rules(one, call.body, self._server.now())
        call.draft.put(changed)
        return Result(200, _rule_set(changed))

    # --- hybrid connections ---

    def _connections(self, call: Call) -> Result:
        operations, one = self._at(call)
        draft = call.draft

        def show(key: Key) -> Json:
            found = draft.get(ConnectionResource, key)
            assert found is not None
            return operations.show_connection(one, found)

        return call.page(draft.keys(ConnectionResource, one.key), show)

    def _get_connection(self, call: Call) -> Result:
        operations, one = self._at(call)
        found = operations.connection(one, call["hc"])
        return Result(200, operations.show_connection(one, found))

    def _put_connection(self, call: Call) -> Result:
        operations, one = self._at_parent(call)
        made = operations.put_connection(one, call["hc"], call.body)
        return Result(200, operations.show_connection(one, made))

    def _delete_connection(self, call: Call) -> Result:
        try:
            operations, one = self._at(call)
            found = operations.connection(one, call["hc"])
        except ApiError:
            return Result(204)
        operations.delete_connection(found)
        return Result(200)

    def _at_parent(self, call: Call) -> tuple[RelayOperations, NamespaceResource]:
        try:
            return self._at(call)
        except ApiError as error:
            raise ApiError(404, "ParentResourceNotFound", error.message) from None

    # --- rules ---

    def _scope(self, call: Call) -> tuple[RelayOperations, NamespaceResource, Key]:
        """Where the rules are that a call is about."""
        operations, one = self._at(call)
        if "hc" not in call.values:
            return operations, one, (*one.key, "")
        return operations, one, operations.connection(one, call["hc"]).key

    def _rules(self, call: Call) -> Result:
        operations, one, parent = self._scope(call)
        draft = call.draft

        def show(key: Key) -> Json:
            return operations.show_rule(one, operations.rule(parent, key[-1]))

        return call.page(draft.keys(RuleResource, parent), show)

    def _get_rule(self, call: Call) -> Result:
        operations, one, parent = self._scope(call)
        return Result(
            200, operations.show_rule(one, operations.rule(parent, call["rule"]))
        )

    def _put_rule(self, call: Call) -> Result:
        try:
            operations, one, _ = self._scope(call)
        except ApiError as error:
            raise ApiError(404, "ParentResourceNotFound", error.message) from None
        path = call.values.get("hc", "")
        if path:
            path = operations.connection(one, path).path
        made = operations.put_rule(one.name, path, call["rule"], call.body)
        return Result(200, operations.show_rule(one, made))

    def _delete_rule(self, call: Call) -> Result:
        try:
            operations, _, parent = self._scope(call)
            found = operations.rule(parent, call["rule"])
        except ApiError:
            return Result(204)
        operations.delete_rule(found)
        return Result(200)

    def _keys(self, call: Call) -> Result:
        operations, one, parent = self._scope(call)
        found = operations.rule(parent, call["rule"])
        return Result(200, operations.show_keys(one, found))

    def _regenerate(self, call: Call) -> Result:
        operations, one, parent = self._scope(call)
        found = operations.rule(parent, call["rule"])
        return Result(
            200, operations.show_keys(one, operations.regenerate(found, call.body))
        )

    # --- what there is not ---

    def _none_of_these(self, call: Call) -> Result:
        self._at(call)
        return Result(200, _EMPTY)

    def _no_such(self, call: Call) -> Result:
        raise not_found(f"'{call['name']}'")


def _nothing(call: Call) -> Result:
    return Result(200, _EMPTY)


def _not_supported(call: Call) -> Result:
    raise bad_request("This server has hybrid connections only.", "NotSupported")


def _rule_set(one: NamespaceResource) -> Json:
    return {
        "id": f"{namespace_id(one)}/networkRuleSets/default",
        "name": "default",
        "type": "Microsoft.Relay/Namespaces/NetworkRuleSets",
        "properties": {
            "defaultAction": one.default_action,
            "publicNetworkAccess": one.public_network_access,
            "trustedServiceAccessEnabled": False,
            "ipRules": [{"ipMask": mask, "action": "Allow"} for mask in one.ip_rules],
        },
    }
