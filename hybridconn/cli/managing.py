"""
What the commands for a running relay have in common: which relay, how to show what it
answers, whether to ask first.
"""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import click

from hybridconn.cli.remote import CA_VARIABLE, URL_VARIABLE, Remote, RemoteError
from hybridconn.core.resources import DEFAULT_SUBSCRIPTION

Item = dict[str, Any]
Columns = Mapping[str, Callable[[Item], Any]]

_OPTIONS = (
    click.option(
        "--url",
        envvar=URL_VARIABLE,
        metavar="URL",
        help="https://HOST:PORT of the API.",
    ),
    click.option(
        "--token-file", metavar="FILE", help="A private file that holds the token."
    ),
    click.option(
        "--ca-file",
        envvar=CA_VARIABLE,
        metavar="FILE",
        help="PEM file with a further authority to trust.",
    ),
    click.option("--subscription", default=DEFAULT_SUBSCRIPTION, metavar="GUID"),
    click.option(
        "--group", default="default", show_default=True, help="The resource group."
    ),
)


def late_remote(command: Callable[..., None]) -> Callable[..., None]:
    """
    Give a command the options that say which relay it is about.  Its first argument
    makes the L{Remote} when it is called.
    """

    @functools.wraps(command)
    def run(
        *,
        url: str | None,
        token_file: str | None,
        ca_file: str | None,
        subscription: str,
        group: str,
        **more: Any,
    ) -> None:
        def make() -> Remote:
            return Remote.from_options(url, token_file, ca_file, subscription, group)

        command(make, **more)

    for option in reversed(_OPTIONS):
        run = option(run)
    return run


def managed(command: Callable[..., None]) -> Callable[..., None]:
    """The same, for a command whose arguments begin with a L{Remote} and L{Output}."""

    @late_remote
    @click.option(
        "--output",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
    )
    @functools.wraps(command)
    def run(make: Callable[[], Remote], *, output: str, **more: Any) -> None:
        command(make(), Output(output == "json"), **more)

    return run


# --- showing -----------------------------------------------------------------


class Output:
    """
    Prints what came.

    @ivar as_json: as the API answered it.
    """

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def items(self, items: Iterable[Item], columns: Columns) -> None:
        """Several things, a row each."""
        found = list(items)
        if self.as_json:
            self.json(found)
        else:
            self.table(found, columns)

    def json(self, value: object) -> None:
        """Anything, as JSON."""
        click.echo(json.dumps(value, indent=2))

    def table(self, items: Iterable[Item], columns: Columns) -> None:
        """A row for each."""
        # Late, as it is large and the shell waits for its completions.
        from rich.console import Console
        from rich.table import Table

        table: Any = Table(*columns, box=None)
        for item in items:
            # What is shown is no mark-up of rich's, whatever is in it.
            table.add_row(*[_plain(show(item)) for show in columns.values()])
        # What is no terminal has no width: nothing is cut off.
        terminal = sys.stdout.isatty()
        Console(width=None if terminal else 1000).print(table)

    def one(self, item: Any) -> None:
        """One thing, line by line."""
        if self.as_json:
            self.json(item)
            return
        lines = list(_flat(item))
        width = max([24, *(len(name) for name, _ in lines)])
        for name, value in lines:
            click.echo(f"{name:{width}} {value}")


def _plain(value: object) -> Any:
    from rich.text import Text

    return Text(str(value))


def _flat(item: Item) -> Iterable[tuple[str, object]]:
    for name, value in item.items():
        if isinstance(value, dict):
            for inner, said in _flat(value):
                # A plan has a name, and so has its SKU.
                yield (f"{name}.{inner}" if inner in item else inner), said
        elif isinstance(value, list):
            yield name, ", ".join(map(_words, value))
        else:
            yield name, value


def _words(value: object) -> str:
    if isinstance(value, dict):
        return " ".join(map(str, value.values()))
    return str(value)


def name_of(item: Item) -> Any:
    """The column C{name}."""
    return item["name"]


def member(*names: str) -> Callable[[Item], Any]:
    """A column with a member of C{properties}."""

    def show(item: Item) -> Any:
        value: Any = item["properties"]
        for name in names:
            value = value.get(name, "")
        return value

    return show


def size(*names: str) -> Callable[[Item], str]:
    """A column with a number of bytes, for people."""
    find = member(*names)

    def show(item: Item) -> str:
        number, units = float(find(item) or 0), ["TiB", "GiB", "MiB", "KiB"]
        if number < 1024:
            return f"{number:.0f} B"
        number /= 1024
        while number >= 1024 and len(units) > 1:
            number /= 1024
            units.pop()
        return f"{number:.1f} {units[-1]}"

    return show


# --- asking --------------------------------------------------------------------

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")


def confirm(question: str, yes: bool) -> None:
    """Ask before something is lost; the exit status is 1 if the answer is no."""
    if not yes:
        click.confirm(question, abort=True)


def make_new(remote: Remote, what: str, path: str, body: Item) -> Any:
    """
    PUT what must not be there yet.

    @raise RemoteError: it is there.
    """
    if remote.has(path):
        raise RemoteError(f"{what} is there already; change it with update.")
    return remote.call("PUT", path, body)


def tags_of(texts: Iterable[str]) -> dict[str, str]:
    """
    Read C{NAME=VALUE}.

    @raise click.BadParameter: one is not written so.
    """
    tags = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{text!r} is not NAME=VALUE.", param_hint="--tag")
        tags[name] = value
    return tags


tag_option = click.option(
    "--tag", "tags", multiple=True, metavar="NAME=VALUE", help="May be repeated."
)
