"""
C{hybridconn store-backup} and C{hybridconn store-rekey}; what else works on a relay's
store uses L{opened} too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from hybridconn.config import ConfigError, load_relay
from hybridconn.config.relay import RelayConfig
from hybridconn.stores.backup import copy_sqlite
from hybridconn.stores.errors import StoreError
from hybridconn.stores.opening import open_store
from hybridconn.stores.sql import SqlResourceStore
from hybridconn.stores.vault import VaultError

CONFIG = click.option(
    "--config",
    required=True,
    metavar="FILE",
    help="The relay's configuration, with [store]. The relay may run.",
)


@click.command(
    "store-backup", short_help="Copy a SQLite store to a file while relays run."
)
@click.argument("file")
@CONFIG
def store_backup(file: str, config: str) -> None:
    """
    Copy a relay's SQLite store to FILE, which must not be there yet.

    The relay may run meanwhile. The copy is whole or not there at all, and for its
    owner only. The keys in it are encrypted as in the store: keep the key file too,
    at another place.
    """
    relay = _load(config)
    if relay.store.url:
        raise click.ClickException(
            "the store is a PostgreSQL database: back it up with pg_dump, see "
            "docs/management.md."
        )
    try:
        copy_sqlite(relay.store.path, file)
    except StoreError as error:
        raise click.ClickException(f"{error}.") from None
    click.echo(f"Wrote {file}.")


@click.command("store-rekey", short_help="Encrypt a store's keys with the newest key.")
@CONFIG
def store_rekey(config: str) -> None:
    """
    Encrypt all keys in a relay's store with the newest key of its key file.

    All of them or none. First put the new key on the first line of the key file of
    every relay that uses the store, and start each of them again; afterwards the
    older lines can go.
    """
    with opened(config) as (_, store):
        count = store.rekey()
    click.echo(
        f"Encrypted {count} keys anew. Older lines of the key file are not needed any "
        "more."
    )


@contextmanager
def opened(config: str) -> Iterator[tuple[RelayConfig, SqlResourceStore]]:
    """
    A relay's configuration and its store, until the end of the block.

    @raise click.ClickException: with what is wrong with either, also in the block.
    """
    relay = _load(config)
    try:
        store = open_store(relay.store)
        try:
            yield relay, store
        finally:
            store.close()
    except (StoreError, VaultError) as error:
        raise click.ClickException(f"{error}.") from None


def _load(config: str) -> RelayConfig:
    try:
        relay = load_relay(config)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    if not relay.store.place:
        raise click.ClickException(f"{config} has no [store]; add one.")
    return relay
