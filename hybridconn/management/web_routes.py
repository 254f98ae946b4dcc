"""The paths of Microsoft.Web (management-api section 8)."""

from __future__ import annotations

from collections.abc import Iterator

from hybridconn.core.names import fold
from hybridconn.core.resources import (
    AttachmentResource,
    Key,
    PlanResource,
    SiteResource,
)
from hybridconn.management import web_schemas as shapes
from hybridconn.management.about import About
from hybridconn.management.attachment_operations import AttachmentOperations
from hybridconn.management.calls import Call, Json, Result
from hybridconn.management.errors import ApiError, not_found, of_parent
from hybridconn.management.ids import site_id
from hybridconn.management.routing import Route, route
from hybridconn.management.schemas import ANYTHING, EMPTY_LIST, list_of
from hybridconn.management.server import Server
from hybridconn.management.usage import sites_of, used_in
from hybridconn.management.web_operations import WebOperations

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
        yield from self._of_plans()
        yield from self._of_sites()
        yield from self._of_attachments(_SITE, "WebApps", "")
        yield from self._of_attachments(_SITE + "/slots/{slot}", "WebApps", "Slot")
        yield from self._of_usage()

    def _of_plans(self) -> Iterator[Route]:
        for base, name, where in (
            (_ALL, "AppServicePlansList", "the subscription"),
            (_WEB, "AppServicePlansListByResourceGroup", "a resource group"),
        ):
            about = About(name, f"List the plans of {where}", shapes.PLAN, paged=True)
            yield route("GET", base + "/serverfarms", self._plans, about=about)
        about = About("AppServicePlansGet", "Show a plan", shapes.PLAN)
        yield route("GET", _PLAN, self._get_plan, about=about)
        about = About(
            "AppServicePlansCreateOrUpdate",
            "Make a plan, or change one",
            shapes.PLAN,
            shapes.PLAN_PUT,
            refusals=(409,),
        )
        yield route("PUT", _PLAN, self._put_plan, about=about)
        about = About(
            "AppServicePlansDelete",
            "Remove a plan that has no apps",
            statuses=(200, 204),
            refusals=(409,),
        )
        yield route("DELETE", _PLAN, self._delete_plan, about=about)

    def _of_sites(self) -> Iterator[Route]:
        for base, name, where in (
            (_ALL, "WebAppsList", "the subscription"),
            (_WEB, "WebAppsListByResourceGroup", "a resource group"),
        ):
            about = About(name, f"List the apps of {where}", shapes.SITE, paged=True)
            yield route("GET", base + "/sites", self._sites, about=about)
        about = About("WebAppsGet", "Show an app", shapes.SITE)
        yield route("GET", _SITE, self._get_site, about=about)
        about = About(
            "WebAppsCreateOrUpdate",
            "Make an app, or change one",
            shapes.SITE,
            shapes.SITE_PUT,
            refusals=(409,),
        )
        yield route("PUT", _SITE, self._put_site, about=about)
        about = About(
            "WebAppsDelete",
            "Remove an app; the hybrid connections that it uses stay",
            statuses=(200, 204),
        )
        yield route("DELETE", _SITE, self._delete_site, about=about)

    def _of_attachments(self, base: str, kind: str, slot: str) -> Iterator[Route]:
        shown, place = shapes.SITE_ATTACHMENT, base + _RELAY
        about = About(
            f"{kind}ListHybridConnections{slot}",
            "List what an app uses, in one answer",
            list_of(shown),
        )
        path = base + "/hybridConnectionRelays"
        yield route("GET", path, self._attachments, about=about)
        about = About(f"{kind}GetHybridConnection{slot}", "Show one", shown)
        yield route("GET", place, self._get_attachment, about=about)
        about = About(
            f"{kind}CreateOrUpdateHybridConnection{slot}",
            "Have an app use a hybrid connection",
            shown,
            shapes.ATTACHMENT_PUT,
            needs_body=False,
        )
        yield route("PUT", place, self._attach, about=about)
        about = About(
            f"{kind}UpdateHybridConnection{slot}",
            "Change what is given",
            shown,
            shapes.ATTACHMENT_PUT,
            needs_body=False,
        )
        yield route("PATCH", place, self._change, about=about)
        about = About(
            f"{kind}DeleteHybridConnection{slot}",
            "Have an app use it no more; 404 if it did not",
        )
        yield route("DELETE", place, self._detach, about=about)
        yield from self._of_classics(base + "/hybridconnection", kind, slot)

    def _of_classics(self, path: str, kind: str, slot: str) -> Iterator[Route]:
        """BizTalk's."""
        about = About(
            f"{kind}ListRelayServiceConnections{slot}",
            "List classic hybrid connections: none",
            EMPTY_LIST,
        )
        yield route("GET", path, self._no_classics, about=about)
        path += "/{name}"
        about = About(
            f"{kind}GetRelayServiceConnection{slot}",
            "Show a classic one: there is none",
            statuses=(),
        )
        yield route("GET", path, _no_classic, about=about)
        for method, verb in (
            ("PUT", "CreateOrUpdate"),
            ("PATCH", "Update"),
            ("DELETE", "Delete"),
        ):
            about = About(
                f"{kind}{verb}RelayServiceConnection{slot}",
                "Not possible: they ended in 2018",
                body=None if method == "DELETE" else ANYTHING,
                needs_body=False,
                statuses=(),
                refusals=(410,),
            )
            yield route(method, path, _gone, changes=False, about=about)

    def _of_usage(self) -> Iterator[Route]:
        shown, place = shapes.PLAN_ATTACHMENT, _PLAN + _RELAY
        about = About(
            "AppServicePlansListHybridConnections",
            "List what the apps of a plan use, each once",
            shown,
            paged=True,
        )
        path = _PLAN + "/hybridConnectionRelays"
        yield route("GET", path, self._used, about=about)
        about = About(
            "AppServicePlansGetHybridConnectionPlanLimit",
            "Show how many are used, and how many may be",
            shapes.PLAN_LIMIT,
        )
        path = _PLAN + "/hybridConnectionPlanLimits/limit"
        yield route("GET", path, self._limits, about=about)
        about = About("AppServicePlansGetHybridConnection", "Show one", shown)
        yield route("GET", place, self._get_used, about=about)
        about = About(
            "AppServicePlansDeleteHybridConnection",
            "Have no app of the plan use it any more",
            statuses=(200, 204),
        )
        yield route("DELETE", place, self._remove_everywhere, about=about)
        about = About(
            "AppServicePlansListHybridConnectionKeys",
            "Show the key that was set last",
            shapes.SEND_KEY,
        )
        path = place + "/listKeys"
        yield route("POST", path, self._key, changes=False, about=about, send_key=True)
        about = About(
            "AppServicePlansListWebAppsByHybridConnection",
            "List the apps that use one",
            shapes.SITE_NAME_AND_ID,
            paged=True,
        )
        yield route("GET", place + "/sites", self._users, about=about)

    def _at(self, call: Call) -> WebOperations:
        return WebOperations(self._server, call.draft)

    def _uses(self, call: Call) -> AttachmentOperations:
        return AttachmentOperations(self._server, call.draft)

    # --- plans and apps ---

    def _plans(self, call: Call) -> Result:
        operations = self._at(call)
        # By name first: groups may have plans of the same name.
        found: dict[Key, PlanResource] = {
            (fold(one.name), fold(one.group)): one
            for one in call.draft.below(PlanResource, (fold(call["sub"]),))
            if fold(call.values.get("rg", one.group)) == fold(one.group)
        }
        return call.page(
            sorted(found), lambda key: operations.show_plan(found[key]), siblings=False
        )

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

    def _of_site(self, call: Call) -> tuple[AttachmentOperations, SiteResource, str]:
        """Where it is, for what is in it, and the slot."""
        _, site = of_parent(lambda: self._site(call))
        return self._uses(call), site, call.values.get("slot", "")

    def _attachment(
        self, call: Call
    ) -> tuple[AttachmentOperations, SiteResource, AttachmentResource]:
        operations, site, slot = self._of_site(call)
        one = operations.attachment(site, slot, call["ns"], call["hc"])
        return operations, site, one

    def _attachments(self, call: Call) -> Result:
        operations, site, slot = self._of_site(call)
        found = operations.attachments(site, slot)
        # Both clients take the list for one object, and nobody follows a link.
        shown = [operations.show_attachment(site, one) for one in found]
        return Result(200, {"value": shown})

    def _get_attachment(self, call: Call) -> Result:
        operations, site, one = self._attachment(call)
        return Result(200, operations.show_attachment(site, one))

    def _attach(self, call: Call) -> Result:
        operations, site, slot = self._of_site(call)
        one = operations.attach(site, slot, call["ns"], call["hc"], call.body)
        return Result(200, operations.show_attachment(site, one))

    def _change(self, call: Call) -> Result:
        operations, site, one = self._attachment(call)
        changed = operations.change(one, call.body)
        return Result(200, operations.show_attachment(site, changed))

    def _detach(self, call: Call) -> Result:
        operations, _, one = self._attachment(call)
        operations.detach([one])
        return Result(200)

    def _no_classics(self, call: Call) -> Result:
        self._of_site(call)
        return Result(200, {"value": []})

    # --- what a plan uses ---

    def _of_plan(self, call: Call) -> tuple[AttachmentOperations, PlanResource]:
        _, plan = of_parent(lambda: self._plan(call))
        return self._uses(call), plan

    def _used(self, call: Call) -> Result:
        operations, plan = self._of_plan(call)
        used = used_in(call.draft, plan)
        found = {key[::-1]: attached[0] for key, attached in used.items()}

        def show(key: Key) -> Json:
            shown = operations.show_attachment(plan, found[key])
            return shown | {"etag": operations.key_etag(used[key[::-1]])}

        return call.page(sorted(found), show, siblings=False)

    def _limits(self, call: Call) -> Result:
        operations, plan = self._of_plan(call)
        return Result(200, operations.show_limits(plan))

    def _get_used(self, call: Call) -> Result:
        operations, plan = self._of_plan(call)
        used = operations.used(plan, call["ns"], call["hc"])
        shown = operations.show_attachment(plan, used[0])
        return Result(200, shown | {"etag": operations.key_etag(used)})

    def _remove_everywhere(self, call: Call) -> Result:
        operations = self._uses(call)
        try:
            _, plan = self._plan(call)
            used = operations.used(plan, call["ns"], call["hc"])
        except ApiError:
            return Result(204)
        operations.detach(used)
        return Result(200)

    def _key(self, call: Call) -> Result:
        operations, plan = self._of_plan(call)
        used = operations.used(plan, call["ns"], call["hc"])
        return Result(200, operations.show_key(plan, used))

    def _users(self, call: Call) -> Result:
        operations, plan = self._of_plan(call)
        used = operations.used(plan, call["ns"], call["hc"])
        names = {fold(one.site) for one in used}
        sites = {site.key: site for site in sites_of(call.draft, plan)}

        def show(key: Key) -> Json:
            return {"id": site_id(sites[key]), "name": sites[key].name}

        return call.page([key for key in sorted(sites) if key[0] in names], show)


def _no_classic(call: Call) -> Result:
    raise not_found(f"The classic hybrid connection '{call['name']}'")


def _gone(call: Call) -> Result:
    raise ApiError(
        410, "Gone", "Classic (BizTalk) hybrid connections ended on 31 May 2018."
    )
