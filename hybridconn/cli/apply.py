"""
C{hybridconn apply} and C{hybridconn export}: namespaces from files into a relay's
store, and back.
"""

from __future__ import annotations

import os
import time

import click

from hybridconn.cli.store import CONFIG, opened
from hybridconn.config import ConfigError
from hybridconn.config.relay import load_namespaces
from hybridconn.management.registry import Registry
from hybridconn.management.transfer import apply_namespaces, export_toml


@click.command("apply")
@click.argument("file")
@CONFIG
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
    with opened(config) as (relay, store):
        registry = Registry()
        registry.take(store.load())
        if not dry_run:
            # Relays may run: nothing changes from here on but by us.
            registry.take(store.lock())
        subscription = relay.management.subscriptions[0]
        applied = apply_namespaces(
            registry.draft(), namespaces, subscription, time.time(), prune
        )
        if applied.changes and not dry_run:
            store.keep(applied.changes)
    for line in applied.lines:
        click.echo(line)
    what = "would change" if dry_run else "changed"
    click.echo(f"{len(applied.lines)} {what}." if applied.lines else "Nothing changes.")


@click.command("export", short_help="Write all namespaces of a store to a file.")
@CONFIG
@click.argument("file")
def export_file(file: str, config: str) -> None:
    """
    Write all namespaces of a relay's store to FILE, as [[namespace]] tables.

    They hold the keys in plain text: the file is for its owner only.
    """
    with opened(config) as (_, store):
        registry = Registry()
        registry.take(store.load())
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
