"""Tests of L{hybridconn.balancers.registry} and of the plugins that we ship."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

from twisted.plugin import IPlugin, getPlugins
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

import hybridconn
from hybridconn.balancers import (
    LeastConnectionsBalancer,
    RandomBalancer,
    RoundRobinBalancer,
    UnknownLoadBalancer,
    load_balancer,
    load_balancer_names,
    registry,
)
from hybridconn.interfaces import ILoadBalancer, ILoadBalancerPlugin

SOURCE = Path(hybridconn.__file__).parents[1]

# What someone else would write: a balancer and its plugin, in a package of theirs.
BALANCER = """\
from zope.interface import implementer
from hybridconn.interfaces import ILoadBalancer

@implementer(ILoadBalancer)
class NewestBalancer:
    def choose(self, candidates, request):
        return candidates[-1]
"""
PLUGIN = """\
from twisted.plugin import IPlugin
from zope.interface import implementer
from hybridconn.interfaces import ILoadBalancerPlugin
from newest import NewestBalancer

@implementer(IPlugin, ILoadBalancerPlugin)
class Newest:
    name = "newest"

    def build(self):
        return NewestBalancer()

newest = Newest()
"""
RELAY = """\
[listen]
insecure = true
[relay]
load_balancer = "newest"
[[namespace]]
name = "contoso"
"""
SCRIPT = """\
import sys
from hybridconn.balancers import load_balancer
from hybridconn.config import load_relay
from tests.balancers.case import chosen, listeners

config = load_relay(sys.argv[1])
print(chosen(load_balancer(config.relay.load_balancer), listeners(0, 0, 0)))
"""


class RegistryTests(SynchronousTestCase):
    """Load balancers by name."""

    def test_ours(self) -> None:
        """Those that we ship are found, each time a new one."""
        for name, cls in (
            ("random", RandomBalancer),
            ("round-robin", RoundRobinBalancer),
            ("least-connections", LeastConnectionsBalancer),
        ):
            balancer = load_balancer(name)
            self.assertIsInstance(balancer, cls)
            self.assertTrue(verifyObject(ILoadBalancer, balancer))
            self.assertIsNot(balancer, load_balancer(name))
            self.assertIn(name, load_balancer_names())

    def test_plugins(self) -> None:
        """Our plugins provide what they say."""
        found = list(getPlugins(ILoadBalancerPlugin))
        self.assertGreaterEqual(len(found), 3)
        for plugin in found:
            self.assertTrue(verifyObject(IPlugin, plugin))
            self.assertTrue(verifyObject(ILoadBalancerPlugin, plugin))

    def test_unknown(self) -> None:
        """A name that nobody has is answered with those that there are."""
        error = self.assertRaises(UnknownLoadBalancer, load_balancer, "fairest")
        self.assertEqual(error.name, "fairest")
        self.assertEqual(list(error.known), load_balancer_names())
        self.assertEqual(
            str(error),
            'no load balancer is called "fairest"; installed: '
            + ", ".join(load_balancer_names()),
        )

    def test_two_of_a_name(self) -> None:
        """A name that two packages use is refused: neither wins by chance."""

        @implementer(IPlugin, ILoadBalancerPlugin)
        class Other:
            name = "random"

            def build(self) -> ILoadBalancer:
                return RandomBalancer()

        plugins = [*getPlugins(ILoadBalancerPlugin), Other()]
        self.patch(registry, "getPlugins", Mock(return_value=plugins))
        error = self.assertRaises(UnknownLoadBalancer, load_balancer, "random")
        self.assertIn('2 load balancers are called "random"', str(error))
        self.assertIn(Other.__module__, str(error))
        self.assertIsInstance(load_balancer("round-robin"), RoundRobinBalancer)


class InstalledPluginTests(SynchronousTestCase):
    """A balancer from another package, with no change to ours."""

    def test_by_name(self) -> None:
        """A relay's configuration names it, and it chooses."""
        site = Path(self.mktemp()).absolute()
        plugins = site / "twisted" / "plugins"
        plugins.mkdir(parents=True)
        (site / "newest.py").write_text(BALANCER)
        (plugins / "newest_balancer.py").write_text(PLUGIN)
        config = site / "relay.toml"
        config.write_text(RELAY)
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(config)],
            env={**os.environ, "PYTHONPATH": f"{site}{os.pathsep}{SOURCE}"},
            cwd=site,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((done.stdout.strip(), done.returncode), ("L2", 0), done.stderr)

    def test_cheap(self) -> None:
        """
        The plugin files take nothing of ours but the interfaces before they are
        used, as every search for plugins on the machine reads them.
        """
        files = sorted((SOURCE / "twisted" / "plugins").glob("hybridconn_*.py"))
        self.assertGreaterEqual(len(files), 2)
        for file in files:
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [node.module or ""]
                else:
                    continue
                ours = {name for name in names if name.startswith("hybridconn")}
                self.assertLessEqual(ours, {"hybridconn.interfaces"}, file.name)
