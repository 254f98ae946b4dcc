"""C{hybridconn app}: apps, and the hybrid connections that each uses."""

from __future__ import annotations

from typing import Any

import click

from hybridconn.cli.completing import (
    complete_app,
    complete_plan,
    namespace_argument,
    path_argument,
)
from hybridconn.cli.managing import (
    Output,
    confirm,
    make_new,
    managed,
    member,
    name_of,
    yes_option,
)
from hybridconn.cli.plans import USED, used_place
from hybridconn.cli.remote import Remote

_name = click.argument("name", shell_complete=complete_app)
_slot = click.option("--slot", help="A slot of the app, not the app itself.")
_plan = click.option(
    "--plan", required=True, shell_complete=complete_plan, help="Of the same group."
)


@click.group("app")
def app_group() -> None:
    """Apps that use hybrid connections."""


@app_group.command("list")
@managed
def list_apps(remote: Remote, output: Output) -> None:
    """List the apps of the group."""
    output.items(
        remote.every(remote.app()),
        {
            "name": name_of,
            "plan": lambda one: member("serverFarmId")(one).rpartition("/")[2],
            "host": member("defaultHostName"),
        },
    )


@app_group.command("create")
@click.argument("name")
@_plan
@click.option("--location", default="local", show_default=True)
@managed
def create_app(
    remote: Remote, output: Output, name: str, plan: str, location: str
) -> None:
    """Make the app NAME in a plan."""
    body = {"location": location, "properties": {"serverFarmId": remote.plan(plan)}}
    output.one(make_new(remote, f"app {name}", remote.app(name), body))


@app_group.command("show")
@_name
@managed
def show_app(remote: Remote, output: Output, name: str) -> None:
    """Show the app NAME."""
    output.one(remote.call("GET", remote.app(name)))


@app_group.command("update")
@_name
@_plan
@managed
def update_app(remote: Remote, output: Output, name: str, plan: str) -> None:
    """Move the app NAME to another plan, with what it uses."""
    known = remote.call("GET", remote.app(name))
    body = {
        "location": known["location"],
        "tags": known["tags"],
        "properties": {"serverFarmId": remote.plan(plan)},
    }
    output.one(remote.call("PUT", remote.app(name), body))


@app_group.command("delete", short_help="Remove an app; the hybrid connections stay.")
@_name
@yes_option
@managed
def delete_app(remote: Remote, output: Output, name: str, yes: bool) -> None:
    """Remove the app NAME; the hybrid connections that it used stay."""
    confirm(f"Remove app {name}?", yes)
    remote.delete(remote.app(name))


@app_group.command("connections")
@_name
@_slot
@managed
def list_attached(remote: Remote, output: Output, name: str, slot: str | None) -> None:
    """List the hybrid connections that the app NAME uses."""
    place = remote.app(name, slot) + "/hybridConnectionRelays"
    output.items(remote.every(place), USED)


@app_group.command("attach", short_help="Have an app use a hybrid connection.")
@_name
@namespace_argument
@path_argument
@_slot
@click.option("--host", help="In the place of the endpoint's own.")
@click.option("--port", type=click.IntRange(1, 65535), help="The same for its port.")
@managed
def attach(
    remote: Remote,
    output: Output,
    name: str,
    namespace: str,
    path: str,
    slot: str | None,
    host: str | None,
    port: int | None,
) -> None:
    """Have the app NAME use the hybrid connection PATH of NAMESPACE."""
    properties: dict[str, Any] = {}
    if host is not None:
        properties["hostname"] = host
    if port is not None:
        properties["port"] = port
    place = used_place(remote.app(name, slot), namespace, path)
    output.one(remote.call("PUT", place, {"properties": properties}))


@app_group.command("detach", short_help="Have an app use a hybrid connection no more.")
@_name
@namespace_argument
@path_argument
@_slot
@yes_option
@managed
def detach(
    remote: Remote,
    output: Output,
    name: str,
    namespace: str,
    path: str,
    slot: str | None,
    yes: bool,
) -> None:
    """Have the app NAME use the hybrid connection PATH no more; that stays."""
    confirm(f"Detach {namespace}/{path} from app {name}?", yes)
    remote.delete(used_place(remote.app(name, slot), namespace, path))
