"""
C{hybridconn token}: a token for scripts and for tests by hand.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from hybridconn.cli.completing import (
    complete_namespace,
    complete_rule,
    connection_option,
)
from hybridconn.cli.managing import late_remote
from hybridconn.cli.remote import Remote
from hybridconn.config.mistakes import Mistake
from hybridconn.config.secrets import DEFAULT_VARIABLE, Source, read_bytes
from hybridconn.core.connection_string import ConnectionString, ConnectionStringError


@click.command(short_help="Print a SAS token.")
@click.option(
    "--connection-string-file",
    "file",
    metavar="FILE",
    help="A file that holds the connection string, or - for the standard input. "
    f"Without it, the environment variable {DEFAULT_VARIABLE}.",
)
@click.option(
    "--namespace",
    shell_complete=complete_namespace,
    help="Ask the relay for a token for this namespace, instead.",
)
@connection_option
@click.option(
    "--role",
    type=click.Choice(["listen", "send", "manage"]),
    help="What a token from the relay is to open.",
)
@click.option(
    "--rule",
    metavar="NAME",
    shell_complete=complete_rule,
    help="The rule whose key it is to be made with; otherwise one is chosen that "
    "opens no more than it must.",
)
@click.option(
    "--lifetime",
    default=3600,
    show_default=True,
    metavar="SECONDS",
    type=click.IntRange(min=1, max=10 * 366 * 86400),
    help="How long the token is good.",
)
@late_remote
def token(
    make_remote: Callable[[], Remote],
    file: str | None,
    namespace: str | None,
    connection: str | None,
    role: str | None,
    rule: str | None,
    lifetime: int,
) -> None:
    """
    Print a SAS token, made with the key of a connection string or by a relay.

    It opens the string's hybrid connection, or all of its namespace if the
    string names none; or what --namespace and --connection name. Whoever has it can
    use it until it expires.
    """
    if namespace is None:
        if connection or role or rule:
            raise click.UsageError("--connection, --role and --rule need --namespace")
        click.echo(_from_connection_string(file, lifetime))
        return
    if file is not None:
        raise click.UsageError("give --namespace or --connection-string-file, not both")
    if role is None and rule is None:
        raise click.UsageError("give --role or --rule")
    wanted: dict[str, object] = {"lifetime": lifetime}
    wanted |= {"role": role} if role else {}
    wanted |= {"rule": rule} if rule else {}
    remote = make_remote()
    place = remote.place(namespace, connection)
    click.echo(remote.call("POST", f"{place}/createToken", wanted)["token"])


def _from_connection_string(file: str | None, lifetime: int) -> str:
    try:
        connection = ConnectionString.parse(_text(file))
        made = connection.token(time.time() + lifetime)
    except Mistake as mistake:
        raise click.ClickException(mistake.text) from None
    except ConnectionStringError as error:
        where = "standard input" if file == "-" else file or DEFAULT_VARIABLE
        raise click.ClickException(
            f"{where} holds no usable connection string: {error}."
        ) from None
    except UnicodeDecodeError:
        raise click.ClickException(f"{file} is not UTF-8 text.") from None
    if made is None:
        raise click.ClickException(
            "SharedAccessKeyName and SharedAccessKey are missing in the connection "
            "string; there is nothing to make a token with."
        )
    return made.reveal()


def _text(file: str | None) -> str:
    if file == "-":
        return sys.stdin.read()
    if file is not None:
        source = Source("command line", Path(), os.environ)
        return read_bytes(file, source, private=True).decode("utf-8-sig")
    text = os.environ.get(DEFAULT_VARIABLE)
    if not text:
        raise click.UsageError(
            f"give --connection-string-file FILE, or set {DEFAULT_VARIABLE}"
        )
    return text
