"""Tests of L{hybridconn.redirect.private}: a command, and who runs it."""

from __future__ import annotations

import signal
import subprocess
import sys

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.redirect.private import PrivateCommand

#: Runs a command that sends signals to whoever runs it.
_RUN = """
import sys
from hybridconn.redirect.private import PrivateCommand
sys.exit(PrivateCommand(["sh", "-c", sys.argv[1]], {}).wait())
"""


class PrivateCommandTests(SynchronousTestCase):
    """Commands that need no files of their own, so no namespace either."""

    def test_broken_pipe(self) -> None:
        """It ends by a broken pipe, as under a shell: nothing is ignored for it."""
        command = PrivateCommand(["sh", "-c", "kill -PIPE $$; exit 3"], {})
        self.assertEqual(command.wait(), 128 + signal.SIGPIPE)

    def test_signals(self) -> None:
        """What a terminal sends to both is left to it; what only we get, it gets."""
        for sent, trapped in (("HUP", 9), ("TERM", 9), ("USR1", 9), ("USR2", 9)):
            line = (
                f"trap 'exit 9' {sent}; sleep 0.2; kill -QUIT $PPID; kill -INT $PPID;"
                f" kill -{sent} $PPID; for i in 1 2 3 4 5 6 7 8 9; do sleep 1; done"
            )
            argv = [sys.executable, "-c", _RUN, line]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
            self.assertEqual((done.returncode, done.stderr), (trapped, ""), sent)
