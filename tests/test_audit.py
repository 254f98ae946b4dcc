"""The audit file: a line for each event, whatever happens to the file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.audit import AuditEvent, AuditFile, NoAudit
from tests.relay.scene import watch_log


def event(**more: Any) -> AuditEvent:
    values = {
        "event": "management",
        "who": "ops",
        "by": "token",
        "source": "192.0.2.7",
        "action": "PUT",
        "operation": "NamespacesCreateOrUpdate",
        "target": "/subscriptions/x",
        "outcome": "allowed",
        "status": 200,
        "id": "1-2",
    }
    return AuditEvent(**{**values, **more})


class LineTests(SynchronousTestCase):
    """One event."""

    def test_all(self) -> None:
        """What is empty is left out, but for who and what."""
        self.assertEqual(
            json.loads(event().line(1_900_000_000.5)),
            {
                "time": "2030-03-17T17:46:40.500Z",
                "event": "management",
                "who": "ops",
                "by": "token",
                "from": "192.0.2.7",
                "action": "PUT",
                "operation": "NamespacesCreateOrUpdate",
                "target": "/subscriptions/x",
                "outcome": "allowed",
                "status": 200,
                "id": "1-2",
            },
        )
        bare = event(who="", by="", operation="", target="", status=0)
        shown = json.loads(bare.line(0.0))
        self.assertEqual((shown["who"], shown["target"]), ("", ""))
        self.assertFalse({"by", "operation", "status", "code"} & set(shown))

    def test_one_line(self) -> None:
        """Nobody writes a second line by what he is called or asks for."""
        line = event(
            target='/a\n{"event": "management"}\r\u2028\0é', who="x" * 9000
        ).line(0)
        self.assertEqual(len(line.splitlines()), 1)
        self.assertTrue(line.isascii())
        self.assertEqual(len(json.loads(line)["who"]), 2048)


class FileTests(SynchronousTestCase):
    """Where they are written."""

    def setUp(self) -> None:
        self.path = Path(self.mktemp())
        self.now = 0.0
        self.file = AuditFile(str(self.path), lambda: self.now)
        self.addCleanup(self.file.close)

    def ids(self, path: Path) -> list[str]:
        return [json.loads(line)["id"] for line in path.read_text().splitlines()]

    def test_mode(self) -> None:
        """Only its owner may read it."""
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_appended(self) -> None:
        """What was there stays, also after a restart and beside another process."""
        self.file.note(event(id="a"))
        other = AuditFile(str(self.path), lambda: 0.0)
        self.addCleanup(other.close)
        other.note(event(id="b"))
        self.file.note(event(id="c"))
        self.assertEqual(self.ids(self.path), ["a", "b", "c"])

    def test_rotated(self) -> None:
        """A file that was moved away is followed by a new one; no event is lost."""
        self.file.note(event(id="a"))
        moved = self.path.with_suffix(".1")
        self.path.rename(moved)
        self.file.note(event(id="b"))
        self.assertEqual(self.ids(moved), ["a"])
        self.assertEqual(self.ids(self.path), ["b"])
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o600)

    def test_rotated_with_a_new_file(self) -> None:
        """The same if whoever moved it made the new one."""
        self.path.rename(self.path.with_suffix(".1"))
        self.path.touch(0o640)
        self.file.note(event(id="b"))
        self.assertEqual(self.ids(self.path), ["b"])

    def test_truncated(self) -> None:
        """The same if it was copied and emptied."""
        self.file.note(event(id="a"))
        os.truncate(self.path, 0)
        self.file.note(event(id="b"))
        self.assertEqual(self.ids(self.path), ["b"])

    def test_cannot_be_written(self) -> None:
        """It is said once a minute, with the number of what was lost; work goes on."""
        lines = watch_log(self)
        self.path.unlink()
        folder = self.path.with_suffix(".folder")
        self.path.mkdir()
        for _ in range(3):
            self.file.note(event())
        self.now += 61
        self.file.note(event())
        self.assertEqual(len(lines), 2, lines)
        self.assertIn("audit: 1 events could not be written", lines[0])
        self.assertIn("audit: 3 events could not be written", lines[1])
        self.path.rename(folder)
        self.file.note(event(id="z"))
        self.assertEqual(self.ids(self.path), ["z"])

    def test_torn(self) -> None:
        """A line that was written in part spoils none that follows."""
        lines, write = watch_log(self), os.write
        self.patch(os, "write", lambda file, data: write(file, data[:10]))
        self.file.note(event(id="a"))
        self.patch(os, "write", write)
        self.file.note(event(id="b"))
        self.file.note(event(id="c"))
        torn, *whole = self.path.read_text().splitlines()
        self.assertEqual(len(torn), 10)
        self.assertEqual([json.loads(line)["id"] for line in whole], ["b", "c"])
        self.assertIn("the disk is full", lines[0])

    def test_cannot_be_opened(self) -> None:
        """At the start that is an error."""
        with self.assertRaises(OSError):
            AuditFile(str(self.path / "x"), lambda: 0.0)

    def test_none(self) -> None:
        """Without a file nothing happens."""
        NoAudit().note(event())
