"""C{hybridconn namespace} and C{hybridconn network}."""

from __future__ import annotations

from typing import Any

import click

from hybridconn.cli.completing import complete_namespace, namespace_argument
from hybridconn.cli.managing import (
    Output,
    confirm,
    make_new,
    managed,
    member,
    name_of,
    tag_option,
    tags_of,
    yes_option,
)
from hybridconn.cli.remote import Remote

_minimum_tls = click.option(
    "--minimum-tls",
    type=click.Choice(["1.2", "1.3"]),
    help="The oldest TLS by which listeners and senders may come.",
)
_name = click.argument("name", shell_complete=complete_namespace)


@click.group("namespace")
def namespace_group() -> None:
    """Namespaces."""


@namespace_group.command("list")
@managed
def list_namespaces(remote: Remote, output: Output) -> None:
    """List the namespaces of the group."""
    output.items(
        remote.every(remote.namespace()),
        {
            "name": name_of,
            "endpoint": member("serviceBusEndpoint"),
            "access": member("publicNetworkAccess"),
            "created": member("createdAt"),
        },
    )


@namespace_group.command("create")
@click.argument("name")
@click.option("--location", default="local", show_default=True)
@_minimum_tls
@tag_option
@managed
def create_namespace(
    remote: Remote,
    output: Output,
    name: str,
    location: str,
    minimum_tls: str | None,
    tags: tuple[str, ...],
) -> None:
    """Make the namespace NAME."""
    body: dict[str, Any] = {"location": location, "tags": tags_of(tags)}
    if minimum_tls is not None:
        body["properties"] = {"minimumTlsVersion": minimum_tls}
    place = remote.namespace(name)
    output.one(make_new(remote, f"namespace {name}", place, body))


@namespace_group.command("show")
@_name
@managed
def show_namespace(remote: Remote, output: Output, name: str) -> None:
    """Show the namespace NAME."""
    output.one(remote.call("GET", remote.namespace(name)))


@namespace_group.command("update")
@_name
@_minimum_tls
@click.option(
    "--enable/--disable",
    "enable",
    default=None,
    help="Disabled, nobody reaches it: what is connected is closed.",
)
@tag_option
@yes_option
@managed
def update_namespace(
    remote: Remote,
    output: Output,
    name: str,
    minimum_tls: str | None,
    enable: bool | None,
    tags: tuple[str, ...],
    yes: bool,
) -> None:
    """Change the namespace NAME; what is not given stays."""
    properties = {}
    if minimum_tls is not None:
        properties["minimumTlsVersion"] = minimum_tls
    if enable is not None:
        properties["publicNetworkAccess"] = "Enabled" if enable else "Disabled"
    body: dict[str, Any] = {"properties": properties}
    if tags:
        body["tags"] = tags_of(tags)
    if enable is False:
        confirm(f"Close all that is connected to namespace {name}?", yes)
    output.one(remote.call("PATCH", remote.namespace(name), body))


@namespace_group.command("delete")
@_name
@yes_option
@managed
def delete_namespace(remote: Remote, output: Output, name: str, yes: bool) -> None:
    """Remove the namespace NAME with all that is in it."""
    confirm(f"Remove namespace {name} with all that is in it?", yes)
    remote.delete(remote.namespace(name))


# --- network rules ---


@click.group("network")
def network_group() -> None:
    """From where a namespace may be reached."""


@network_group.command("show")
@namespace_argument
@managed
def show_network(remote: Remote, output: Output, namespace: str) -> None:
    """Show the network rules of NAMESPACE."""
    output.one(remote.call("GET", _rule_set(remote, namespace)))


@network_group.command(
    "set", short_help="Let a namespace be reached from some networks only."
)
@namespace_argument
@click.option(
    "--only",
    "networks",
    multiple=True,
    metavar="NETWORK",
    help="An IP address or a network such as 10.0.0.0/8; may be repeated.",
)
@click.option("--anybody", is_flag=True, help="From everywhere, as in the beginning.")
@managed
def set_network(
    remote: Remote,
    output: Output,
    namespace: str,
    networks: tuple[str, ...],
    anybody: bool,
) -> None:
    """Let NAMESPACE be reached from some networks only; what is connected stays."""
    if anybody == bool(networks):
        raise click.UsageError("give --only NETWORK, or --anybody")
    rules = [{"ipMask": network, "action": "Allow"} for network in networks]
    properties = {"defaultAction": "Allow" if anybody else "Deny", "ipRules": rules}
    place = _rule_set(remote, namespace)
    output.one(remote.call("PUT", place, {"properties": properties}))


def _rule_set(remote: Remote, namespace: str) -> str:
    return remote.namespace(namespace) + "/networkRuleSets/default"
