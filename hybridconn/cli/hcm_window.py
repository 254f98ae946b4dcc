"""C{hybridconn hcm ui} and C{hybridconn hcm diag}: the page, and a support bundle."""

from __future__ import annotations

import io
import os
import tarfile
import webbrowser
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import click

from hybridconn.cli.hcm_client import HcmClient
from hybridconn.files import replace_file


@click.command("ui", short_help="Print a link to the page in a browser, or open it.")
@click.option("--open", "opened", is_flag=True, help="Open it in a browser as well.")
@click.pass_obj
def ui(client: Callable[[], HcmClient], opened: bool) -> None:
    """
    Print a link to the service's page in a browser: that is how one signs in.

    The link works once, within five minutes; whoever has it may do everything that
    the page can.
    """
    say_link(client(), opened)


def say_link(client: HcmClient, opened: bool) -> None:
    """
    Print a link to a page, and how to use it from elsewhere.

    @param opened: open it in a browser as well.
    """
    found = client.call("POST", "/v1/page-links")
    url = str(found["url"])
    click.echo(url)
    click.echo(f"It works once, for {found['expiresIn'] / 60:.0f} minutes.", err=True)
    if os.environ.get("SSH_CONNECTION"):
        port = urlsplit(url).port
        click.echo(
            f"From another machine, first: ssh -L {port}:127.0.0.1:{port} THIS-MACHINE",
            err=True,
        )
    if opened and not webbrowser.open(url):
        raise click.ClickException("there is no browser to open it in.")


@click.command("diag", short_help="Write a support bundle, without secrets.")
@click.option(
    "--file",
    metavar="FILE",
    help="Where to write it; otherwise hcm-support-TIME.tar.gz in this folder.",
)
@click.pass_obj
def diag(client: Callable[[], HcmClient], file: str | None) -> None:
    """
    Write a support bundle: versions, configuration, status, logs, what doctor finds.

    No key, token or connection string is in it. Names of hosts, targets and files are.
    """
    name, data = client().download("/v1/support-bundle")
    path = Path(file or name)
    try:
        if path.exists():
            raise click.ClickException(f"{path} is there already; name another --file.")
        replace_file(path, data)
    except OSError as error:
        raise click.ClickException(
            f"{path} cannot be written: {error.strerror}."
        ) from None
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        members = archive.getnames()
    click.echo(f"Wrote {path}: {len(members)} files, {len(data)} bytes.")
    click.echo(
        "Names of hosts and targets are in it: look through it before you send it."
    )
