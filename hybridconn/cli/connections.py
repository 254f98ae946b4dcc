"""C{hybridconn connection} and C{hybridconn connection-string}."""

from __future__ import annotations

from typing import Any

import click

from hybridconn.cli.completing import namespace_argument, path_argument
from hybridconn.cli.managing import (
    Output,
    confirm,
    make_new,
    managed,
    member,
    name_of,
    yes_option,
)
from hybridconn.cli.remote import Remote
from hybridconn.core.entities import endpoint_metadata
from hybridconn.core.host_port import parse_host_port
from hybridconn.core.resources import LISTENER_RULE, SENDER_RULE

_endpoint = click.option("--endpoint", metavar="HOST:PORT", help="What it stands for.")
_metadata = click.option(
    "--metadata", metavar="TEXT", help="Free text in the place of an endpoint."
)


@click.group("connection")
def connection_group() -> None:
    """Hybrid connections."""


@connection_group.command("list")
@namespace_argument
@managed
def list_connections(remote: Remote, output: Output, namespace: str) -> None:
    """List the hybrid connections of NAMESPACE."""
    output.items(
        remote.every(remote.namespace(namespace) + "/hybridConnections"),
        {
            "name": name_of,
            "listeners": member("listenerCount"),
            "token": lambda one: (
                "needed" if one["properties"]["requiresClientAuthorization"] else "no"
            ),
            "status": member("status"),
            "metadata": member("userMetadata"),
        },
    )


@connection_group.command("create")
@namespace_argument
@click.argument("path")
@_endpoint
@_metadata
@click.option("--anonymous", is_flag=True, help="Senders need no token.")
@managed
def create_connection(
    remote: Remote,
    output: Output,
    namespace: str,
    path: str,
    endpoint: str | None,
    metadata: str | None,
    anonymous: bool,
) -> None:
    """Make the hybrid connection PATH in NAMESPACE."""
    properties: dict[str, Any] = {"requiresClientAuthorization": not anonymous}
    properties |= _metadata_of(endpoint, metadata)
    what = f"hybrid connection {namespace}/{path}"
    place = remote.place(namespace, path)
    output.one(make_new(remote, what, place, {"properties": properties}))


@connection_group.command("show")
@namespace_argument
@path_argument
@managed
def show_connection(remote: Remote, output: Output, namespace: str, path: str) -> None:
    """Show the hybrid connection PATH of NAMESPACE."""
    output.one(remote.call("GET", remote.place(namespace, path)))


@connection_group.command(
    "update", short_help="Change a hybrid connection; the rest stays."
)
@namespace_argument
@path_argument
@_endpoint
@_metadata
@click.option(
    "--anonymous/--authorized",
    "anonymous",
    default=None,
    help="Whether senders need no token.",
)
@click.option(
    "--enable/--disable",
    "enable",
    default=None,
    help="Disabled, nobody reaches it: what is connected is closed.",
)
@yes_option
@managed
def update_connection(
    remote: Remote,
    output: Output,
    namespace: str,
    path: str,
    endpoint: str | None,
    metadata: str | None,
    anonymous: bool | None,
    enable: bool | None,
    yes: bool,
) -> None:
    """Change the hybrid connection PATH of NAMESPACE; what is not given stays."""
    changes: dict[str, Any] = _metadata_of(endpoint, metadata)
    if anonymous is not None:
        changes["requiresClientAuthorization"] = not anonymous
    if enable is not None:
        changes["status"] = "Active" if enable else "Disabled"
    place = remote.place(namespace, path)
    properties = remote.call("GET", place)["properties"] | changes
    if enable is False:
        what = f"hybrid connection {namespace}/{path}"
        confirm(f"Close all that is connected to {what}?", yes)
    output.one(remote.call("PUT", place, {"properties": properties}))


@connection_group.command("delete")
@namespace_argument
@path_argument
@yes_option
@managed
def delete_connection(
    remote: Remote, output: Output, namespace: str, path: str, yes: bool
) -> None:
    """Remove the hybrid connection PATH of NAMESPACE; its tunnels end."""
    confirm(f"Remove hybrid connection {namespace}/{path}?", yes)
    remote.delete(remote.place(namespace, path))


def _metadata_of(endpoint: str | None, metadata: str | None) -> dict[str, str]:
    if endpoint is not None and metadata is not None:
        raise click.UsageError("give --endpoint or --metadata, not both")
    if metadata is not None:
        return {"userMetadata": metadata}
    if endpoint is None:
        return {}
    try:
        parse_host_port(endpoint)
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--endpoint") from None
    return {"userMetadata": endpoint_metadata(endpoint)}


@click.command(
    "connection-string", short_help="Print a listener's or sender's connection string."
)
@namespace_argument
@path_argument
@click.option(
    "--for",
    "role",
    type=click.Choice(["listener", "sender"]),
    default="listener",
    show_default=True,
    help="Whose it is to be.",
)
@managed
def connection_string(
    remote: Remote, output: Output, namespace: str, path: str, role: str
) -> None:
    """
    Print the connection string of a listener or sender: a secret.

    That of a listener is the gateway connection string for a connection manager.
    """
    rule = LISTENER_RULE if role == "listener" else SENDER_RULE
    keys = remote.call("POST", remote.rule(namespace, path, rule) + "/listKeys")
    text = keys["primaryConnectionString"]
    if output.as_json:
        output.json({"connectionString": text})
    else:
        click.echo(text)
