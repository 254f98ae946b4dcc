"""The test case of all integration tests: it shows the logs when one fails."""

from __future__ import annotations

import atexit
import os
import socket
import unittest
from collections.abc import Callable
from typing import Any

from twisted.trial.reporter import TestResultDecorator
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.integration.stage import Stage
from tests.integration.targets import Target
from tests.integration.waiting import wait_for


class _Watched(TestResultDecorator):
    """A reporter that remembers whether anything failed."""

    failed = False

    def addError(self, *what: Any) -> None:
        """Pass it on (trial)."""
        self.failed = True
        super().addError(*what)

    def addFailure(self, *what: Any) -> None:
        """Pass it on (trial)."""
        self.failed = True
        super().addFailure(*what)


class IntegrationTestCase(SynchronousTestCase):
    """
    @ivar stages: what this test uses.  After the test their logs must hold
        neither secrets nor tracebacks.
    """

    def setUp(self) -> None:
        self.stages: list[Stage] = []
        self.may_log_tracebacks = False

    def run(self, result: Any) -> Any:  # type: ignore[override]  # trial gives one
        watched = _Watched(result)
        super().run(watched)
        if watched.failed:
            for stage in self.stages:
                print(f"\n=== logs of {self.id()}\n{stage.logs()}", flush=True)
        for stage in self.stages:
            if stage not in _shared:
                stage.close()

    def use(self, stage: Stage) -> Stage:
        """Have C{stage} checked after the test, and closed unless it is shared."""
        self.stages.append(stage)
        self.addCleanup(self._check, stage)
        return stage

    def _check(self, stage: Stage) -> None:
        self.assertEqual(stage.log_mistakes(), [])

    def wait_until(
        self, what: str, ask: Callable[[], object], seconds: float = 15.0
    ) -> None:
        """Wait for C{ask()} to be true."""
        wait_for(what, ask, seconds)

    def assertReset(self, connection: socket.socket) -> None:
        """The connection ends by RST: not orderly, and not by time running out."""
        try:
            got = connection.recv(1)
        except ConnectionResetError:
            return
        self.fail(f"{got!r} instead of a reset")

    def target(self, serve: Callable[..., None]) -> Target:
        """A target that ends with the test."""
        made = Target(serve)
        self.addCleanup(made.close)
        return made


_shared: list[Stage] = []


def share(stage: Stage) -> Stage:
    """Keep C{stage} for several tests, until this process ends."""
    _shared.append(stage)
    atexit.register(stage.close)
    return stage


def need(found: object, reason: str) -> None:
    """
    Skip the test if a program is not there.  Where nothing may be left out, the
    test fails instead.
    """
    if found:
        return
    if os.environ.get("CI") == "true":
        raise unittest.TestCase.failureException(reason)
    raise SkipTest(reason)
