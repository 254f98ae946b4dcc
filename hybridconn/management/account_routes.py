"""Subscriptions, tenants and resource groups, for those who look around (section 9)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from hybridconn.core.management_names import parse_group_name
from hybridconn.core.names import fold
from hybridconn.core.resources import NamespaceResource, PlanResource, SiteResource
from hybridconn.management import schemas
from hybridconn.management.about import About
from hybridconn.management.calls import Call, Json, Result
from hybridconn.management.checks import checked
from hybridconn.management.errors import not_found
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
        about = About("TenantsList", "List tenants", schemas.list_of(schemas.TENANT))
        yield route("GET", "/tenants", _tenants, about=about)
        shown = schemas.SUBSCRIPTION
        about = About("SubscriptionsList", "List subscriptions", schemas.list_of(shown))
        yield route("GET", "/subscriptions", self._subscriptions, about=about)
        about = About("SubscriptionsGet", "Show a subscription", shown)
        yield route("GET", "/subscriptions/{sub}", self._subscription, about=about)
        groups = "/subscriptions/{sub}/resourceGroups"
        shown = schemas.GROUP
        about = About(
            "ResourceGroupsList",
            "List resource groups that have something in them",
            schemas.list_of(shown),
        )
        yield route("GET", groups, self._groups, about=about)
        about = About("ResourceGroupsGet", "Show a resource group", shown)
        yield route("GET", groups + "/{rg}", self._group, about=about)
        about = About(
            "ResourceGroupsCreateOrUpdate",
            "Say that there is a resource group; none has to be made",
            shown,
            schemas.ANYTHING,
            needs_body=False,
        )
        yield route(
            "PUT", groups + "/{rg}", self._put_group, changes=False, about=about
        )
        for name in _PROVIDERS:
            place = f"/subscriptions/{{sub}}/providers/{name}"
            short = name.partition(".")[2]
            about = About(f"ProvidersGet{short}", "Show it", schemas.PROVIDER)
            yield route("GET", place, _registered(name), about=about)
            about = About(f"ProvidersRegister{short}", "Show it", schemas.PROVIDER)
            yield route(
                *("POST", f"{place}/register", _registered(name)),
                changes=False,
                about=about,
            )

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

    def _in_use(self, call: Call) -> dict[str, str]:
        """The groups of a subscription, by their folded names."""
        draft = call.draft
        grouped: tuple[NamespaceResource | PlanResource | SiteResource, ...] = (
            *draft.every(NamespaceResource),
            *draft.every(PlanResource),
            *draft.every(SiteResource),
        )
        return {
            fold(one.group): one.group
            for one in grouped
            if fold(one.subscription) == fold(call["sub"])
        }

    def _groups(self, call: Call) -> Result:
        found = self._in_use(call)
        groups = [_show_group(call["sub"], found[name]) for name in sorted(found)]
        return Result(200, {"value": groups})

    def _group(self, call: Call) -> Result:
        # A group is there as soon as something is put in it: none has to be made, and
        # every name that one could have is as good as one.
        try:
            parse_group_name(call["rg"])
        except ValueError:
            raise not_found(f"The resource group '{call['rg']}'") from None
        name = self._in_use(call).get(fold(call["rg"]), call["rg"])
        return Result(200, _show_group(call["sub"], name))

    def _put_group(self, call: Call) -> Result:
        checked("resource group", parse_group_name, call["rg"])
        return self._group(call)


def _tenants(call: Call) -> Result:
    return Result(200, {"value": [{"id": f"/tenants/{TENANT}", "tenantId": TENANT}]})


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
