"""C{hybridconn relay}: a relay that runs on this machine, for who looks after it."""

from __future__ import annotations

from typing import ClassVar

import click

from hybridconn.cli.hcm_client import HcmClient
from hybridconn.cli.hcm_window import say_link

_SOCKET_VARIABLE = "HYBRIDCONN_RELAY_SOCKET"
_CONFIG_VARIABLE = "HYBRIDCONN_RELAY_CONFIG"


class RelayClient(HcmClient):
    """Where the relay is."""

    usual: ClassVar[str] = "/run/hcrelay/relay.sock"
    role: ClassVar[str] = "relay"
    who: ClassVar[str] = "the relay"
    hint: ClassVar[str] = (
        "Is twistd hcrelay running, with [admin] in its configuration, and for this "
        f"user? Another place: --socket, --config or {_SOCKET_VARIABLE}."
    )


@click.group("relay")
def relay_group() -> None:
    """Look after the relay on this machine."""


@relay_group.command("ui")
@click.option(
    "--socket",
    envvar=_SOCKET_VARIABLE,
    metavar="PATH",
    help="The relay's UNIX socket; otherwise /run/hcrelay/relay.sock.",
)
@click.option(
    "--config",
    envvar=_CONFIG_VARIABLE,
    metavar="FILE",
    help="The relay's relay.toml, which names the socket.",
)
@click.option("--open", "opened", is_flag=True, help="Open it in a browser as well.")
def relay_ui(socket: str | None, config: str | None, opened: bool) -> None:
    """
    Print a link to the relay's page in a browser.

    The link works once, within five minutes; whoever has it may do everything that
    the page can. Exit status 3: the relay is not there.
    """
    say_link(RelayClient.from_options(socket, config, None, None), opened)
