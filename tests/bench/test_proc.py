"""Reading C{/proc}."""

from __future__ import annotations

import os
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from bench import proc

STAT = "42 (a (b) c) S 7 1 1 0 -1 0 0 0 0 0 5 6 7 8 20 0 1 0 999 0 0"


class ProcTests(SynchronousTestCase):
    """Processes, their time and memory."""

    def test_stat(self) -> None:
        """A name may hold anything."""
        found = proc.parse_stat(STAT)
        self.assertEqual(found, proc.Process(pid=42, parent=7, started=999, ticks=26))

    def test_rollup(self) -> None:
        """Both sums, in KiB."""
        text = "00-ff ---p 0 [rollup]\nRss:  120 kB\nPss:  100 kB\nPss_Dirty: 9 kB"
        self.assertEqual(proc.parse_rollup(text), proc.Memory(120, 100))

    def test_tree(self) -> None:
        """A process and what it started; gone when it is gone."""
        child = subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE
        )
        found = {one.pid: one for one in proc.tree(os.getpid())}
        self.assertIn(child.pid, found)
        self.assertTrue(proc.lives(found[child.pid]))
        self.assertGreater(proc.memory([found[child.pid]]).rss, 0)
        child.communicate(b"\n")
        self.assertFalse(proc.lives(found[child.pid]))
