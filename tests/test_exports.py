"""What C{import hybridconn} gives, and what it costs."""

from __future__ import annotations

import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

import hybridconn


class ExportTests(SynchronousTestCase):
    """Names are there, modules come when they are asked for."""

    def test_names(self) -> None:
        """Every name that is promised can be imported and is listed."""
        for name in hybridconn.__all__:
            found = getattr(hybridconn, name)
            self.assertEqual(found.__name__, name)
            self.assertTrue(found.__module__.startswith("hybridconn."))
            self.assertIn(name, dir(hybridconn))

    def test_unknown(self) -> None:
        """Another name is missing, as in any module."""
        error = self.assertRaises(AttributeError, getattr, hybridconn, "Nonsense")
        self.assertEqual(str(error), "module 'hybridconn' has no attribute 'Nonsense'")

    def test_light(self) -> None:
        """Neither the package nor its plugins bring Autobahn or OpenSSL along."""
        code = (
            "import sys, hybridconn, twisted.plugins.hybridconn_balancers,"
            " twisted.plugins.hybridconn_endpoints,"
            " twisted.plugins.hybridconn_services;"
            "print([m for m in ('autobahn', 'OpenSSL') if m in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        self.assertEqual((done.stdout.strip(), done.stderr), ("[]", ""))

    def test_commands_are_light(self) -> None:
        """Nobody waits for Twisted's TLS to ask a manager or a relay something."""
        modules = ("apps", "connections", "hcm", "live", "namespaces", "plans", "rules")
        code = (
            "import sys, "
            + ", ".join(f"hybridconn.cli.{one}" for one in modules)
            + "; print([m for m in ('autobahn', 'OpenSSL') if m in sys.modules])"
        )
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        self.assertEqual((done.stdout.strip(), done.stderr), ("[]", ""))
