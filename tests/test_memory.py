"""Tests of L{hybridconn.memory}."""

from __future__ import annotations

import gc
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

_PROGRAM = """
import gc
from hybridconn.memory import settle
made = [[] for _ in range(1000)]
settle()
print(gc.get_freeze_count() > 1000, gc.isenabled(), gc.get_threshold()[0])
ring = []
ring.append(ring)
del ring
print(gc.collect())
"""


class SettleTests(SynchronousTestCase):
    """What start-up made is left alone by the garbage collector."""

    def test_settle(self) -> None:
        """It is frozen, and garbage that is made later is still collected."""
        # In a process of its own: this one's objects are the tests' business.
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True
        )
        frozen, found = done.stdout.splitlines()
        self.assertEqual(frozen, "True True 5000")
        self.assertGreaterEqual(int(found), 1)
        self.assertEqual(gc.get_freeze_count(), 0)
