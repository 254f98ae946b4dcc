"""
C{hybridconn token}: a token for scripts and for tests by hand.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import click

from hybridconn.config.mistakes import Mistake
from hybridconn.config.secrets import DEFAULT_VARIABLE, Source, read_bytes
from hybridconn.core.connection_string import ConnectionString, ConnectionStringError


@click.command()
@click.option(
    "--connection-string-file",
    "file",
    metavar="FILE",
    help="A file that holds the connection string, or - for the standard input. "
    f"Without it, the environment variable {DEFAULT_VARIABLE}.",
)
@click.option(
    "--lifetime",
    default=3600,
    show_default=True,
    metavar="SECONDS",
    type=click.IntRange(min=1, max=10 * 366 * 86400),
    help="How long the token is good.",
)
def token(file: str | None, lifetime: int) -> None:
    """
    Print a SAS token made with the key of a connection string.

    It opens the string's hybrid connection, or all of its namespace if the
    string names none. Whoever has it can use it until it expires.
    """
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
    click.echo(made.reveal())


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
