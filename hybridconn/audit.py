"""
Who did what: a line for each call of the management API and, where it is asked for,
for each use of a key at the relay.

One event is one JSON object on one line; docs/security.md says what is in it.  No
token, key, query or body ever is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from attrs import asdict, frozen
from twisted.logger import Logger
from zope.interface import implementer

from hybridconn.core.text import printable
from hybridconn.interfaces import IAudit

#: Characters of one value.
_MOST: Final = 2048
#: Seconds between two complaints about a file that cannot be written.
_COMPLAIN_EVERY: Final = 60.0


@frozen(kw_only=True)
class AuditEvent:
    """
    @ivar event: C{management}, C{page} or C{key}.
    @ivar who: the token's name, the subject of a JWT or the rule whose key signed;
        empty if nobody showed who he is.
    @ivar by: C{token}, C{jwt} or C{sas}; of the page C{link} or C{socket}; empty with
        C{who}.
    @ivar source: the client's address.
    @ivar action: an HTTP method; C{listen}, C{renew}, C{connect}, C{http} or
        C{describe}.
    @ivar operation: the name of the management operation.
    @ivar target: the path of the call; namespace and hybrid connection.
    @ivar outcome: C{allowed}; C{refused}: not by this one; C{failed}: allowed, but
        not possible.
    @ivar status: of the answer; 0 if there is none yet.
    @ivar code: what went wrong.
    @ivar id: C{x-ms-request-id}, or the tracking id.
    """

    event: str
    who: str = ""
    by: str = ""
    source: str
    action: str
    operation: str = ""
    target: str
    outcome: str
    status: int = 0
    code: str = ""
    id: str

    def line(self, when: float) -> str:
        """
        It as JSON.

        @param when: seconds since 1970-01-01 UTC.
        """
        time = datetime.fromtimestamp(when, UTC).isoformat(timespec="milliseconds")
        values = {
            name: printable(value, _MOST) if isinstance(value, str) else value
            for name, value in asdict(self).items()
            if value or name in ("who", "target")
        }
        values["from"] = values.pop("source")
        return json.dumps({"time": time.replace("+00:00", "Z"), **values})


@implementer(IAudit)
class AuditFile:
    """
    Appends events to a file of mode 0600.

    Whether the file is still the one that the path names is looked at before every
    line, so that it can be moved away at any time, as logrotate does.  Several
    processes can write to one file: each line is one write at its end.

    @param path: of the file; made if it is not there.
    @param now: seconds since 1970-01-01 UTC.
    @raise OSError: it cannot be opened.
    """

    log = Logger()

    def __init__(self, path: str, now: Callable[[], float]) -> None:
        self._path = path
        self._now = now
        self._lost = 0
        self._torn = False
        self._complained = float("-inf")
        self._file = self._open()

    def note(self, event: AuditEvent) -> None:
        """Append a line.  What cannot be written is counted, and said in the log."""
        now = self._now()
        data = (event.line(now) + "\n").encode("ascii")
        try:
            self._follow()
            if self._torn:
                data = b"\n" + data
            self._torn = os.write(self._file, data) != len(data)
            if self._torn:
                raise OSError("the disk is full")
        except OSError as error:
            self._lost += 1
            if now - self._complained >= _COMPLAIN_EVERY:
                self._complained = now
                self.log.error(
                    "audit: {count} events could not be written to {path}: {why}",
                    count=self._lost,
                    path=self._path,
                    why=error.strerror or str(error),
                )
                self._lost = 0

    def close(self) -> None:
        """Write no more."""
        os.close(self._file)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return os.open(self._path, flags, 0o600)

    def _follow(self) -> None:
        """Open the path's file again if it is another one by now."""
        ours = os.fstat(self._file)
        try:
            there = os.stat(self._path)
            if (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino):
                return
        except FileNotFoundError:
            pass
        fresh = self._open()
        os.close(self._file)
        self._file = fresh


@implementer(IAudit)
class NoAudit:
    """Writes nothing down."""

    def note(self, event: AuditEvent) -> None:
        """Forget it."""
