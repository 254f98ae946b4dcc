"""
The command C{hybridconn}: a first configuration, the relay's next certificate,
tokens, a look at what a configuration would do, names of services on an app's
machine, a relay's store, and what its management API does.

Exit statuses: 0 done, 1 something is wrong, 2 the command was written wrongly; and of
those that ask a relay: 3 it does not answer, 4 there is no such thing, 5 the token or
its role does not allow it, or a limit.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Final

import click

#: Where each command is; it is imported when it is asked for, as some need much.
_COMMANDS: Final[Mapping[str, str]] = {
    "init": "init:init",
    "check": "check:check",
    "redirect": "redirect:redirect",
    "exec": "redirect_exec:exec_command",
    "connect": "connect:connect",
    "ping": "ping:ping",
    "doctor": "doctor:doctor",
    "renew": "renew:renew",
    "token": "token:token",
    "store-key": "keys:store_key",
    "management-token": "keys:management_token",
    "store-rekey": "store:store_rekey",
    "store-backup": "store:store_backup",
    "hcm": "hcm:hcm_group",
    "relay": "relay:relay_group",
    "apply": "apply:apply_file",
    "export": "apply:export_file",
    "status": "live:status",
    "kick": "live:kick",
    "drain": "live:drain",
    "undrain": "live:undrain",
    "namespace": "namespaces:namespace_group",
    "network": "namespaces:network_group",
    "connection": "connections:connection_group",
    "connection-string": "connections:connection_string",
    "rule": "rules:rule_group",
    "key": "rules:key_group",
    "plan": "plans:plan_group",
    "app": "apps:app_group",
    "completion": "completing:completion",
}


class _LateGroup(click.Group):
    """A group whose commands are imported one by one."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which one needs them (click)."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one (click)."""
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        found: click.Command = getattr(import_module(f"{__name__}.{module}"), name)
        return found


def _say_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        version = import_module("hybridconn.operation.version")
        click.echo(f"hybridconn {version.own_version()}")
        ctx.exit()


@click.group(cls=_LateGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_say_version,
    help="Show the version and exit.",
)
def main() -> None:
    """
    Set up hybrid connections, and manage a relay that runs.

    The programs themselves are twistd hcrelay, twistd hclistener and twistd
    hcsender.
    """


__all__ = ["main"]
