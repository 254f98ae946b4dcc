"""
C{hybridconn redirect}: have the apps of this machine find redirected names, look
whether they do, and put everything back.
"""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import click

from hybridconn.cli.redirect_plan import Plan, make_plan
from hybridconn.diagnosis.local import check_name, check_port, place_below
from hybridconn.redirect.errors import RedirectError
from hybridconn.redirect.way import Names, Way
from hybridconn.redirect.ways import WAYS

_ROOT = Path("/")
_RESOLVED = "systemd-resolved.service"

_config_option = click.option(
    "--config", "-c", "config", required=True, help="The sender's configuration."
)
_root_option = click.option(
    "--root",
    default="/",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder that stands for /, to prepare an image.",
)


@click.group("redirect")
def redirect() -> None:
    """
    Have the apps of this machine find redirected names.

    Three ways: a block in the hosts file (hosts), /etc/resolv.conf (resolv), or
    systemd-resolved for these names only (resolved). The last two need the sender's
    name server, [names] dns.
    """


@redirect.command()
@_config_option
@click.option("--way", type=click.Choice(list(WAYS)), required=True, help="See above.")
@_root_option
def install(config: str, way: str, root: Path) -> None:
    """
    Put one way in force.

    Done again, it brings up to date what is there. The sender need not run.
    """
    chosen = WAYS[way](root)
    try:
        plan = make_plan(config, chosen.former())
        changed = chosen.install(Names(plan.hosts, plan.config.names))
    except RedirectError as error:
        raise click.ClickException(str(error)) from None
    for endpoint, place in plan.places.items():
        click.echo(f"{endpoint} is {place} on this machine")
    for endpoint in plan.by_name:
        click.echo(f"{endpoint}: each name has an address from when it is asked for")
    click.echo(f"{way}: {chosen.path} {'written' if changed else 'is as it should be'}")
    trouble = [*chosen.notes, *_tell_resolved(chosen, changed)]
    for line in trouble:
        click.echo(f"warning: {line}", err=True)


@redirect.command()
@click.option(
    "--way", type=click.Choice(list(WAYS)), help="This one only; else all there are."
)
@click.option("--config", "-c", "config", help="Not needed; taken for convenience.")
@_root_option
def undo(way: str | None, config: str | None, root: Path) -> None:
    """Put back every file as it was, also after a crash."""
    del config
    failed = False
    for name in [way] if way else WAYS:
        chosen = WAYS[name](root)
        try:
            undone = chosen.undo()
        except RedirectError as error:
            click.echo(f"Error: {name}: {error}", err=True)
            failed = True
            continue
        words = "as it was before" if undone else "nothing to undo"
        click.echo(f"{name}: {chosen.path}: {words}")
        for line in [*chosen.notes, *_tell_resolved(chosen, undone)]:
            click.echo(f"warning: {line}", err=True)
    if failed:
        raise SystemExit(1)


@redirect.command(short_help="Say which ways are in force, and find each name.")
@click.option("--config", "-c", "config", help="The sender's configuration.")
@_root_option
def status(config: str | None, root: Path) -> None:
    """
    Say which ways are in force, and with --config whether each name is found and the
    sender listens. The exit status is 1 if one is not.
    """
    for name, make in WAYS.items():
        try:
            click.echo(f"{name}: {make(root).status()}")
        except RedirectError as error:
            click.echo(f"{name}: {error}")
    if config is not None:
        good = True
        for line, is_good in _look(make_plan(config)):
            click.echo(line)
            good = good and is_good
        if not good:
            raise SystemExit(1)


def _look(plan: Plan) -> Iterator[tuple[str, bool]]:
    """For each endpoint a line, and whether all is well with it."""
    network = plan.config.names.network
    for endpoint in plan.learned.endpoints:
        place = plan.places.get(endpoint) or place_below(network, endpoint)
        subject = str(endpoint)
        checks = (
            check_name(subject, endpoint, place, time.monotonic),
            check_port(subject, place),
        )
        words = [word for one in checks for word in (one.seen, one.mend) if word]
        yield f"{endpoint}: {'; '.join(words)}", all(one.ok for one in checks)


def _tell_resolved(way: Way, changed: bool) -> list[str]:
    """Have systemd-resolved read its configuration; what is wrong if it cannot."""
    if way.name != "resolved" or not changed or way.root != _ROOT:
        return []
    argv = ["systemctl", "try-restart", _RESOLVED]
    mend = f"the file is there; to have it read: {' '.join(argv)}"
    if shutil.which(argv[0]) is None:
        return [f"there is no systemctl here; {mend}"]
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return [f"systemctl cannot be run; {mend}"]
    if done.returncode:
        said = " ".join(done.stderr.split())[:200]
        return [f"systemd-resolved was not restarted ({said}); {mend}"]
    return []
