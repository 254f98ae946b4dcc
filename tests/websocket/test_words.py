"""Tests for L{hybridconn.websocket.words}: failures in words for people."""

from __future__ import annotations

import errno
import os

from OpenSSL import SSL
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.websocket.base import ProtocolViolation
from hybridconn.websocket.client import HandshakeRefused
from hybridconn.websocket.words import explain, is_surprise


class ExplainTests(SynchronousTestCase):
    """One line, no full stop, nothing of the program's inside."""

    def test_refusal(self) -> None:
        """The relay's words come with a tracking id, once."""
        said = "404 Nobody listens. TrackingId:t_G0, Timestamp:now"
        for reason, words in (
            ("Nobody listens. TrackingId:t_G0, Timestamp:now", said),
            ("No", "404 No, tracking id t_G0"),
        ):
            refused = HandshakeRefused(404, reason, "t_G0")
            self.assertEqual(explain(Failure(refused)), words)
        self.assertEqual(explain(Failure(HandshakeRefused(502, "Gone"))), "502 Gone")

    def test_network(self) -> None:
        """What the network does is said plainly."""
        for problem, words in (
            (error.ConnectionRefusedError(), "the connection was refused"),
            (error.DNSLookupError("x.test"), "the name cannot be resolved"),
            (error.TimeoutError(), "no answer in time"),
            (error.TCPTimedOutError(), "no answer in time"),
            (error.ConnectionDone(), "the connection was closed without an answer"),
            (error.ConnectionLost(), "the connection was closed without an answer"),
            (CancelledError(), "given up"),
            (error.ConnectingCancelledError(None), "given up"),
            (SSL.Error(), "TLS failed"),
            (SSL.Error([("x", "", "unknown ca")]), "TLS failed: unknown ca"),
            (
                SSL.Error([("x", "", "wrong version number")]),
                "TLS failed: wrong version number; what answers there may speak no TLS",
            ),
            (error.ConnectError(errno.EHOSTUNREACH), os.strerror(errno.EHOSTUNREACH)),
            (OSError(errno.ENETDOWN, "Network is down"), "Network is down"),
            (ProtocolViolation("invalid close code 1"), "invalid close code 1"),
        ):
            failure = Failure(problem)
            self.assertEqual(explain(failure), words)
            self.assertFalse(is_surprise(failure), words)

    def test_surprise(self) -> None:
        """A bug is only named: its text may hold anything."""
        failure = Failure(KeyError("s3cret"))
        self.assertEqual(explain(failure), "KeyError")
        self.assertTrue(is_surprise(failure))
