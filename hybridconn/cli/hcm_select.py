"""
C{hybridconn hcm add --select}: hybrid connections of a namespace, listed by the relay's
management API, to choose from.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote

import click
from rich.console import Console
from rich.table import Table

from hybridconn.cli.hcm_client import NotThere
from hybridconn.cli.remote import CA_VARIABLE, URL_VARIABLE, Remote
from hybridconn.core.entities import HybridConnection
from hybridconn.core.resources import DEFAULT_SUBSCRIPTION, LISTENER_RULE


def remote_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say where the management API is."""

    @click.option(
        "--relay-url",
        envvar=URL_VARIABLE,
        metavar="URL",
        help="https://HOST:PORT of the management API.",
    )
    @click.option(
        "--relay-token-file", metavar="FILE", help="A private file with its token."
    )
    @click.option(
        "--relay-ca-file",
        envvar=CA_VARIABLE,
        metavar="FILE",
        help="PEM file with a further authority to trust.",
    )
    @click.option(
        "--subscription",
        "-s",
        default=DEFAULT_SUBSCRIPTION,
        metavar="GUID",
        help="At the management API; otherwise the one of zeros.",
    )
    @click.option(
        "--group",
        "--resource-group",
        "-rg",
        "group",
        default="default",
        show_default=True,
        metavar="NAME",
        help="Resource group there.",
    )
    @click.option(
        "--namespace",
        "-ns",
        metavar="NAME",
        help="Of the group; otherwise all of them.",
    )
    @click.option(
        "--choose",
        multiple=True,
        metavar="NAME",
        help="Instead of being asked: a hybrid connection, or NAMESPACE/NAME. May be "
        "repeated.",
    )
    @functools.wraps(command)
    def run(
        *given: Any,
        relay_url: str | None,
        relay_token_file: str | None,
        relay_ca_file: str | None,
        subscription: str,
        group: str,
        **more: Any,
    ) -> None:
        remote = functools.partial(
            Remote.from_options,
            relay_url,
            relay_token_file,
            relay_ca_file,
            subscription,
            group,
            prefix="--relay-",
        )
        command(*given, remote=remote, **more)

    return run


def offered_connections(
    remote: Remote, namespace: str | None, choose: Sequence[str]
) -> list[str]:
    """
    Let the user choose.

    @param namespace: L{None}: all of the group.
    @param choose: names; none: ask.
    @return: the connection strings of those that were chosen.
    @raise click.ClickException: there is nothing to choose from, or nobody to ask.
    """
    if namespace is None:
        found = [one["name"] for one in remote.every(remote.namespace())]
    else:
        found = [namespace]
    offers = [
        (name, item)
        for name in found
        for item in remote.every(f"{remote.namespace(name)}/hybridConnections")
    ]
    if not offers:
        raise NotThere("there is no hybrid connection to choose from.")
    chosen = _named(offers, choose) if choose else _asked(offers)
    return [_connection_string(remote, *offer) for offer in chosen]


_Offer = tuple[str, dict[str, Any]]


def _endpoint(item: dict[str, Any]) -> str:
    metadata = item["properties"].get("userMetadata") or ""
    return HybridConnection("-", user_metadata=metadata).endpoint or ""


def _named(offers: Sequence[_Offer], choose: Sequence[str]) -> list[_Offer]:
    chosen = []
    for name in choose:
        fits = [
            offer
            for offer in offers
            if name.lower()
            in (offer[1]["name"].lower(), f"{offer[0]}/{offer[1]['name']}".lower())
        ]
        if len(fits) != 1:
            what = "several namespaces have" if fits else "no namespace has"
            raise NotThere(f"{what} a hybrid connection {name!r}.")
        chosen += fits
    return chosen


def _asked(offers: Sequence[_Offer]) -> list[_Offer]:
    table: Any = Table("Id", "Name", "Namespace", "Endpoint", box=None)
    for number, (namespace, item) in enumerate(offers, 1):
        table.add_row(str(number), item["name"], namespace, _endpoint(item))
    Console(stderr=True, markup=False, highlight=False).print(table)
    if not sys.stdin.isatty():
        raise click.UsageError("this is no terminal: name some of them with --choose.")
    text = click.prompt("Ids to add, with commas between", err=True)
    chosen = []
    for word in str(text).replace(",", " ").split():
        if not word.isdigit() or not 1 <= int(word) <= len(offers):
            raise click.ClickException(f"{word[:20]!r} is none of these Ids.")
        chosen.append(offers[int(word) - 1])
    return chosen


def _connection_string(remote: Remote, namespace: str, item: dict[str, Any]) -> str:
    place = (
        f"{remote.namespace(namespace)}/hybridConnections/"
        f"{quote(item['name'], safe='')}/authorizationRules/{LISTENER_RULE}/listKeys"
    )
    return str(remote.call("POST", place)["primaryConnectionString"])
