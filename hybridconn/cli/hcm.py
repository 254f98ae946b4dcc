"""
C{hybridconn hcm}: a connection manager that runs on this machine, for people.

Exit statuses: 0 done, 1 something is wrong, 2 the command was written wrongly, 3 the
service is not there, 4 there is no such hybrid connection.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
from typing import Any

import click

from hybridconn.cli.hcm_client import (
    CONFIG_VARIABLE,
    SOCKET_VARIABLE,
    HcmClient,
    NotThere,
    connection_path,
    read_secret,
)
from hybridconn.cli.hcm_drain import drain, resume
from hybridconn.cli.hcm_options import (
    await_status,
    complete_name,
    one_connection,
    output_option,
    read_setting,
)
from hybridconn.cli.hcm_select import offered_connections, remote_options
from hybridconn.cli.hcm_window import diag, ui
from hybridconn.cli.hcm_words import (
    COLUMNS,
    REQUEST_COLUMNS,
    TUNNEL_COLUMNS,
    details,
    print_changes,
    print_line,
    print_report,
    print_table,
    say_status,
)
from hybridconn.cli.remote import Remote

_PROMPT = "Gateway connection string (is not shown)"
_CONNECTED = "Connected"
#: What is said of a host's name that leads nowhere.
_UNRESOLVED = "cannot be resolved"
#: Those that another look a moment later may find better.
_PASSING = ("Connecting", "Not Connected")


@click.group("hcm", short_help="Look after the connection manager on this machine.")
@click.option(
    "--socket",
    envvar=SOCKET_VARIABLE,
    metavar="PATH",
    help="The service's UNIX socket; otherwise /run/hybridconn/hcm.sock.",
)
@click.option(
    "--config",
    envvar=CONFIG_VARIABLE,
    metavar="FILE",
    help="The service's listener.toml, which names the socket.",
)
@click.option("--url", metavar="URL", help="Its port: http://127.0.0.1:PORT.")
@click.option("--token-file", metavar="FILE", help="The token for --url.")
@click.pass_context
def hcm_group(
    ctx: click.Context,
    socket: str | None,
    config: str | None,
    url: str | None,
    token_file: str | None,
) -> None:
    """
    Add, watch and remove hybrid connections of the service on this machine.

    The service is twistd hclistener with [admin] in its listener.toml. Every command
    acts at once, and leaves the tunnels of other hybrid connections alone.

    Exit statuses: 0 done; 1 something is wrong; 2 written wrongly; 3 the service is not
    there; 4 no such hybrid connection.
    """
    ctx.obj = functools.partial(HcmClient.from_options, socket, config, url, token_file)


hcm_group.add_command(ui)
hcm_group.add_command(diag)
hcm_group.add_command(drain)
hcm_group.add_command(resume)


# --- adding and removing -----------------------------------------------------


@hcm_group.command()
@click.argument("pasted", nargs=-1, metavar="")
@click.option(
    "--file",
    metavar="FILE",
    help="A private file that holds the connection string; - for standard input.",
)
@click.option(
    "--name",
    metavar="NAME",
    help="What commands are to call it; otherwise its entity path.",
)
@click.option(
    "--target",
    metavar="HOST:PORT",
    help="What senders are joined to; otherwise what its metadata says.",
)
@click.option(
    "--targets",
    metavar="HOST:PORT",
    multiple=True,
    help="Instead: what senders may want, such as *.apps.corp:443; may be repeated.",
)
@click.option(
    "--check-interval",
    type=float,
    metavar="SECONDS",
    help="Look at the target every so many seconds.",
)
@click.option(
    "--withdraw",
    is_flag=True,
    help="Leave the relay while the target is down, with --check-interval.",
)
@click.option(
    "--set",
    "more",
    metavar="KEY=VALUE",
    multiple=True,
    callback=lambda context, parameter, value: [*map(read_setting, value)],
    help="Any other key of [[hybrid_connection]], its value as TOML has it, such as "
    "proxy_protocol=true or 'targets=[\"*.corp:443\"]'; may be repeated.",
)
@click.option(
    "--replace", is_flag=True, help="Take the place of the one that is there."
)
@click.option(
    "--wait",
    type=float,
    default=10.0,
    show_default=True,
    metavar="SECONDS",
    help="For it to be connected; 0: do not wait.",
)
@click.option(
    "--select",
    is_flag=True,
    help="Choose among the hybrid connections of a namespace, with the options "
    "--relay-… of the management API.",
)
@remote_options
@output_option
@click.pass_obj
def add(
    client: Callable[[], HcmClient],
    pasted: Sequence[str],
    file: str | None,
    name: str | None,
    target: str | None,
    targets: Sequence[str],
    check_interval: float | None,
    withdraw: bool,
    more: list[tuple[str, Any]],
    replace: bool,
    wait: float,
    select: bool,
    remote: Callable[[], Remote],
    namespace: str | None,
    choose: Sequence[str],
    output: str,
) -> None:
    """
    Add a hybrid connection.

    Its gateway connection string is asked for, or read from --file or standard input;
    it is never an argument, since those can be read by every user of a machine.
    """
    if pasted:
        raise click.UsageError(
            "a connection string is no argument, since every user of this machine "
            "could read it: start the command without it and paste it when asked, or "
            "use --file."
        )
    settings: dict[str, Any] = {}
    for key, value in (
        ("name", name),
        ("target", target),
        ("targets", list(targets) or None),
        ("target_check_interval", check_interval),
        ("target_down", "withdraw" if withdraw else None),
        *more,
    ):
        if value is not None:
            settings[key] = value
    if select:
        texts = offered_connections(remote(), namespace, choose)
        if len(texts) > 1 and name is not None:
            raise click.UsageError("--name is for one hybrid connection.")
    else:
        texts = [read_secret(file, _PROMPT)]
    called = client()
    good = True
    for text in texts:
        body = {"connectionString": text, "settings": settings, "replace": replace}
        added = called.call("POST", "/v1/connections", body)
        if wait:
            added = await_status(called, added["name"], None, wait, _PASSING)
        if output == "json":
            click.echo(json.dumps(added, indent=2))
        else:
            say_status(f"Added {added['name']}", added)
        good = good and (not wait or added["status"] == _CONNECTED)
    if not good:
        raise SystemExit(1)


@hcm_group.command()
@one_connection
@click.pass_obj
def remove(client: Callable[[], HcmClient], name: str, namespace: str | None) -> None:
    """Remove a hybrid connection from this machine; the relay keeps it."""
    client().call("DELETE", connection_path(name, namespace))
    click.echo(f"Removed {name}.")


@hcm_group.command()
@one_connection
@click.pass_obj
def restart(client: Callable[[], HcmClient], name: str, namespace: str | None) -> None:
    """Leave the relay and come back; tunnels that run go on."""
    found = client().call("POST", connection_path(name, namespace, "/restart"))
    say_status(f"Restarted {found['name']}", found)


@hcm_group.command()
@click.pass_obj
def reload(client: Callable[[], HcmClient]) -> None:
    """
    Have the service read its files anew.

    What is the same is left alone. If a file is wrong, all stays as it was.
    """
    found = client().call("POST", "/v1/reload")
    click.echo(f"Read anew; hybrid connections: {found['connections']}.")
    if found["needsRestart"]:
        tables = " and ".join(found["needsRestart"])
        click.echo(f"  {tables} changed: that counts from the service's next start.")
        click.echo("  To do: restart the service.")


# --- looking -----------------------------------------------------------------


@hcm_group.command("list")
@click.option("--watch", is_flag=True, help="Go on and show what changes.")
@output_option
@click.pass_obj
def list_them(client: Callable[[], HcmClient], watch: bool, output: str) -> None:
    """Show all hybrid connections."""
    if watch:
        print_changes(client(), output)
        return
    found = client().call("GET", "/v1/connections")["connections"]
    if output == "json":
        click.echo(json.dumps(found, indent=2))
    elif found:
        print_table(COLUMNS, found)
    else:
        click.echo("There is none yet: hybridconn hcm add")


@hcm_group.command()
@one_connection
@output_option
@click.pass_obj
def show(
    client: Callable[[], HcmClient], name: str, namespace: str | None, output: str
) -> None:
    """Show how one is and why, and its last tunnels and HTTP requests."""
    found = client().call("GET", connection_path(name, namespace))
    if output == "json":
        click.echo(json.dumps(found, indent=2))
        return
    for label, value in details(found):
        if value not in ("", None):
            click.echo(f"{label:20} {value}")
    for columns, rows in (
        (TUNNEL_COLUMNS, found["recentTunnels"]),
        (REQUEST_COLUMNS, found["recentRequests"]),
    ):
        if rows:
            click.echo()
            print_table(columns, rows)


@hcm_group.command(short_help="See what can be reached from the service now.")
@click.argument("what", shell_complete=complete_name)
@click.option(
    "--namespace", "-ns", metavar="NAME", help="The relay's host, or its first word."
)
@output_option
@click.pass_obj
def test(
    client: Callable[[], HcmClient], what: str, namespace: str | None, output: str
) -> None:
    """
    See whether WHAT can be reached from the service now: a hybrid connection, its relay
    and its target; a target as HOST:PORT; or a relay's HOST. What is the name of a
    hybrid connection here is that first.
    """
    called = client()
    try:
        path = connection_path(what, namespace, "/test")
        report = called.call("POST", path)
    except NotThere:
        if namespace:
            raise
        # A name may be mistyped, or be that of a host.
        bare = "." not in what and ":" not in what
        if bare:
            click.echo(
                f"There is no hybrid connection {what!r} here: it is tried as a host.",
                err=True,
            )
        report = called.call("POST", "/v1/test", {"address": what})
        if bare and any(_UNRESOLVED in one["detail"] for one in report["checks"]):
            raise NotThere(
                f"There is neither a hybrid connection {what!r} here nor a host of "
                "that name. Those that are here: hybridconn hcm list; a target is "
                "written HOST:PORT."
            ) from None
    print_report(report, output)


@hcm_group.command()
@output_option
@click.pass_obj
def doctor(client: Callable[[], HcmClient], output: str) -> None:
    """Look at the service and at each of its hybrid connections now."""
    print_report(client().call("GET", "/v1/doctor"), output)


@hcm_group.command()
@click.argument("name", required=False, shell_complete=complete_name)
@click.option(
    "--lines", "-l", default=100, show_default=True, help="How many; 1000 at most."
)
@click.option("--follow", "-f", is_flag=True, help="Go on and show what comes.")
@click.pass_obj
def logs(
    client: Callable[[], HcmClient], name: str | None, lines: int, follow: bool
) -> None:
    """Show the last lines of the service's log, of all or of one NAME."""
    about = connection_path(name, None).rpartition("/")[2] if name else ""
    path = f"/v1/logs?limit={lines}" + (f"&connection={about}" if about else "")
    if follow:
        for _, line in client().events(f"{path}&follow=1"):
            print_line(line)
    else:
        for line in client().call("GET", path)["lines"]:
            print_line(line)


@hcm_group.command()
@output_option
@click.pass_obj
def version(client: Callable[[], HcmClient], output: str) -> None:
    """Show the service's version, its files and since when it runs."""
    found = client().call("GET", "/v1/version")
    if output == "json":
        click.echo(json.dumps(found, indent=2))
        return
    for name, value in found.items():
        shown = ", ".join(value) if isinstance(value, list) else value
        click.echo(f"{name:12} {shown}")
