"""C{hybridconn status} and C{hybridconn kick}: what goes on at a relay, and its end."""

from __future__ import annotations

from urllib.parse import quote

import click

from hybridconn.cli.completing import (
    complete_connection,
    complete_listener,
    complete_namespace,
    complete_open,
    namespace_argument,
    path_argument,
)
from hybridconn.cli.managing import (
    Columns,
    Item,
    Output,
    confirm,
    managed,
    member,
    name_of,
    size,
    yes_option,
)
from hybridconn.cli.remote import Remote

_COUNTS: Columns = {
    "name": name_of,
    "listeners": member("listeners"),
    "draining": member("drainingListeners"),
    "tunnels": member("tunnels"),
    "requests": member("httpRequests"),
    "waiting": member("waitingSenders"),
    "from senders": size("bytesFromSenders"),
    "from listeners": size("bytesFromListeners"),
    "ended": lambda one: (
        one["properties"]["ended"]["tunnels"]
        + one["properties"]["ended"]["httpRequests"]
    ),
    "ended, from senders": size("ended", "bytesFromSenders"),
    "ended, from listeners": size("ended", "bytesFromListeners"),
}
_LISTENERS: Columns = {
    "listener": name_of,
    "from": member("address"),
    "since": member("connectedAt"),
    "in use by": member("connections"),
    "drains": lambda one: "yes" if one["properties"]["draining"] else "",
    "rule": member("rule"),
    "token until": member("tokenExpiresAt"),
    "own id": member("listenerId"),
    "program": member("userAgent"),
    "tracking": member("trackingId"),
}
_TUNNELS: Columns = {
    "tunnel": name_of,
    "kind": member("kind"),
    "since": member("startedAt"),
    "sender": member("sender"),
    "listener": member("listener"),
    "rule": member("rule"),
    "from sender": size("bytesFromSender"),
    "from listener": size("bytesFromListener"),
    "tracking": member("trackingId"),
}


@click.command("status")
@click.argument("namespace", required=False, shell_complete=complete_namespace)
@click.argument("path", required=False, shell_complete=complete_connection)
@managed
def status(
    remote: Remote, output: Output, namespace: str | None, path: str | None
) -> None:
    """
    Show who listens, and how much goes through.

    A row for each namespace; for each hybrid connection of NAMESPACE; or for each
    listener, tunnel and HTTP request of the hybrid connection PATH. "ended" is what
    is over, since the relay was started.
    """
    if namespace is None:
        place, rows = remote.provider, "namespaces"
    elif path is None:
        place, rows = remote.namespace(namespace), "hybridConnections"
    else:
        _one(remote, output, remote.place(namespace, path))
        return
    total: Item = remote.call("GET", place + "/status")
    found = list(remote.every(f"{place}/status/{rows}"))
    if output.as_json:
        output.json({"status": total, rows: found})
    else:
        output.table([*found, total | {"name": "in all"}], _COUNTS)
        if namespace is None:
            click.echo(f"running since {total['properties']['runningSince']}")


def _one(remote: Remote, output: Output, place: str) -> None:
    total: Item = remote.call("GET", place + "/status")
    listeners = list(remote.every(place + "/listeners"))
    tunnels = list(remote.every(place + "/tunnels"))
    if output.as_json:
        output.json({"status": total, "listeners": listeners, "tunnels": tunnels})
        return
    output.table([total], _COUNTS)
    for rows, columns in ((listeners, _LISTENERS), (tunnels, _TUNNELS)):
        if rows:
            click.echo()
            output.table(rows, columns)


@click.command("kick", short_help="End a listener, a tunnel or an HTTP request.")
@namespace_argument
@path_argument
@click.argument("id", shell_complete=complete_open)
@yes_option
@managed
def kick(
    remote: Remote, output: Output, namespace: str, path: str, id: str, yes: bool
) -> None:
    """
    End one listener, tunnel or HTTP request, by the ID that status shows.

    A listener or tunnel is closed with 1001, a request answered with 503. Nothing keeps
    a listener from coming back, and most do: take its key away for that.
    """
    listener = id.rpartition("/")[2].startswith("L")
    kind = "listeners" if listener else "tunnels"
    place = f"{remote.place(namespace, path)}/{kind}/{quote(id, safe='')}"
    remote.call("GET", place)
    confirm(f"End {id} of {namespace}/{path}?", yes)
    remote.call("DELETE", place)


_listener_argument = click.argument("id", shell_complete=complete_listener)


@click.command("drain", short_help="Give one listener no new senders for a time.")
@namespace_argument
@path_argument
@_listener_argument
@managed
def drain(remote: Remote, output: Output, namespace: str, path: str, id: str) -> None:
    """
    Give one listener no new senders, by the ID that status shows.

    Nor new HTTP requests. What runs through it goes on. It lasts until undrain, or
    until the listener comes back on another control channel.
    """
    _say_drained(remote, output, namespace, path, id, "drain")


@click.command("undrain")
@namespace_argument
@path_argument
@_listener_argument
@managed
def undrain(remote: Remote, output: Output, namespace: str, path: str, id: str) -> None:
    """Give a listener that was drained new senders again."""
    _say_drained(remote, output, namespace, path, id, "undrain")


def _say_drained(
    remote: Remote, output: Output, namespace: str, path: str, id: str, action: str
) -> None:
    place = f"{remote.place(namespace, path)}/listeners/{quote(id, safe='')}/{action}"
    found: Item = remote.call("POST", place)
    if output.as_json:
        output.json(found)
        return
    open_now = found["properties"]["connections"]
    if action == "drain":
        click.echo(f"{id} drains: {open_now} go on through it, nothing new comes.")
    else:
        click.echo(f"{id} gets new senders again.")
