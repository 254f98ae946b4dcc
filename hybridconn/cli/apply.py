"""
C{hybridconn apply} and C{hybridconn export}: namespaces from files into a relay's
store, and back.
"""

from __future__ import annotations

import os
import time
from typing import Any

import click
from twisted.internet.defer import execute

from hybridconn.config import ConfigError, load_relay
from hybridconn.config.relay import RelayConfig, load_namespaces
from hybridconn.management.registry import Changes, Registry
from hybridconn.management.transfer import apply_namespaces, export_toml
from hybridconn.stores.sql import SqlResourceStore, StoreError
from hybridconn.stores.vault import Vault, VaultError

_CONFIG = click.option(
    "--config",
    required=True,
    metavar="FILE",
    help="The relay's configuration, with [store]. The relay itself must not run.",
)


@click.command("apply")
@click.argument("file")
@_CONFIG
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option(
    "--prune",
    is_flag=True,
    help="Remove what is not in FILE: other namespaces, and hybrid connections and "
    "rules of those that are in it.",
)
def apply_file(file: str, config: str, dry_run: bool, prune: bool) -> None:
    """
    Take the namespaces of FILE over into a relay's store.

    FILE holds [[namespace]] tables as relay.toml may hold them. Each change is shown:
    + is new, ~ changed, - gone. Doing it again changes nothing.
    """
    try:
        namespaces = load_namespaces(file)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    relay, store, registry = _open(config)
    try:
        subscription = relay.management.subscriptions[0]
        applied = apply_namespaces(
            registry, namespaces, subscription, time.time(), prune
        )
        if applied.changes and not dry_run:
            store.write(applied.changes)
    except StoreError as error:
        raise click.ClickException(f"{error}.") from None
    finally:
        store.close()
    for line in applied.lines:
        click.echo(line)
    what = "would change" if dry_run else "changed"
    click.echo(f"{len(applied.lines)} {what}." if applied.lines else "Nothing changes.")


@click.command("export")
@_CONFIG
@click.argument("file")
def export_file(file: str, config: str) -> None:
    """
    Write all namespaces of a relay's store to FILE, as [[namespace]] tables.

    They hold the keys in plain text: the file is for its owner only.
    """
    _, store, registry = _open(config)
    store.close()
    text = export_toml(registry)
    try:
        handle = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
    except FileExistsError:
        raise click.ClickException(f"{file} is there already; name another.") from None
    except OSError as error:
        raise click.ClickException(
            f"{file} cannot be written: {error.strerror}."
        ) from None
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        out.write(text)
    click.echo(f"Wrote {file}.")


def _open(config: str) -> tuple[RelayConfig, SqlResourceStore, Registry]:
    try:
        relay = load_relay(config)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    if not relay.store.path:
        raise click.ClickException(f"{config} has no [store]; add one.")
    try:
        run: Any = execute
        store = SqlResourceStore(
            f"sqlite:///{relay.store.path}", Vault(relay.store.keys), run
        )
        registry = Registry()
        registry.apply(Changes(tuple(store.load())))
    except (StoreError, VaultError) as error:
        raise click.ClickException(f"{error}.") from None
    return relay, store, registry
