"""
C{hybridconn namespace}, C{connection}, C{rule}, C{key} and C{connection-string}: what a
relay's management API does, for people.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote

import click
from rich.console import Console
from rich.table import Table

from hybridconn.cli.remote import CA_VARIABLE, URL_VARIABLE, Remote
from hybridconn.config.addresses import parse_host_port
from hybridconn.config.management import DEFAULT_SUBSCRIPTION
from hybridconn.core.entities import endpoint_metadata
from hybridconn.core.resources import LISTENER_RULE, SENDER_RULE

_RIGHTS = ("Listen", "Send", "Manage")


def _remote(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say which relay it is about."""

    @click.option(
        "--url",
        envvar=URL_VARIABLE,
        metavar="URL",
        help="https://HOST:PORT of the API.",
    )
    @click.option(
        "--token-file", metavar="FILE", help="A private file that holds the token."
    )
    @click.option(
        "--ca-file",
        envvar=CA_VARIABLE,
        metavar="FILE",
        help="PEM file with a further authority to trust.",
    )
    @click.option("--subscription", default=DEFAULT_SUBSCRIPTION, metavar="GUID")
    @click.option(
        "--group", default="default", show_default=True, help="The resource group."
    )
    @click.option(
        "--output",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
    )
    @functools.wraps(command)
    def run(
        *,
        url: str | None,
        token_file: str | None,
        ca_file: str | None,
        subscription: str,
        group: str,
        output: str,
        **more: Any,
    ) -> None:
        remote = Remote.from_options(url, token_file, ca_file, subscription, group)
        command(remote, _Output(output == "json"), **more)

    return run


