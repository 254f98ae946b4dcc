"""Tests of L{hybridconn.core.listeners}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.listeners import SenderRequest


class SenderRequestTests(SynchronousTestCase):
    """What a load balancer gets to know."""

    def test_repr(self) -> None:
        """A balancer that logs a request logs no header and no query."""
        request = SenderRequest(
            "contoso", "hyco", "192.0.2.1", 5, {"Cookie": "hush"}, "pw=hush"
        )
        self.assertNotIn("hush", repr(request))
        self.assertIn("hyco", repr(request))
