"""The load balancers that come along, and how others join them."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.balancers.leastconnections import LeastConnectionsBalancer
from hybridconn.balancers.randomchoice import RandomBalancer
from hybridconn.balancers.registry import (
    UnknownLoadBalancer,
    load_balancer,
    load_balancer_names,
)
from hybridconn.balancers.roundrobin import RoundRobinBalancer
from hybridconn.core.listeners import ListenerRef, SenderRequest
from hybridconn.testing.contracts import check_load_balancer

REQUEST = SenderRequest("contoso", "hyco", "192.0.2.7", 50000)
ROOT = Path(__file__).parents[2]


def listeners(*loads: int) -> list[ListenerRef]:
    """Listeners that came one after the other, with these connections."""
    return [
        ListenerRef(f"L{number}", "198.51.100.1", 4000 + number, 1e9 + number, load)
        for number, load in enumerate(loads)
    ]


class ShippedTests(SynchronousTestCase):
    """Random, round robin, least connections."""

    def test_contract(self) -> None:
        """Each keeps the contract."""
        for name in ("random", "round-robin", "least-connections"):
            check_load_balancer(self, load_balancer(name))

    def test_random(self) -> None:
        """Random is even over many senders (chi-squared, p 0.001)."""
        balancer = RandomBalancer(random.Random(7))
        there = listeners(*[0] * 25)
        counts = dict.fromkeys((ref.id for ref in there), 0)
        for _ in range(5000):
            counts[balancer.choose(there, REQUEST).id] += 1
        self.assertLess(sum((n - 200) ** 2 / 200 for n in counts.values()), 51.2)

    def test_round_robin(self) -> None:
        """Each listener in turn, each entity for itself."""
        balancer = RoundRobinBalancer()
        there = listeners(0, 0, 0)
        turns = [balancer.choose(there, REQUEST).id for _ in range(6)]
        self.assertEqual(turns, ["L0", "L1", "L2"] * 2)
        other = SenderRequest("contoso", "other", "192.0.2.7", 50000)
        self.assertEqual(balancer.choose(there, other).id, "L0")

    def test_least_connections(self) -> None:
        """The listener with the fewest connections."""
        balancer = LeastConnectionsBalancer()
        self.assertEqual(balancer.choose(listeners(3, 1, 2), REQUEST).id, "L1")


class RegistryTests(SynchronousTestCase):
    """Load balancers by name."""

    def test_unknown(self) -> None:
        """An unknown name is answered with those that are known."""
        error = self.assertRaises(UnknownLoadBalancer, load_balancer, "fair")
        self.assertIn("fair", str(error))
        for name in ("random", "round-robin", "least-connections"):
            self.assertIn(name, load_balancer_names())

    def test_third_party(self) -> None:
        """One that is installed as a Twisted plugin is found by its name."""
        with tempfile.TemporaryDirectory() as folder:
            plugins = Path(folder) / "twisted" / "plugins"
            plugins.mkdir(parents=True)
            (plugins / "first_plugin.py").write_text(
                "from twisted.plugin import IPlugin\n"
                "from zope.interface import implementer\n"
                "from hybridconn.interfaces import ILoadBalancer, ILoadBalancerPlugin\n"
                "@implementer(ILoadBalancer)\n"
                "class First:\n"
                "    def choose(self, candidates, request):\n"
                "        return candidates[0]\n"
                "@implementer(IPlugin, ILoadBalancerPlugin)\n"
                "class Plugin:\n"
                "    name = 'first'\n"
                "    def build(self):\n"
                "        return First()\n"
                "plugin = Plugin()\n"
            )
            done = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    "from hybridconn.balancers.registry import load_balancer\n"
                    "print(type(load_balancer('first')).__name__)",
                ],
                env={**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
        self.assertEqual(done.stdout.strip(), "First", done.stderr)
