"""The paths of Microsoft.Web (management-api section 8)."""

from __future__ import annotations

from collections.abc import Iterator

from hybridconn.core.names import fold
from hybridconn.core.resources import Key, PlanResource, SiteResource
from hybridconn.management.calls import Call, Json, Result
from hybridconn.management.errors import ApiError, not_found
from hybridconn.management.routing import Route, route
from hybridconn.management.server import Server
from hybridconn.management.web_operations import WebOperations, plan_id, site_id

_ALL = "/subscriptions/{sub}/providers/Microsoft.Web"
_WEB = "/subscriptions/{sub}/resourceGroups/{rg}/providers/Microsoft.Web"
_PLAN = _WEB + "/serverfarms/{plan}"
_SITE = _WEB + "/sites/{site}"
_RELAY = "/hybridConnectionNamespaces/{ns}/relays/{hc}"


class WebRoutes:
    """
    @param server: what the operations run on.
    """

    def __init__(self, server: Server) -> None:
        self._server = server

    def routes(self) -> Iterator[Route]:
        """All of them."""
        for base in (_ALL, _WEB):
            yield route("GET", base + "/serverfarms", self._plans)
            yield route("GET", base + "/sites", self._sites)
        yield route("GET", _PLAN, self._get_plan)
        yield route("PUT", _PLAN, self._put_plan)
        yield route("DELETE", _PLAN, self._delete_plan)
        yield route("GET", _SITE, self._get_site)
        yield route("PUT", _SITE, self._put_site)
        yield route("DELETE", _SITE, self._delete_site)
        for base in (_SITE, _SITE + "/slots/{slot}"):
            yield route("GET", base + "/hybridConnectionRelays", self._attachments)
            yield route("GET", base + _RELAY, self._get_attachment)
            yield route("PUT", base + _RELAY, self._attach)
            yield route("PATCH", base + _RELAY, self._change)
            yield route("DELETE", base + _RELAY, self._detach)
            yield route("GET", base + "/hybridconnection", _no_classics)
            classic = base + "/hybridconnection/{name}"
            yield route("GET", classic, _no_classic)
            for method in ("PUT", "PATCH", "DELETE"):
                yield route(method, classic, _gone, changes=False)
        yield route("GET", _PLAN + "/hybridConnectionRelays", self._used)
        limits = _PLAN + "/hybridConnectionPlanLimits/limit"
        yield route("GET", limits, self._limits)
        yield route("GET", _PLAN + _RELAY, self._get_used)
        yield route("DELETE", _PLAN + _RELAY, self._remove_everywhere)
        yield route("POST", _PLAN + _RELAY + "/listKeys", self._key)
        yield route("GET", _PLAN + _RELAY + "/sites", self._users)

    def _at(self, call: Call) -> WebOperations:
        return WebOperations(self._server, call.draft)

    # --- plans and apps ---

    def _plans(self, call: Call) -> Result:
        operations = self._at(call)
        found = {
            one.key: one
            for one in call.draft.below(PlanResource, (fold(call["sub"]),))
            if fold(call.values.get("rg", one.group)) == fold(one.group)
        }
        return call.page(sorted(found), lambda key: operations.show_plan(found[key]))

    def _sites(self, call: Call) -> Result:
        operations = self._at(call)
        found = {
            one.key: one
            for one in call.draft.below(SiteResource, (fold(call["sub"]),))
            if fold(call.values.get("rg", one.group)) == fold(one.group)
        }
        return call.page(sorted(found), lambda key: operations.show_site(found[key]))

    def _plan(self, call: Call) -> tuple[WebOperations, PlanResource]:
        operations = self._at(call)
        return operations, operations.plan(call["sub"], call["rg"], call["plan"])

    def _get_plan(self, call: Call) -> Result:
        operations, plan = self._plan(call)
        return Result(200, operations.show_plan(plan))

    def _put_plan(self, call: Call) -> Result:
        operations = self._at(call)
        plan = operations.put_plan(call["sub"], call["rg"], call["plan"], call.body)
        return Result(200, operations.show_plan(plan))

    def _delete_plan(self, call: Call) -> Result:
        operations = self._at(call)
        try:
            plan = operations.plan(call["sub"], call["rg"], call["plan"])
        except ApiError:
            return Result(204)
        operations.delete_plan(plan)
        return Result(200)

    def _site(self, call: Call) -> tuple[WebOperations, SiteResource]:
        operations = self._at(call)
        return operations, operations.site(call["sub"], call["rg"], call["site"])

    def _get_site(self, call: Call) -> Result:
        operations, site = self._site(call)
        return Result(200, operations.show_site(site))

    def _put_site(self, call: Call) -> Result:
        operations = self._at(call)
        site = operations.put_site(call["sub"], call["rg"], call["site"], call.body)
        return Result(200, operations.show_site(site))

    def _delete_site(self, call: Call) -> Result:
        operations = self._at(call)
        try:
            site = operations.site(call["sub"], call["rg"], call["site"])
        except ApiError:
            return Result(204)
        operations.delete_site(site)
        return Result(200)

    # --- what an app uses ---

    def _attachments(self, call: Call) -> Result:
        operations, site = self._site(call)
        slot = call.values.get("slot", "")
        place = site_id(site, slot)
        # Both clients take the list for one object, and nobody follows a link.
        return Result(
            200,
            {
                "value": [
                    operations.show_attachment(place, one)
                    for one in operations.attachments(site, slot)
                ]
            },
        )

    def _get_attachment(self, call: Call) -> Result:
        operations, site = self._site(call)
        slot = call.values.get("slot", "")
        one = operations.attachment(site, slot, call["ns"], call["hc"])
        return Result(200, operations.show_attachment(site_id(site, slot), one))

    def _attach(self, call: Call) -> Result:
        operations, site = self._site(call)
        slot = call.values.get("slot", "")
        one = operations.attach(site, slot, call["ns"], call["hc"], call.body)
        return Result(200, operations.show_attachment(site_id(site, slot), one))

    def _change(self, call: Call) -> Result:
        operations, site = self._site(call)
        slot = call.values.get("slot", "")
        one = operations.attachment(site, slot, call["ns"], call["hc"])
        changed = operations.change(one, call.body)
        return Result(200, operations.show_attachment(site_id(site, slot), changed))

    def _detach(self, call: Call) -> Result:
        operations, site = self._site(call)
        slot = call.values.get("slot", "")
        one = operations.attachment(site, slot, call["ns"], call["hc"])
        operations.detach([one])
        return Result(200)

    # --- what a plan uses ---

    def _used(self, call: Call) -> Result:
        operations, plan = self._plan(call)
        found = operations.used_in(plan)

        def show(key: Key) -> Json:
            return operations.show_attachment(plan_id(plan), found[key][0])

        return call.page(sorted(found), show)

    def _limits(self, call: Call) -> Result:
        operations, plan = self._plan(call)
        return Result(200, operations.show_limits(plan))

    def _get_used(self, call: Call) -> Result:
        operations, plan = self._plan(call)
        used = operations.used(plan, call["ns"], call["hc"])
        return Result(200, operations.show_attachment(plan_id(plan), used[0]))

    def _remove_everywhere(self, call: Call) -> Result:
        operations = self._at(call)
        try:
            plan = operations.plan(call["sub"], call["rg"], call["plan"])
            used = operations.used(plan, call["ns"], call["hc"])
        except ApiError:
            return Result(204)
        operations.detach(used)
        return Result(200)

    def _key(self, call: Call) -> Result:
        operations, plan = self._plan(call)
        used = operations.used(plan, call["ns"], call["hc"])
        return Result(200, operations.show_key(plan, used))

    def _users(self, call: Call) -> Result:
        operations, plan = self._plan(call)
        used = operations.used(plan, call["ns"], call["hc"])
        names = {fold(one.site) for one in used}
        sites = {site.key: site for site in operations.sites_of(plan)}

        def show(key: Key) -> Json:
            return {"id": site_id(sites[key]), "name": sites[key].name}

        return call.page([key for key in sorted(sites) if key[0] in names], show)


def _no_classics(call: Call) -> Result:
    return Result(200, {"value": []})


def _no_classic(call: Call) -> Result:
    raise not_found(f"The classic hybrid connection '{call['name']}'")


def _gone(call: Call) -> Result:
    raise ApiError(
        410, "Gone", "Classic (BizTalk) hybrid connections ended on 31 May 2018."
    )
