"""What C{hybridconn hcm} prints."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from hybridconn.cli.hcm_client import HcmClient

Row = Mapping[str, Any]


def say_status(what: str, found: Row) -> None:
    """What was done, how the hybrid connection is, and what to do."""
    click.echo(f"{what}: {found['status']}.")
    if found["reason"]:
        click.echo(f"  {found['reason']}")
    if found["nextStep"]:
        click.echo(f"  To do: {found['nextStep']}.")


def print_table(
    columns: Mapping[str, Callable[[Row], object]], rows: Sequence[Row]
) -> None:
    """A line for each row."""
    table: Any = Table(*columns, box=None)
    for row in rows:
        table.add_row(*[str(show(row)) for show in columns.values()])
    # What is no terminal has no width: nothing is cut off.
    width = None if sys.stdout.isatty() else 1000
    Console(width=width, markup=False, highlight=False).print(table)


#: Of hybrid connections.
COLUMNS: Mapping[str, Callable[[Row], object]] = {
    "Name": lambda row: row["name"],
    "Status": lambda row: row["status"],
    "Namespace": lambda row: row["namespace"],
    "Endpoint": lambda row: row["endpoint"],
    "Target": lambda row: _target_words(row["target"]),
    "Tunnels": lambda row: row["tunnels"]["open"],
    "Reason": lambda row: row["reason"],
}


def _target_words(target: Row) -> str:
    if target["reachable"] is None:
        return "not tried"
    if not target["reachable"]:
        return "down"
    if target["seconds"] is None:
        return "reachable"
    return f"{1000 * target['seconds']:.1f} ms"


def print_changes(client: HcmClient, output: str) -> None:
    """All hybrid connections, and then whatever changes, until it ends."""
    for kind, value in client.events("/v1/events"):
        rows = value["connections"] if kind == "snapshot" else [value]
        if output == "json":
            click.echo(json.dumps({"event": kind, **value}))
        elif kind in ("snapshot", "connection"):
            for row in rows:
                cells = [str(show(row)) for show in COLUMNS.values()]
                click.echo("  ".join(filter(None, [_now(), *cells])))
        elif kind == "removed":
            click.echo(f"{_now()}  {value['name']}  removed")


def _now() -> str:
    return time.strftime("%H:%M:%S")


def details(row: Row) -> Sequence[tuple[str, object]]:
    """Everything about one hybrid connection, each with its label."""
    target, tunnels, error = row["target"], row["tunnels"], row["lastError"]
    return (
        ("Name", row["name"]),
        ("Namespace", row["namespace"]),
        ("Status", f"{row['status']} since {row['since']}"),
        ("Reason", row["reason"]),
        ("To do", row["nextStep"]),
        ("Endpoint", row["endpoint"] and f"{row['endpoint']} ({row['endpointFrom']})"),
        ("Target", _target_words(target)),
        ("Target error", target.get("error")),
        ("Settings", _settings_words(row["settings"])),
        ("NumberOfListeners", row["numberOfListeners"]),
        ("ServiceBusEndpoint", row["serviceBusEndpoint"]),
        ("Rule", row["keyName"]),
        (
            "Tunnels",
            f"{tunnels['open']} now, {tunnels['total']} ever, {tunnels['refused']} "
            f"refused, {tunnels['requests']} HTTP requests",
        ),
        (
            "Bytes",
            f"{tunnels['bytesFromTarget']} from the target, "
            f"{tunnels['bytesFromSender']} from senders",
        ),
        (
            "Last error",
            error and f"{error['text']} ({error['at']}, {error['trackingId']})",
        ),
        ("CreatedOn", row["createdOn"]),
        ("LastUpdated", row["lastUpdated"]),
        ("File", row["file"]),
    )


def _settings_words(settings: Row) -> str:
    """As a table has them, without those that say nothing."""
    return ", ".join(
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in settings.items()
        if value not in (None, [])
    )


def _seconds(row: Row, key: str) -> str:
    return "" if row[key] is None else f"{row[key]:.3f}"


#: Of tunnels; times are seconds since the first.
TUNNEL_COLUMNS: Mapping[str, Callable[[Row], object]] = {
    "Started": lambda row: row["startedAt"],
    "From": lambda row: row["peer"],
    "Look-up": lambda row: _seconds(row, "lookedUp"),
    "Dial": lambda row: _seconds(row, "dialled"),
    "Joined": lambda row: _seconds(row, "joined"),
    "First byte": lambda row: _seconds(row, "firstByte"),
    "Ended": lambda row: _seconds(row, "ended"),
    "Bytes": lambda row: f"{row['bytesFromTarget']}/{row['bytesFromSender']}",
    "Outcome": lambda row: " ".join(
        str(one)
        for one in (row["outcome"], row["endedBy"], row["code"], row["why"])
        if one not in ("", None)
    ),
    "Tracking id": lambda row: row["trackingId"],
}


#: Of HTTP requests; times are seconds since the first.
REQUEST_COLUMNS: Mapping[str, Callable[[Row], object]] = {
    "Started": lambda row: row["startedAt"],
    "From": lambda row: row["peer"],
    "Request": lambda row: f"{row['method']} {row['path']}",
    "Responded": lambda row: _seconds(row, "responded"),
    "Ended": lambda row: _seconds(row, "ended"),
    "Outcome": lambda row: " ".join(
        str(one) for one in (row["outcome"], row["status"], row["why"]) if one
    ),
    "Tracking id": lambda row: row["trackingId"],
}


def print_report(report: Row, output: str) -> None:
    """
    What was found out.

    @raise SystemExit: with 1, if something is wrong.
    """
    if output == "json":
        click.echo(json.dumps(report, indent=2))
    else:
        for check in report["checks"]:
            mark = "ok  " if check["ok"] else "BAD "
            click.echo(f"{mark} {check['subject']}: {check['name']}: {check['detail']}")
            if check["nextStep"]:
                click.echo(f"     To do: {check['nextStep']}.")
    if not report["ok"]:
        raise SystemExit(1)


def print_line(line: Row) -> None:
    """A line of the log."""
    level = "" if line["level"] == "info" else f"{line['level'].upper()} "
    click.echo(f"{line['at']} {level}{line['text']}")
