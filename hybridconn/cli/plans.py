"""C{hybridconn plan}: App Service plans, and what their apps use."""

from __future__ import annotations

from urllib.parse import quote

import click

from hybridconn.cli.completing import complete_plan, namespace_argument, path_argument
from hybridconn.cli.managing import (
    Columns,
    Output,
    confirm,
    make_new,
    managed,
    member,
    name_of,
    yes_option,
)
from hybridconn.cli.remote import Remote

_name = click.argument("name", shell_complete=complete_plan)

#: Of hybrid connections that apps use.
USED: Columns = {
    "namespace": member("serviceBusNamespace"),
    "connection": member("relayName"),
    "host": member("hostname"),
    "port": member("port"),
    "key": member("sendKeyName"),
}


def used_place(place: str, namespace: str, path: str) -> str:
    """A hybrid connection at an app or plan."""
    return (
        f"{place}/hybridConnectionNamespaces/{quote(namespace, safe='')}"
        f"/relays/{quote(path, safe='')}"
    )


@click.group("plan", short_help="App Service plans, and how much their apps may use.")
def plan_group() -> None:
    """App Service plans: how many hybrid connections their apps may use."""


@plan_group.command("list")
@managed
def list_plans(remote: Remote, output: Output) -> None:
    """List the plans of the group."""
    output.items(
        remote.every(remote.plan()),
        {
            "name": name_of,
            "sku": lambda one: one["sku"]["name"],
            "tier": lambda one: one["sku"]["tier"],
            "apps": member("numberOfSites"),
        },
    )


@plan_group.command("create")
@click.argument("name")
@click.option("--sku", default="B1", show_default=True, help="Such as B1, S1 or P1v3.")
@click.option("--location", default="local", show_default=True)
@managed
def create_plan(
    remote: Remote, output: Output, name: str, sku: str, location: str
) -> None:
    """Make the plan NAME."""
    body = {"location": location, "sku": {"name": sku}}
    output.one(make_new(remote, f"plan {name}", remote.plan(name), body))


@plan_group.command("show")
@_name
@managed
def show_plan(remote: Remote, output: Output, name: str) -> None:
    """Show the plan NAME."""
    output.one(remote.call("GET", remote.plan(name)))


@plan_group.command("update")
@_name
@click.option("--sku", required=True, help="Such as B1, S1 or P1v3.")
@managed
def update_plan(remote: Remote, output: Output, name: str, sku: str) -> None:
    """Give the plan NAME another tier; what its apps use stays."""
    known = remote.call("GET", remote.plan(name))
    body = {
        "location": known["location"],
        "tags": known["tags"],
        "sku": {"name": sku, "capacity": known["sku"]["capacity"]},
    }
    output.one(remote.call("PUT", remote.plan(name), body))


@plan_group.command("delete")
@_name
@yes_option
@managed
def delete_plan(remote: Remote, output: Output, name: str, yes: bool) -> None:
    """Remove the plan NAME; it must have no apps."""
    confirm(f"Remove plan {name}?", yes)
    remote.delete(remote.plan(name))


@plan_group.command("limit", short_help="Show what a plan uses, and its limit.")
@_name
@managed
def show_limit(remote: Remote, output: Output, name: str) -> None:
    """Show how many hybrid connections the plan NAME uses, and may use."""
    limit = remote.call("GET", remote.plan(name) + "/hybridConnectionPlanLimits/limit")
    output.one(limit)


@plan_group.command("connections", short_help="List what a plan's apps use.")
@_name
@managed
def list_used(remote: Remote, output: Output, name: str) -> None:
    """List the hybrid connections that apps of the plan NAME use, each once."""
    output.items(remote.every(remote.plan(name) + "/hybridConnectionRelays"), USED)


@plan_group.command(
    "users", short_help="List the apps of a plan that use a hybrid connection."
)
@_name
@namespace_argument
@path_argument
@managed
def list_users(
    remote: Remote, output: Output, name: str, namespace: str, path: str
) -> None:
    """List the apps of the plan NAME that use the hybrid connection PATH."""
    place = used_place(remote.plan(name), namespace, path)
    output.items(
        remote.every(place + "/sites"), {"app": name_of, "id": lambda one: one["id"]}
    )


@plan_group.command(
    "detach", short_help="Have no app of a plan use a hybrid connection."
)
@_name
@namespace_argument
@path_argument
@yes_option
@managed
def detach_everywhere(
    remote: Remote, output: Output, name: str, namespace: str, path: str, yes: bool
) -> None:
    """Have no app of the plan NAME use the hybrid connection PATH any more."""
    confirm(f"Detach {namespace}/{path} from all apps of plan {name}?", yes)
    remote.delete(used_place(remote.plan(name), namespace, path))
