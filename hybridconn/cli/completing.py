"""
Completion by the shell: C{hybridconn completion}, and names that the relay knows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import get_completion_class

from hybridconn.cli.remote import Remote

#: Somebody waits at the keyboard.
_SECONDS = 3.0
#: Names of a long list that are looked through.
_MOST = 1000

Complete = Callable[[click.Context, click.Parameter, str], list[str]]


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """
    Print what makes SHELL complete this command.

    For bash put into ~/.bashrc: eval "$(hybridconn completion bash)". For zsh the same
    into ~/.zshrc, for fish: hybridconn completion fish | source. Names of namespaces,
    hybrid connections and so on are asked for if the environment says where; those of
    the connection manager on this machine in any case.
    """
    from hybridconn.cli import main

    kind = get_completion_class(shell)
    assert kind is not None  # click has all three
    click.echo(kind(main, {}, "hybridconn", "_HYBRIDCONN_COMPLETE").source())


def _names(place: Callable[[Remote, dict[str, Any]], str]) -> Complete:
    """
    Complete with the names in a list.

    @param place: its path, for what is written already.
    """

    def complete(
        ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[str]:
        given = ctx.params
        try:
            remote = Remote.from_options(
                given.get("url"),
                given.get("token_file"),
                given.get("ca_file"),
                given["subscription"],
                given["group"],
                _SECONDS,
            )
            every = itertools.islice(remote.every(place(remote, given)), _MOST)
            names = [str(one["name"]) for one in every]
        except (click.ClickException, KeyError):
            # Nothing is to be seen while somebody types.
            return []
        folded = incomplete.lower()
        return [name for name in names if name.lower().startswith(folded)]

    return complete


def _rules(remote: Remote, given: dict[str, Any]) -> str:
    return remote.rule(given["namespace"], given.get("connection"))


def _open(remote: Remote, given: dict[str, Any], kind: str) -> str:
    return f"{remote.place(given['namespace'], given['path'])}/{kind}"


complete_namespace = _names(lambda remote, given: remote.namespace())
complete_connection = _names(
    lambda remote, given: remote.namespace(given["namespace"]) + "/hybridConnections"
)
complete_rule = _names(_rules)
complete_plan = _names(lambda remote, given: remote.plan())
complete_app = _names(lambda remote, given: remote.app())
_listeners = _names(lambda remote, given: _open(remote, given, "listeners"))
_tunnels = _names(lambda remote, given: _open(remote, given, "tunnels"))


complete_listener = _listeners


def complete_open(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[str]:
    """Listeners and tunnels."""
    return [
        *_listeners(ctx, param, incomplete),
        *_tunnels(ctx, param, incomplete),
    ]


namespace_argument = click.argument("namespace", shell_complete=complete_namespace)
path_argument = click.argument("path", shell_complete=complete_connection)
connection_option = click.option(
    "--connection",
    metavar="PATH",
    shell_complete=complete_connection,
    help="Of this hybrid connection, not the namespace.",
)
