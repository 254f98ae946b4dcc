"""Tests of L{hybridconn.startup}."""

from __future__ import annotations

import errno
import os

from twisted.internet.error import CannotListenError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.startup import exit_for_port


class PortTests(SynchronousTestCase):
    """A port that cannot be opened."""

    def test_mend(self) -> None:
        """What the program ends with says what to do."""
        for number, mend in (
            (errno.EADDRINUSE, "stop what uses it."),
            (errno.EACCES, "CAP_NET_BIND_SERVICE."),
            (errno.EADDRNOTAVAIL, "an address that this machine has."),
        ):
            why = os.strerror(number)
            error = CannotListenError("", 443, OSError(number, why))
            ended = self.assertRaises(
                SystemExit, exit_for_port("hcrelay", "0.0.0.0 port 443"), Failure(error)
            )
            said = str(ended.code)
            start = f"hcrelay: cannot listen on 0.0.0.0 port 443: {why}. "
            self.assertTrue(said.startswith(start), said)
            self.assertTrue(said.endswith(mend), said)
