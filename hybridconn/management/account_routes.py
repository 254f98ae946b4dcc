"""Subscriptions, tenants and resource groups, for those who look around (section 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hybridconn.core.management_names import parse_group_name
from hybridconn.core.names import fold
from hybridconn.core.resources import NamespaceResource, PlanResource, SiteResource
from hybridconn.management.calls import Call, Json, Result
from hybridconn.management.errors import bad_request
from hybridconn.management.routing import Route, route
from hybridconn.management.server import Server

#: A self-hosted server has one tenant.
TENANT = "00000000-0000-0000-0000-000000000000"
_PROVIDERS = ("Microsoft.Relay", "Microsoft.Web")


class AccountRoutes:
    """
    @param server: whose subscriptions they are.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    def routes(self) -> Iterator[Route]:
        """All of them."""
        yield route("GET", "/tenants", _tenants)
        yield route("GET", "/subscriptions", self._subscriptions)
        yield route("GET", "/subscriptions/{sub}", self._subscription)
        groups = "/subscriptions/{sub}/resourceGroups"
        yield route("GET", groups, self._groups)
        yield route("GET", groups + "/{rg}", _group)
        yield route("PUT", groups + "/{rg}", _group)
        for name in _PROVIDERS:
            place = f"/subscriptions/{{sub}}/providers/{name}"
            yield route("GET", place, _registered(name))
            yield route("POST", f"{place}/register", _registered(name), changes=False)

    def _show(self, subscription: str) -> Json:
        return {
            "id": f"/subscriptions/{subscription}",
            "subscriptionId": subscription,
            "tenantId": TENANT,
            "displayName": "self-hosted",
            "state": "Enabled",
        }

    def _subscriptions(self, call: Call) -> Result:
        return Result(200, {"value": list(map(self._show, self._server.subscriptions))})

    def _subscription(self, call: Call) -> Result:
        for one in self._server.subscriptions:
            if fold(one) == fold(call["sub"]):
                return Result(200, self._show(one))
        raise AssertionError("it was looked for before")

    def _groups(self, call: Call) -> Result:
        draft = call.draft
        grouped: tuple[NamespaceResource | PlanResource | SiteResource, ...] = (
            *draft.every(NamespaceResource),
            *draft.every(PlanResource),
            *draft.every(SiteResource),
        )
        found = {
            fold(one.group): one.group
            for one in grouped
            if fold(one.subscription) == fold(call["sub"])
        }
        groups = [_show_group(call["sub"], found[name]) for name in sorted(found)]
        return Result(200, {"value": groups})


def _tenants(call: Call) -> Result:
    return Result(200, {"value": [{"id": f"/tenants/{TENANT}", "tenantId": TENANT}]})


def _group(call: Call) -> Result:
    try:
        parse_group_name(call["rg"])
    except ValueError as error:
        raise bad_request(
            f"This is no name of a resource group: {error}.", "InvalidResourceName"
        ) from None
    # A group is there as soon as something is put in it: none has to be made.
    return Result(200, _show_group(call["sub"], call["rg"]))


def _show_group(subscription: str, group: str) -> Json:
    return {
        "id": f"/subscriptions/{subscription}/resourceGroups/{group}",
        "name": group,
        "type": "Microsoft.Resources/resourceGroups",
        "location": "local",
        "properties": {"provisioningState": "Succeeded"},
    }


def _registered(name: str) -> Callable[[Call], Result]:
    def show(call: Call) -> Result:
        return Result(200, {"namespace": name, "registrationState": "Registered"})

    return show
