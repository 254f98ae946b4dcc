"""Tests of L{hybridconn.relay.logbook}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.relay import logbook
from hybridconn.relay.logbook import Logbook
from tests.relay.scene import watch_log


class LogbookTests(SynchronousTestCase):
    """So many lines a minute, then a count."""

    def setUp(self) -> None:
        self.lines = watch_log(self)

    def write(self, book: Logbook, times: int, now: float, cause: str = "404") -> int:
        return sum(book.may_write("192.0.2.1", cause, now) for _ in range(times))

    def test_count(self) -> None:
        """What was kept back in a minute is told at its end, once."""
        book = Logbook(10)
        self.assertEqual(self.write(book, 15, 0.0), 10)
        book.look(59.0)
        self.assertEqual(self.lines, [])
        book.look(60.0)
        book.look(120.0)
        self.assertEqual(self.lines, ["5 more from 192.0.2.1 within a minute: 404"])
        self.assertEqual(self.write(book, 15, 121.0), 10)

    def test_apart(self) -> None:
        """Each source and each cause has its own lines."""
        book = Logbook(1)
        self.assertEqual(self.write(book, 3, 0.0), 1)
        self.assertEqual(self.write(book, 3, 0.0, "401"), 1)
        self.assertTrue(book.may_write("192.0.2.2", "404", 0.0))

    def test_bounded(self) -> None:
        """Not more than so many are remembered; none is lost untold."""
        self.patch(logbook, "MOST_ENTRIES", 2)
        book = Logbook(1)
        for cause in ("a", "b", "c"):
            self.write(book, 2, 0.0, cause)
        self.assertEqual(self.lines, ["1 more from 192.0.2.1 within a minute: a"])

    def test_no_limit(self) -> None:
        """Zero lets everything through."""
        self.assertEqual(self.write(Logbook(0), 100, 0.0), 100)
