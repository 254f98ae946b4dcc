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
from hybridconn.management import relay_schemas as shapes
from hybridconn.management.about import About, Schema
from hybridconn.management.calls import Call, Json, Result
from hybridconn.management.errors import ApiError, bad_request, not_found, of_parent
from hybridconn.management.network_rules import put_rules, show_rules
from hybridconn.management.relay_operations import RelayOperations
from hybridconn.management.routing import Route, route
from hybridconn.management.schemas import ANYTHING, EMPTY_LIST
from hybridconn.management.server import Server

_PROVIDER = "/subscriptions/{sub}/providers/Microsoft.Relay"
_GROUP = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Relay"
_NS = _GROUP + "/namespaces/{ns}"
_HC = _NS + "/hybridConnections/{hc}"
_RULES = "/authorizationRules"
_RULE = _RULES + "/{rule}"

_EMPTY: Json = {"value": []}
_GONE = (200, 204)


class RelayRoutes:
    """
    @param server: what the operations run on.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    def routes(self) -> Iterator[Route]:
        """All of them."""
        yield route(
            "GET",
            "/providers/Microsoft.Relay/operations",
            _nothing,
            about=About("OperationsList", "List operations: none", EMPTY_LIST),
        )
        yield from self._of_namespaces()
        yield from self._of_connections()
        for base, kind, shown in (
            (_NS, "Namespaces", shapes.NAMESPACE_RULE),
            (_HC, "HybridConnections", shapes.CONNECTION_RULE),
        ):
            yield from self._of_rules(base, kind, shown)
        for kind in ("wcfRelays", "privateEndpointConnections", "privateLinkResources"):
            yield from self._of_others(kind)

    def _of_namespaces(self) -> Iterator[Route]:
        yield route(
            "POST",
            _PROVIDER + "/checkNameAvailability",
            self._check,
            changes=False,
            about=About(
                "NamespacesCheckNameAvailability",
                "Say whether a namespace could have a name",
                shapes.NAME_ANSWER,
                shapes.NAME_ASKED,
            ),
        )
        shown = shapes.NAMESPACE
        for base, name, where in (
            (_PROVIDER, "NamespacesList", "the subscription"),
            (_GROUP, "NamespacesListByResourceGroup", "a resource group"),
        ):
            about = About(name, f"List the namespaces of {where}", shown, paged=True)
            yield route("GET", base + "/namespaces", self._namespaces, about=about)
        about = About("NamespacesGet", "Show a namespace", shown)
        yield route("GET", _NS, self._get_namespace, about=about)
        about = About(
            "NamespacesCreateOrUpdate",
            "Make a namespace, or change one",
            shown,
            shapes.NAMESPACE_PUT,
            refusals=(409,),
        )
        yield route("PUT", _NS, self._put_namespace, about=about)
        about = About(
            "NamespacesUpdate",
            "Change what is given",
            shown,
            shapes.NAMESPACE_PATCH,
            needs_body=False,
        )
        yield route("PATCH", _NS, self._patch_namespace, about=about)
        about = About(
            "NamespacesDelete", "Remove a namespace and all in it", statuses=_GONE
        )
        yield route("DELETE", _NS, self._delete_namespace, about=about)
        rules = _NS + "/networkRuleSets/default"
        about = About(
            "NamespacesGetNetworkRuleSet", "Show network rules", shapes.NETWORK_RULES
        )
        yield route("GET", rules, self._network_rules, about=about)
        about = About(
            "NamespacesCreateOrUpdateNetworkRuleSet",
            "Replace the network rules; connections that come after keep to them",
            shapes.NETWORK_RULES,
            shapes.NETWORK_RULES_PUT,
            needs_body=False,
        )
        yield route("PUT", rules, self._put_network_rules, about=about)

    def _of_connections(self) -> Iterator[Route]:
        shown = shapes.CONNECTION
        about = About(
            "HybridConnectionsListByNamespace",
            "List the hybrid connections of a namespace",
            shown,
            paged=True,
        )
        yield route("GET", _NS + "/hybridConnections", self._connections, about=about)
        about = About("HybridConnectionsGet", "Show a hybrid connection", shown)
        yield route("GET", _HC, self._get_connection, about=about)
        about = About(
            "HybridConnectionsCreateOrUpdate",
            "Make a hybrid connection, or replace one",
            shown,
            shapes.CONNECTION_PUT,
            needs_body=False,
        )
        yield route("PUT", _HC, self._put_connection, about=about)
        about = About(
            "HybridConnectionsDelete",
            "Remove a hybrid connection; its listeners are closed",
            statuses=_GONE,
        )
        yield route("DELETE", _HC, self._delete_connection, about=about)

    def _of_rules(self, base: str, kind: str, shown: Schema) -> Iterator[Route]:
        about = About(f"{kind}ListAuthorizationRules", "List rules", shown, paged=True)
        yield route("GET", base + _RULES, self._rules, about=about)
        about = About(f"{kind}GetAuthorizationRule", "Show a rule", shown)
        yield route("GET", base + _RULE, self._get_rule, about=about)
        about = About(
            f"{kind}CreateOrUpdateAuthorizationRule",
            "Make a rule with two keys, or change its rights",
            shown,
            shapes.RULE_PUT,
        )
        yield route("PUT", base + _RULE, self._put_rule, about=about)
        about = About(f"{kind}DeleteAuthorizationRule", "Remove a rule", statuses=_GONE)
        yield route("DELETE", base + _RULE, self._delete_rule, about=about)
        about = About(f"{kind}ListKeys", "Show the keys of a rule", shapes.KEYS)
        path = base + _RULE + "/listKeys"
        yield route("POST", path, self._keys, changes=False, about=about)
        about = About(
            f"{kind}RegenerateKeys",
            "Give a rule another key; the old one opens nothing from then on",
            shapes.KEYS,
            shapes.REGENERATE,
        )
        yield route(
            "POST", base + _RULE + "/regenerateKeys", self._regenerate, about=about
        )

    def _of_others(self, kind: str) -> Iterator[Route]:
        """What Azure Relay has beside hybrid connections."""
        name = kind[0].upper() + kind[1:]
        about = About(f"{name}List", "List them: none", EMPTY_LIST)
        yield route("GET", f"{_NS}/{kind}", self._none_of_these, about=about)
        path = f"{_NS}/{kind}/{{name}}"
        about = About(f"{name}Get", "Show one: there is none", statuses=())
        yield route("GET", path, _no_such, about=about)
        about = About(
            f"{name}CreateOrUpdate",
            "Not supported",
            body=ANYTHING,
            needs_body=False,
            statuses=(),
        )
        yield route("PUT", path, _not_supported, changes=False, about=about)
        about = About(f"{name}Delete", "Remove one: there is none", statuses=(204,))
        yield route("DELETE", path, _not_there, changes=False, about=about)

    # --- namespaces ---

    def _at(self, call: Call) -> tuple[RelayOperations, NamespaceResource]:
        operations = RelayOperations(self._server, call.draft)
        return operations, operations.namespace(call["sub"], call["rg"], call["ns"])

    def _within(self, call: Call) -> tuple[RelayOperations, NamespaceResource]:
        """The same for what is in it."""
        return of_parent(lambda: self._at(call))

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
        _, one = self._within(call)
        return Result(200, show_rules(one))

    def _put_network_rules(self, call: Call) -> Result:
        _, one = self._within(call)
        changed = put_rules(one, call.body, self._server.now())
        call.draft.put(changed)
        return Result(200, show_rules(changed))

    # --- hybrid connections ---

    def _connections(self, call: Call) -> Result:
        operations, one = self._within(call)
        draft = call.draft

        def show(key: Key) -> Json:
            found = draft.get(ConnectionResource, key)
            assert found is not None
            return operations.show_connection(one, found)

        return call.page(draft.keys(ConnectionResource, one.key), show)

    def _get_connection(self, call: Call) -> Result:
        operations, one = self._within(call)
        found = operations.connection(one, call["hc"])
        return Result(200, operations.show_connection(one, found))

    def _put_connection(self, call: Call) -> Result:
        operations, one = self._within(call)
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

    # --- rules ---

    def _scope(self, call: Call) -> tuple[RelayOperations, NamespaceResource, str]:
        """Where the rules are that a call is about; the path as it was created."""
        operations, one = self._within(call)
        if "hc" not in call.values:
            return operations, one, ""
        found = of_parent(lambda: operations.connection(one, call["hc"]))
        return operations, one, found.path

    def _rules(self, call: Call) -> Result:
        operations, one, path = self._scope(call)
        parent = (*one.key, fold(path))
        draft = call.draft

        def show(key: Key) -> Json:
            return operations.show_rule(one, operations.rule(parent, key[-1]))

        return call.page(draft.keys(RuleResource, parent), show)

    def _rule(
        self, call: Call
    ) -> tuple[RelayOperations, NamespaceResource, RuleResource]:
        operations, one, path = self._scope(call)
        return operations, one, operations.rule((*one.key, fold(path)), call["rule"])

    def _get_rule(self, call: Call) -> Result:
        operations, one, found = self._rule(call)
        return Result(200, operations.show_rule(one, found))

    def _put_rule(self, call: Call) -> Result:
        operations, one, path = self._scope(call)
        made = operations.put_rule(one.name, path, call["rule"], call.body)
        return Result(200, operations.show_rule(one, made))

    def _delete_rule(self, call: Call) -> Result:
        try:
            operations, _, found = self._rule(call)
        except ApiError:
            return Result(204)
        operations.delete_rule(found)
        return Result(200)

    def _keys(self, call: Call) -> Result:
        operations, one, found = self._rule(call)
        return Result(200, operations.show_keys(one, found))

    def _regenerate(self, call: Call) -> Result:
        operations, one, found = self._rule(call)
        changed = operations.regenerate(found, call.body)
        return Result(200, operations.show_keys(one, changed))

    # --- what there is not ---

    def _none_of_these(self, call: Call) -> Result:
        self._within(call)
        return Result(200, _EMPTY)


def _no_such(call: Call) -> Result:
    raise not_found(f"'{call['name']}'")


def _not_there(call: Call) -> Result:
    return Result(204)


def _nothing(call: Call) -> Result:
    return Result(200, _EMPTY)


def _not_supported(call: Call) -> Result:
    raise bad_request("This server has hybrid connections only.", "NotSupported")
