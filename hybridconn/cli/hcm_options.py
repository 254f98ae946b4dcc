"""What several commands of C{hybridconn hcm} have in common."""

from __future__ import annotations

import functools
import time
import tomllib
from collections.abc import Callable, Sequence
from typing import Any

import click

from hybridconn.cli.hcm_client import HcmClient, connection_path

_POLL = 0.2


def output_option(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command a choice between words and JSON."""
    return click.option(
        "--output",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="For people, or for programs.",
    )(command)


def complete_name(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[str]:
    """The names of the service's hybrid connections, for the shell."""
    given = {} if ctx.parent is None else ctx.parent.params
    try:
        client = HcmClient.from_options(
            *(given.get(key) for key in ("socket", "config", "url", "token_file"))
        )
        found = client.call("GET", "/v1/connections")["connections"]
    except click.ClickException:
        # Nothing is to be seen while somebody types.
        return []
    folded = incomplete.lower()
    return [one["name"] for one in found if one["name"].lower().startswith(folded)]


def one_connection(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the ways to name one hybrid connection."""

    @click.argument(
        "name", required=False, metavar="NAME", shell_complete=complete_name
    )
    @click.option("--name", "-n", "by_option", metavar="NAME", hidden=True)
    @click.option(
        "--namespace",
        "-ns",
        metavar="NAME",
        help="The relay's host, or its first word.",
    )
    @functools.wraps(command)
    def run(name: str | None, by_option: str | None, **more: Any) -> None:
        found = name or by_option
        if not found:
            raise click.UsageError("name the hybrid connection.")
        command(name=found, **more)

    return run


def await_status(
    client: HcmClient,
    name: str,
    namespace: str | None,
    seconds: float,
    passing: Sequence[str],
) -> Any:
    """Look until its status is none of C{passing}, or the time is over."""
    end = time.monotonic() + seconds
    while True:
        found = client.call("GET", connection_path(name, namespace))
        if found["status"] not in passing or time.monotonic() >= end:
            return found
        time.sleep(_POLL)


def read_setting(text: str) -> tuple[str, Any]:
    """
    Read C{KEY=VALUE}.

    @return: the value as TOML has it, or as it is if that is no TOML.
    @raise click.BadParameter: there is no key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise click.BadParameter(f'"{text}" is not KEY=VALUE, such as mode=bridge.')
    try:
        return key.strip(), tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return key.strip(), value
