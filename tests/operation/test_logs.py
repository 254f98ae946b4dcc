"""Tests of L{hybridconn.operation.logs}."""

from __future__ import annotations

import io
import json
import sys
from typing import Any
from uuid import UUID

from twisted.logger import ILogObserver, Logger, LogLevel, LogPublisher
from twisted.python import log as old_log
from twisted.python import usage
from twisted.python.failure import Failure
from twisted.python.reflect import namedAny
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.core.entities import Secret
from hybridconn.operation.logs import (
    OPTION,
    RECORD,
    choose_log,
    format_json,
    json_observer,
    read_record,
)


class Options(usage.Options):
    optParameters = [OPTION]  # noqa: RUF012  # Twisted's convention


class JsonTests(SynchronousTestCase):
    """Events as lines."""

    def setUp(self) -> None:
        self.out = io.StringIO()
        self.observer: Any = json_observer(self.out)
        self.log = Logger("hybridconn.test", observer=self.observer)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.getvalue().splitlines()]

    def test_event(self) -> None:
        """Time, level, logger, the message and what it was made of."""
        self.log.warn("{entity}: {n} of {s}", entity="db", n=3, s=0.5, more=None)
        (line,) = self.lines()
        self.assertRegex(line.pop("time"), r"^20\d\d-\d\d-\d\dT[\d:]{8}\.\d{6}Z$")
        self.assertEqual(
            line,
            {
                "level": "warn",
                "logger": "hybridconn.test",
                "text": "db: 3 of 0.5",
                "fields": {"entity": "db", "n": 3, "s": 0.5, "more": None},
            },
        )
        self.assertTrue(verifyObject(ILogObserver, self.observer))

    def test_one_line(self) -> None:
        """Line breaks in an event are none in the file."""
        self.log.info("{what}", what="a\nb\r\u2028c")
        self.assertEqual(len(self.out.getvalue().split("\n")), 2)
        self.assertEqual(self.lines()[0]["fields"]["what"], "a\nb\r\u2028c")

    def test_objects(self) -> None:
        """What the message shows is shown as there; other objects are left out."""
        guid = UUID(int=7)
        self.log.info(
            "{guid} {secret.text}{key}",
            guid=guid,
            secret=type("T", (), {"text": "x", "__str__": lambda _: "shown"})(),
            key=Secret("hunter2"),
            other=object(),
            infinite=float("inf"),
        )
        fields = self.lines()[0]["fields"]
        self.assertEqual(fields["guid"], str(guid))
        self.assertEqual(fields["infinite"], "inf")
        self.assertNotIn("other", fields)
        self.assertNotIn("hunter2", self.out.getvalue())

    def test_failure(self) -> None:
        """A failure has its class, message and traceback, as text."""
        try:
            raise ValueError("no good")
        except ValueError:
            self.log.failure("it broke")
        (line,) = self.lines()
        self.assertEqual(line["level"], "critical")
        self.assertEqual(line["failure"]["type"], "ValueError")
        self.assertEqual(line["failure"]["message"], "no good")
        self.assertIn("Traceback", line["failure"]["traceback"])

    def test_old_events(self) -> None:
        """Events of Twisted's older way are lines too."""
        publisher = LogPublisher(self.observer)
        old = old_log.LogPublisher(publisher, publisher)
        old.msg("FrontDoor starting on 443")
        (line,) = self.lines()
        self.assertEqual(line["text"], "FrontDoor starting on 443")
        self.assertNotIn("fields", line)

    def test_worker(self) -> None:
        """What another process wrote stays as it was, with its number."""
        made = format_json({"log_format": "x", "log_time": 0.0, "a": 1})
        assert made is not None
        record = read_record(made.strip())
        assert record is not None
        self.log.info("worker {number}", number=2, **{RECORD: record})
        self.assertEqual(self.lines(), [{**record, "worker": 2}])
        for line in ("", "x", "[1]", "{}", '{"text": 1}'):
            self.assertIsNone(read_record(line))

    def test_odd(self) -> None:
        """Odd events make a line or none, never a failure."""
        self.assertIsNone(format_json({}))
        for event in (
            {"log_format": "{"},
            {"log_format": "{x.y}", "x": 1},
            {"log_format": "a", "log_time": None, "log_level": LogLevel.debug},
            {"log_failure": Failure(ValueError("x"))},
        ):
            json.loads(format_json(event) or "")


class OptionTests(SynchronousTestCase):
    """C{--log-format}."""

    def choose(self, *arguments: str, **parent: Any) -> Any:
        options = Options()
        options.parent = parent  # type: ignore[assignment]
        options.parseOptions(arguments)
        choose_log(options, "hcrelay")
        return options.parent

    def test_text(self) -> None:
        """Text is Twisted's own."""
        self.assertEqual(self.choose(), {})

    def test_json(self) -> None:
        """JSON goes to the standard output, or to the log's file."""
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        parent = self.choose("--log-format", "json", nodaemon=True, logfile=None)
        Logger("x", observer=namedAny(parent["logger"])()).info("hello")
        self.assertEqual(json.loads(out.getvalue())["text"], "hello")
        file = self.mktemp()
        parent = self.choose("--log-format=json", nodaemon=False, logfile=file)
        observer = namedAny(parent["logger"])()
        Logger("x", observer=observer).info("in a file")
        observer._outFile.close()
        with open(file) as opened:
            self.assertEqual(json.loads(opened.read())["text"], "in a file")

    def test_unknown(self) -> None:
        """Another word is a mistake."""
        error = self.assertRaises(SystemExit, self.choose, "--log-format=xml")
        self.assertIn("--log-format: 'xml' is not known", str(error))
