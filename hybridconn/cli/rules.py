"""C{hybridconn rule} and C{hybridconn key}."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from hybridconn.cli.completing import (
    complete_rule,
    connection_option,
    namespace_argument,
)
from hybridconn.cli.managing import (
    Output,
    confirm,
    make_new,
    managed,
    name_of,
    yes_option,
)
from hybridconn.cli.remote import Remote

_RIGHTS = ("Listen", "Send", "Manage")

_name = click.argument("name", shell_complete=complete_rule)
_rule = click.argument("rule", shell_complete=complete_rule)
_rights = click.option(
    "--right",
    "rights",
    multiple=True,
    required=True,
    type=click.Choice(_RIGHTS, case_sensitive=False),
    help="May be repeated; Manage brings the others with it.",
)


@click.group("rule")
def rule_group() -> None:
    """Authorization rules."""


@rule_group.command("list")
@namespace_argument
@connection_option
@managed
def list_rules(
    remote: Remote, output: Output, namespace: str, connection: str | None
) -> None:
    """List the rules of NAMESPACE, or of one hybrid connection."""
    output.items(
        remote.every(remote.rule(namespace, connection)),
        {"name": name_of, "rights": lambda one: ", ".join(one["properties"]["rights"])},
    )


@rule_group.command("create")
@namespace_argument
@click.argument("name")
@_rights
@connection_option
@managed
def create_rule(
    remote: Remote,
    output: Output,
    namespace: str,
    name: str,
    rights: tuple[str, ...],
    connection: str | None,
) -> None:
    """Make the rule NAME, with two new keys."""
    place = remote.rule(namespace, connection, name)
    output.one(make_new(remote, f"rule {name}", place, _body(rights)))


@rule_group.command("show")
@namespace_argument
@_name
@connection_option
@managed
def show_rule(
    remote: Remote, output: Output, namespace: str, name: str, connection: str | None
) -> None:
    """Show the rule NAME; its keys are shown by: hybridconn key show."""
    output.one(remote.call("GET", remote.rule(namespace, connection, name)))


@rule_group.command("update")
@namespace_argument
@_name
@_rights
@connection_option
@managed
def update_rule(
    remote: Remote,
    output: Output,
    namespace: str,
    name: str,
    rights: tuple[str, ...],
    connection: str | None,
) -> None:
    """Give the rule NAME other rights; its keys stay."""
    place = remote.rule(namespace, connection, name)
    remote.call("GET", place)
    output.one(remote.call("PUT", place, _body(rights)))


@rule_group.command("delete")
@namespace_argument
@_name
@connection_option
@yes_option
@managed
def delete_rule(
    remote: Remote,
    output: Output,
    namespace: str,
    name: str,
    connection: str | None,
    yes: bool,
) -> None:
    """Remove the rule NAME: its keys open nothing any more."""
    confirm(f"Remove rule {name}?", yes)
    remote.delete(remote.rule(namespace, connection, name))


def _body(rights: Iterable[str]) -> dict[str, Any]:
    wanted = _RIGHTS if "Manage" in rights else tuple(dict.fromkeys(rights))
    return {"properties": {"rights": list(wanted)}}


@click.group("key")
def key_group() -> None:
    """Keys of rules."""


@key_group.command("show")
@namespace_argument
@_rule
@connection_option
@managed
def show_keys(
    remote: Remote, output: Output, namespace: str, rule: str, connection: str | None
) -> None:
    """Show both keys of RULE and its connection strings: secrets."""
    place = remote.rule(namespace, connection, rule)
    output.one(remote.call("POST", place + "/listKeys"))


@key_group.command(
    "regenerate", short_help="Replace a key, and refuse tokens of the old one."
)
@namespace_argument
@_rule
@click.option("--secondary", is_flag=True, help="The secondary key, not the primary.")
@connection_option
@yes_option
@managed
def regenerate_key(
    remote: Remote,
    output: Output,
    namespace: str,
    rule: str,
    secondary: bool,
    connection: str | None,
    yes: bool,
) -> None:
    """Give RULE another key: tokens signed with the old one open nothing."""
    kind = "secondary" if secondary else "primary"
    confirm(f"Replace the {kind} key of rule {rule}?", yes)
    which = "SecondaryKey" if secondary else "PrimaryKey"
    place = remote.rule(namespace, connection, rule)
    output.one(remote.call("POST", place + "/regenerateKeys", {"keyType": which}))
