"""C{hybridconn hcm drain} and C{resume}: away from the relay for a while."""

from __future__ import annotations

from collections.abc import Callable

import click

from hybridconn.cli.hcm_client import HcmClient, connection_path
from hybridconn.cli.hcm_options import await_status, one_connection
from hybridconn.cli.hcm_words import say_status

_DRAINING = "Draining"


@click.command()
@one_connection
@click.option(
    "--wait",
    type=float,
    default=0.0,
    metavar="SECONDS",
    help="For its tunnels to end; exit status 1 if some still run then.",
)
@click.pass_obj
def drain(
    client: Callable[[], HcmClient], name: str, namespace: str | None, wait: float
) -> None:
    """
    Take no more senders, until resume; tunnels that run go on.

    Other listeners of the same hybrid connection get the senders; without one they are
    refused. It stays so until resume, or until the service is started anew.
    """
    called = client()
    found = called.call("POST", connection_path(name, namespace, "/drain"))
    if wait:
        found = await_status(called, name, namespace, wait, [_DRAINING])
    say_status(found["name"], found)
    if wait and found["status"] == _DRAINING:
        raise SystemExit(1)


@click.command()
@one_connection
@click.pass_obj
def resume(client: Callable[[], HcmClient], name: str, namespace: str | None) -> None:
    """Take senders again, after drain."""
    found = client().call("POST", connection_path(name, namespace, "/resume"))
    say_status(f"Resumed {found['name']}", found)
