"""Tests of L{hybridconn.relay.reloading}, and of limits that are lowered."""

from __future__ import annotations

import os
import signal
from typing import Any

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config.mistakes import ConfigError
from hybridconn.config.relay import RelayConfig
from hybridconn.core.entities import Claim
from hybridconn.core.limits import Limits
from hybridconn.core.plan_limits import PlanLimits
from hybridconn.relay.reloading import ADJUSTABLE, Reloading
from tests.relay.scene import LIMITS, RelayTestCase, watch_log


class FakeReactor:
    """Keeps what it is to call."""

    def __init__(self) -> None:
        self.calls: list[Any] = []

    def callFromThread(self, call: Any) -> None:
        """Keep it (Twisted)."""
        self.calls.append(call)


class ReloadingTests(SynchronousTestCase):
    """A file that changes."""

    def setUp(self) -> None:
        self.lines = watch_log(self)
        self.found: RelayConfig | ConfigError = RelayConfig()
        self.taken: list[RelayConfig] = []
        self.reactor = FakeReactor()
        reactor: Any = self.reactor
        self.reloading = Reloading(self.load, RelayConfig(), reactor)
        self.reloading.adjust.append(self.taken.append)

    def load(self) -> RelayConfig:
        if isinstance(self.found, ConfigError):
            raise self.found
        return self.found

    def test_taken_over(self) -> None:
        """How many there may be is taken over, with a line that says what."""
        limits = Limits(listeners_per_entity=3, entities_per_namespace=7)
        self.found = RelayConfig(limits=limits, plan_limits=PlanLimits(basic=6))
        self.reloading.reload()
        self.assertEqual(self.taken, [self.found])
        (line,) = self.lines
        for words in ("listeners_per_entity = 3", "entities_per_namespace = 7"):
            self.assertIn(words, line)
        self.assertIn("basic = 6", line)
        self.reloading.reload()
        self.assertIn("nothing, as nothing changed", self.lines[1])

    def test_restart_needed(self) -> None:
        """What else changed is not taken over, and that is said."""
        self.found = RelayConfig(limits=Limits(ping_interval=1.0))
        self.reloading.reload()
        self.assertEqual(self.taken[0].limits.ping_interval, 30.0)
        self.assertIn("they need a restart", self.lines[1])

    def test_broken(self) -> None:
        """A broken file changes nothing."""
        self.found = ConfigError("relay.toml", ["[limits] x: no such setting."])
        self.reloading.reload()
        self.assertEqual(self.taken, [])
        self.assertIn("[limits] x: no such setting.", self.lines[0])

    def test_signal(self) -> None:
        """SIGHUP does it while the service runs, in the reactor's turn."""
        before = signal.getsignal(signal.SIGHUP)
        self.reloading.startService()
        os.kill(os.getpid(), signal.SIGHUP)
        self.reloading.stopService()
        self.assertEqual(self.taken, [])
        (call,) = self.reactor.calls
        call()
        self.assertEqual(self.taken, [RelayConfig()])
        self.assertEqual(signal.getsignal(signal.SIGHUP), before)


class LoweredTests(RelayTestCase):
    """What is there stays, nothing new comes."""

    def adjust(self, **limits: Any) -> None:
        self.assertLessEqual(set(limits), set(ADJUSTABLE))
        self.relay.service.desk.adjust(evolve(LIMITS, **limits))

    def test_listeners(self) -> None:
        """Two listeners and a limit of one: both stay, a third is refused."""
        peers = [self.listen(), self.listen()]
        self.adjust(listeners_per_entity=1)
        self.assertTrue(all(peer.close_frame is None for peer in peers))
        third = self.ask_to_listen()
        self.assertEqual(third.status, 403)
        self.assertIn("quota", third.reason)
        peers[0].hang_up()
        peers[1].hang_up()
        self.flush()
        self.assertEqual(self.ask_to_listen().status, 101)
        self.adjust(listeners_per_entity=2)
        self.assertEqual(self.ask_to_listen().status, 101)

    def ask_to_listen(self) -> Any:
        peer = self.dial(
            "/$hc/hyco?sb-hc-action=listen",
            {"ServiceBusAuthorization": self.token(Claim.LISTEN)},
        )
        self.network.advance(5.0)
        return peer

    def test_connections(self) -> None:
        """A tunnel over the limit stays; the next sender gets 503."""
        sender, _ = self.tunnel()
        self.adjust(connections_per_namespace=1)
        refused = self.connect()
        self.network.advance(5.0)
        self.assertEqual(refused.status, 503)
        sender.binary(b"x")
        self.flush()
        self.assertIsNone(sender.close_frame)
        self.adjust(connections_per_namespace=2)
        self.assertEqual(self.connect().status, 0)

    def test_pending(self) -> None:
        """A sender that waits goes on waiting; no other one may."""
        self.listen()
        waiting = self.connect()
        self.adjust(pending_per_entity=1)
        refused = self.connect()
        self.network.advance(2.0)
        self.assertEqual((waiting.status, refused.status), (0, 503))
