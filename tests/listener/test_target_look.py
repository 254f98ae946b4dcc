"""Tests of L{hybridconn.listener.target_look}: what may happen late."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config.addresses import Target, parse_target
from hybridconn.core.probe import Failed, Message, TargetIs
from hybridconn.listener.reject import Reject
from hybridconn.listener.target_look import PATIENCE, TargetLook


class Prober:
    """
    Finds nothing out.

    @ivar looked_up: to be called with the addresses of a name.
    @ivar timeout: what it was given.
    """

    looked_up: Callable[[Sequence[str]], object]
    timeout: float | None = 0.0

    def look(
        self,
        target: Target,
        factory: Any,
        looked_up: Callable[[Sequence[str]], object],
        timeout: float | None = None,
    ) -> Deferred[Any]:
        self.looked_up, self.timeout = looked_up, timeout
        return fail(Reject(502, "target db.corp:1 did not answer in time: 10 s"))


class LateTests(SynchronousTestCase):
    """A look whose parts take too long."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.said: list[Message] = []
        self.prober = Prober()

    def look(self, find: Callable[[], Any]) -> Deferred[None]:
        prober: Any = self.prober
        look = TargetLook(prober, self.clock, self.said.append)
        return Deferred.fromCoroutine(look.look(find, ""))

    async def find(self) -> Target:
        return parse_target("db.corp:1")

    def test_name_found_too_late(self) -> None:
        """A look-up that ends when all is told says nothing more."""
        self.successResultOf(self.look(self.find))
        self.prober.looked_up(["10.0.0.5"])
        self.assertEqual([type(one) for one in self.said], [TargetIs, Failed])

    def test_as_for_senders(self) -> None:
        """The target has as long as it has for senders."""
        self.successResultOf(self.look(self.find))
        self.assertIsNone(self.prober.timeout)

    def test_target_not_found_out(self) -> None:
        """What the target is, is not waited for for ever."""
        looking = self.look(Deferred)
        self.clock.advance(PATIENCE - 1)
        self.assertNoResult(looking)
        self.clock.advance(1)
        self.successResultOf(looking)
        (failed,) = self.said
        assert isinstance(failed, Failed)
        self.assertEqual((failed.step, failed.status), ("target", 504))