class _Output:
    """Prints what came."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json

    def items(
        self,
        items: Iterable[dict[str, Any]],
        columns: Mapping[str, Callable[[dict[str, Any]], Any]],
    ) -> None:
        """Several things, a row each."""
        found = list(items)
        if self._as_json:
            click.echo(json.dumps(found, indent=2))
            return
        table: Any = Table(*columns, box=None)
        for item in found:
            cells = _cells(item, columns.values())
            table.add_row(*cells)
        # What is no terminal has no width: nothing is cut off.
        terminal = sys.stdout.isatty()
        Console(width=None if terminal else 1000).print(table)

    def one(self, item: Any) -> None:
        """One thing, line by line."""
        if self._as_json:
            click.echo(json.dumps(item, indent=2))
            return
        for name, value in _flat(item):
            click.echo(f"{name:24} {value}")


def _cells(
    item: dict[str, Any], shows: Iterable[Callable[[dict[str, Any]], Any]]
) -> list[str]:
    return [str(show(item)) for show in shows]


def _flat(item: dict[str, Any]) -> Iterable[tuple[str, object]]:
    for name, value in item.items():
        if isinstance(value, dict):
            yield from _flat(value)
        else:
            yield name, ", ".join(value) if isinstance(value, list) else value


def _property(name: str) -> Callable[[dict[str, Any]], Any]:
    return lambda item: item["properties"].get(name, "")


def _name(item: dict[str, Any]) -> Any:
    return item["name"]


def _confirm(question: str, yes: bool) -> None:
    if not yes:
        click.confirm(question, abort=True)


_yes = click.option("--yes", is_flag=True, help="Do not ask.")


def _place(remote: Remote, namespace: str, path: str | None) -> str:
    place = remote.namespace(namespace)
    return f"{place}/hybridConnections/{quote(path, safe='')}" if path else place


# --- namespaces ---


@click.group("namespace")
def namespace_group() -> None:
    """Namespaces."""


@namespace_group.command("list")
@_remote
def list_namespaces(remote: Remote, output: _Output) -> None:
    """List the namespaces of the group."""
    output.items(
        remote.every(remote.namespace()),
        {
            "name": _name,
            "endpoint": _property("serviceBusEndpoint"),
            "created": _property("createdAt"),
        },
    )


@namespace_group.command("create")
@click.argument("name")
@click.option("--location", default="local", show_default=True)
@_remote
def create_namespace(remote: Remote, output: _Output, name: str, location: str) -> None:
    """Make the namespace NAME."""
    output.one(remote.call("PUT", remote.namespace(name), {"location": location}))


@namespace_group.command("show")
@click.argument("name")
@_remote
def show_namespace(remote: Remote, output: _Output, name: str) -> None:
    """Show the namespace NAME."""
    output.one(remote.call("GET", remote.namespace(name)))


@namespace_group.command("delete")
@click.argument("name")
@_yes
@_remote
def delete_namespace(remote: Remote, output: _Output, name: str, yes: bool) -> None:
    """Remove the namespace NAME with all that is in it."""
    _confirm(f"Remove namespace {name} with all that is in it?", yes)
    remote.call("GET", remote.namespace(name))
    remote.call("DELETE", remote.namespace(name))


# --- hybrid connections ---


@click.group("connection")
def connection_group() -> None:
    """Hybrid connections."""


@connection_group.command("list")
@click.argument("namespace")
@_remote
def list_connections(remote: Remote, output: _Output, namespace: str) -> None:
    """List the hybrid connections of NAMESPACE."""
    output.items(
        remote.every(remote.namespace(namespace) + "/hybridConnections"),
        {
            "name": _name,
            "listeners": _property("listenerCount"),
            "token": lambda one: (
                "needed" if one["properties"]["requiresClientAuthorization"] else "no"
            ),
            "metadata": _property("userMetadata"),
        },
    )


@connection_group.command("create")
@click.argument("namespace")
@click.argument("path")
@click.option("--endpoint", metavar="HOST:PORT", help="What it stands for.")
@click.option("--anonymous", is_flag=True, help="Senders need no token.")
@_remote
def create_connection(
    remote: Remote,
    output: _Output,
    namespace: str,
    path: str,
    endpoint: str | None,
    anonymous: bool,
) -> None:
    """Make the hybrid connection PATH in NAMESPACE, or change it."""
    properties: dict[str, Any] = {"requiresClientAuthorization": not anonymous}
    if endpoint is not None:
        try:
            parse_host_port(endpoint)
        except ValueError as error:
            raise click.BadParameter(f"{error}.", param_hint="--endpoint") from None
        properties["userMetadata"] = endpoint_metadata(endpoint)
    place = _place(remote, namespace, path)
    output.one(remote.call("PUT", place, {"properties": properties}))


@connection_group.command("show")
@click.argument("namespace")
@click.argument("path")
@_remote
def show_connection(remote: Remote, output: _Output, namespace: str, path: str) -> None:
    """Show the hybrid connection PATH of NAMESPACE."""
    output.one(remote.call("GET", _place(remote, namespace, path)))


@connection_group.command("delete")
@click.argument("namespace")
@click.argument("path")
@_yes
@_remote
def delete_connection(
    remote: Remote, output: _Output, namespace: str, path: str, yes: bool
) -> None:
    """Remove the hybrid connection PATH of NAMESPACE; its tunnels end."""
    _confirm(f"Remove hybrid connection {namespace}/{path}?", yes)
    remote.call("GET", _place(remote, namespace, path))
    remote.call("DELETE", _place(remote, namespace, path))


# --- rules and keys ---

_at = click.option(
    "--connection", metavar="PATH", help="Of this hybrid connection, not the namespace."
)


@click.group("rule")
def rule_group() -> None:
    """Authorization rules."""


@rule_group.command("list")
@click.argument("namespace")
@_at
@_remote
def list_rules(
    remote: Remote, output: _Output, namespace: str, connection: str | None
) -> None:
    """List the rules of NAMESPACE, or of one hybrid connection."""
    place = _place(remote, namespace, connection) + "/authorizationRules"
    output.items(
        remote.every(place),
        {"name": _name, "rights": lambda one: ", ".join(one["properties"]["rights"])},
    )


@rule_group.command("create")
@click.argument("namespace")
@click.argument("name")
@click.option(
    "--right",
    "rights",
    multiple=True,
    required=True,
    type=click.Choice(_RIGHTS, case_sensitive=False),
    help="May be repeated; Manage brings the others with it.",
)
@_at
@_remote
def create_rule(
    remote: Remote,
    output: _Output,
    namespace: str,
    name: str,
    rights: tuple[str, ...],
    connection: str | None,
) -> None:
    """Make the rule NAME, or change its rights; keys stay."""
    wanted = _RIGHTS if "Manage" in rights else tuple(dict.fromkeys(rights))
    place = _place(remote, namespace, connection) + f"/authorizationRules/{quote(name)}"
    output.one(remote.call("PUT", place, {"properties": {"rights": list(wanted)}}))


@rule_group.command("delete")
@click.argument("namespace")
@click.argument("name")
@_at
@_yes
@_remote
def delete_rule(
    remote: Remote,
    output: _Output,
    namespace: str,
    name: str,
    connection: str | None,
    yes: bool,
) -> None:
    """Remove the rule NAME: its keys open nothing any more."""
    _confirm(f"Remove rule {name}?", yes)
    place = _place(remote, namespace, connection) + f"/authorizationRules/{quote(name)}"
    remote.call("GET", place)
    remote.call("DELETE", place)


@click.group("key")
def key_group() -> None:
    """Keys of rules."""


@key_group.command("show")
@click.argument("namespace")
@click.argument("rule")
@_at
@_remote
def show_keys(
    remote: Remote, output: _Output, namespace: str, rule: str, connection: str | None
) -> None:
    """Show both keys of RULE and its connection strings: secrets."""
    place = _place(remote, namespace, connection) + f"/authorizationRules/{quote(rule)}"
    output.one(remote.call("POST", place + "/listKeys"))


@key_group.command("regenerate")
@click.argument("namespace")
@click.argument("rule")
@click.option("--secondary", is_flag=True, help="The secondary key, not the primary.")
@_at
@_yes
@_remote
def regenerate_key(
    remote: Remote,
    output: _Output,
    namespace: str,
    rule: str,
    secondary: bool,
    connection: str | None,
    yes: bool,
) -> None:
    """Give RULE another key: tokens signed with the old one open nothing."""
    kind = "secondary" if secondary else "primary"
    _confirm(f"Replace the {kind} key of rule {rule}?", yes)
    place = _place(remote, namespace, connection) + f"/authorizationRules/{quote(rule)}"
    which = "SecondaryKey" if secondary else "PrimaryKey"
    output.one(remote.call("POST", place + "/regenerateKeys", {"keyType": which}))


@click.command("connection-string")
@click.argument("namespace")
@click.argument("path")
@click.option(
    "--for",
    "role",
    type=click.Choice(["listener", "sender"]),
    default="listener",
    show_default=True,
    help="Whose it is to be.",
)
@_remote
def connection_string(
    remote: Remote, output: _Output, namespace: str, path: str, role: str
) -> None:
    """
    Print the connection string of a listener or sender: a secret.

    That of a listener is the gateway connection string for a connection manager.
    """
    rule = LISTENER_RULE if role == "listener" else SENDER_RULE
    place = _place(remote, namespace, path) + f"/authorizationRules/{rule}/listKeys"
    click.echo(remote.call("POST", place)["primaryConnectionString"])
