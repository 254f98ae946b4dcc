"""
C{[update_notice]} of all roles: where to look for newer versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from attrs import field, frozen

from hybridconn.config.kinds import Authorities, Kind, Seconds
from hybridconn.config.mistakes import Mistake, shown
from hybridconn.config.secrets import Source
from hybridconn.operation.updates import UpdateSettings


def _https(value: str, source: Source) -> str:
    try:
        url = urlsplit(value)
        good = url.scheme == "https" and bool(url.hostname) and url.port != 0
    except ValueError:
        good = False
    if value and (not good or "@" in value or not value.isprintable() or " " in value):
        raise Mistake(f"{shown(value)} is no address of that kind; use https://.")
    if not value.isascii():
        raise Mistake(f"{shown(value)} is not ASCII; write what is not as %XX.")
    return value


_HttpsUrl = Annotated[str, Kind("URL", str, _https)]


@frozen
class UpdateTable:
    """C{[update_notice]}."""

    url: _HttpsUrl = field(
        default="",
        metadata={
            "help": "Where JSON says what the newest version is: `version`, or what an "
            "index of Python packages answers for one. Empty: it is never looked up."
        },
    )
    interval: Seconds = field(
        default=86400.0, metadata={"help": "Between two looks; the first is at once."}
    )
    ca_file: Authorities | None = field(
        default=None,
        metadata={"help": "For that URL: PEM file with further authorities to trust."},
    )


def _build(table: UpdateTable, source: Source) -> UpdateSettings:
    files = () if table.ca_file is None else (str(table.ca_file),)
    return UpdateSettings(table.url, table.interval, files)


UPDATE_NOTICE: Mapping[type, tuple[type, Any]] = {UpdateSettings: (UpdateTable, _build)}
