"""Tests of L{hybridconn.diagnosis.steps} and of a check's two faces."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.diagnosis.check import Check, Result
from hybridconn.diagnosis.clock import compare_clocks
from hybridconn.diagnosis.steps import Seen, Skipped, Steps, Trouble


class StepTests(SynchronousTestCase):
    """Hops in their order."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.checks: list[Check] = []
        self.steps = Steps("relay.test", self.clock, self.checks.append)

    def run_step(self, name: str, look: Callable[[], Awaitable[Seen[int]]]) -> object:
        running: Any = self.steps.run(name, look)
        done = Deferred.fromCoroutine(running)
        self.clock.advance(2)
        return self.successResultOf(done)

    async def well(self) -> Seen[int]:
        await deferLater(self.clock, 2, lambda: None)
        return Seen("all there", 7)

    async def trouble(self) -> Seen[int]:
        raise Trouble("it broke", "mend it")

    async def nothing(self) -> Seen[int]:
        raise Skipped("not wanted")

    def test_well(self) -> None:
        """What was found goes on to the next, with the time that it took."""
        self.assertEqual(self.run_step("first", self.well), 7)
        (check,) = self.checks
        self.assertEqual(
            check, Check("relay.test", "first", Result.PASS, "all there", "", 2.0)
        )

    def test_behind(self) -> None:
        """Behind a hop that failed nothing is looked at, and the reason is said."""
        self.assertIsNone(self.run_step("first", self.trouble))
        self.assertIsNone(self.run_step("second", self.well))
        first, second = self.checks
        self.assertEqual((first.result, first.mend), (Result.FAIL, "mend it"))
        self.assertEqual((second.result, second.seen), (Result.SKIP, "first failed"))

    def test_skipped(self) -> None:
        """What is not looked at is no failure: the next hop is."""
        self.run_step("first", self.nothing)
        self.assertEqual(self.run_step("second", self.well), 7)
        self.assertEqual(self.checks[0].seen, "not wanted")
        self.assertTrue(self.checks[0].ok)


class CheckTests(SynchronousTestCase):
    """One check."""

    def test_view(self) -> None:
        """Commands and the manager's port show the same."""
        check = Check("db", "clock", False, "wrong", "set it")
        self.assertEqual(
            check.view(),
            {
                "subject": "db",
                "name": "clock",
                "ok": False,
                "result": "FAIL",
                "detail": "wrong",
                "nextStep": "set it",
                "seconds": None,
            },
        )

    def test_clock(self) -> None:
        """A minute is nothing; more is said with its direction."""
        date = "Thu, 01 Jan 1970 01:00:00 GMT"
        self.assertEqual(compare_clocks(date, 3600 - 59), (True, "as the relay's", ""))
        found = compare_clocks(date, 3600 + 61)
        assert found is not None
        self.assertEqual(found[:2], (False, "-61 s from the relay's"))
        self.assertIsNone(compare_clocks("soon", 0))
