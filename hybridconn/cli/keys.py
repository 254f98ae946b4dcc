"""
C{hybridconn store-key} and C{hybridconn management-token}: secrets that a relay's
configuration needs.
"""

from __future__ import annotations

import secrets

import click

from hybridconn.management.tokens import digest
from hybridconn.stores.vault import Vault


@click.command("store-key")
def store_key() -> None:
    """
    Print a fresh key for [store] of relay.toml.

    Put it into a file that only the relay's user may read. To change it, put the
    new one on the first line and leave the old one on the second, start the relay
    again, and run: hybridconn store-rekey.
    """
    click.echo(Vault.new_key())


@click.command("management-token")
def management_token() -> None:
    """
    Make a token for the management API.

    Prints the token, for whoever is to use it, and its SHA-256, for a
    [[management.token]] of relay.toml. The token itself is kept nowhere.
    """
    token = secrets.token_urlsafe(32)
    click.echo(f"token   {token}")
    click.echo(f"sha256  {digest(token)}")
