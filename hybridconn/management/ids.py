"""The ids of resources: their paths."""

from __future__ import annotations

from hybridconn.core.resources import NamespaceResource, PlanResource, SiteResource


def namespace_id(one: NamespaceResource) -> str:
    """The resource id of a namespace."""
    return (
        f"/subscriptions/{one.subscription}/resourceGroups/{one.group}"
        f"/providers/Microsoft.Relay/namespaces/{one.name}"
    )


def connection_id(one: NamespaceResource, path: str) -> str:
    """The resource id of a hybrid connection."""
    escaped = path.replace("/", "%2F")
    return f"{namespace_id(one)}/hybridConnections/{escaped}"


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
