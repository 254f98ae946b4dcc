"""
The log as JSON: one line for each event, for whatever collects it.

    {"time": "2030-03-17T17:46:40.000000Z", "level": "info", "logger": "hybridconn…",
     "text": "db: online at relay.example.net…", "fields": {"entity": "db"}}
"""

from __future__ import annotations

import json
import math
import string
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any, Final

from twisted.logger import (
    FileLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    formatEvent,
)
from twisted.python import usage
from twisted.python.failure import Failure

#: The option of all programs, as Twisted writes one.
OPTION: Final = ["log-format", None, "text", "text, or json: an object on each line."]
#: An event that another process of ours made, as it wrote it.
RECORD: Final = "log_record"

_FORMATS: Final = ("text", "json")
# What Twisted's older way of logging puts into each event.
_OLD: Final = frozenset(
    {"format", "isError", "message", "printed", "system", "time", "why", "failure"}
)
_MOST: Final = 8192


def json_observer(out: IO[str]) -> ILogObserver:
    """An observer that writes lines of JSON to C{out}."""
    observer: ILogObserver = FileLogObserver(out, format_json)
    return observer


def format_json(event: LogEvent) -> str | None:
    """
    One event as one line.  What is neither text nor number is shown as text if the
    message shows it, and else left out.
    """
    record = event.get(RECORD)
    if isinstance(record, dict):
        return json.dumps({**record, "worker": event.get("number")}) + "\n"
    text = formatEvent(event)
    failure = event.get("log_failure")
    if not text and failure is None:
        return None
    level = event.get("log_level", LogLevel.info)
    line: dict[str, object] = {
        "time": _time(event.get("log_time")),
        "level": level.name,
        "logger": str(event.get("log_namespace", "")),
        "text": text[:_MOST],
    }
    fields = _fields(event)
    if fields:
        line["fields"] = fields
    if isinstance(failure, Failure):
        line["failure"] = {
            "type": failure.type.__qualname__ if failure.type else "",
            "message": failure.getErrorMessage()[:_MOST],
            "traceback": failure.getTraceback()[:_MOST],
        }
    return json.dumps(line) + "\n"


def read_record(line: str) -> dict[str, Any] | None:
    """What L{format_json} made of an event, if that is what C{line} is."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    good = isinstance(value, dict) and isinstance(value.get("text"), str)
    return value if good else None


class _Chosen:
    """
    What is to be written in place of C{twistd}'s own log.

    @ivar twistd: its options.
    """

    twistd: Mapping[str, Any] = {}  # it is not changed

    def observer(self) -> ILogObserver:
        """Make the observer."""
        name = self.twistd.get("logfile")
        if not name and not self.twistd.get("nodaemon"):
            name = "twistd.log"
        if not name or name == "-":
            return json_observer(sys.stdout)
        return json_observer(open(name, "a", encoding="utf-8", buffering=1))


#: Found by its name.
chosen = _Chosen()


def choose_log(options: usage.Options, program: str) -> None:
    """
    Have C{twistd} write its log as L{OPTION} says.

    @raise SystemExit: there is no such format.
    """
    wanted = options["log-format"]
    if wanted not in _FORMATS:
        raise SystemExit(
            f"{program}: command line: --log-format: {wanted!r} is not known; use text"
            " or json."
        )
    if wanted == "json" and options.parent is not None:
        # As --logger does: by the name of what makes the observer.
        options.parent["logger"] = f"{__name__}.chosen.observer"
        chosen.twistd = options.parent


def _fields(event: LogEvent) -> dict[str, object]:
    named = _named(event.get("log_format"))
    fields: dict[str, object] = {}
    for key, value in event.items():
        if key.startswith("log_") or key in _OLD:
            continue
        if isinstance(value, str):
            fields[key] = value[:_MOST]
        elif value is None or isinstance(value, bool | int):
            fields[key] = value
        elif isinstance(value, float):
            fields[key] = value if math.isfinite(value) else str(value)
        elif key in named:
            fields[key] = str(value)[:_MOST]
    return fields


def _named(format_string: object) -> set[str]:
    if not isinstance(format_string, str):
        return set()
    try:
        parts = list(string.Formatter().parse(format_string))
    except ValueError:
        return set()
    return {name.partition(".")[0].partition("[")[0] for _, name, _, _ in parts if name}


def _time(seconds: object) -> str:
    when = seconds if isinstance(seconds, float | int) else 0.0
    return (
        datetime.fromtimestamp(when, UTC)
        .isoformat(timespec="microseconds")
        .replace("+00:00", "Z")
    )
