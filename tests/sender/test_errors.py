"""Errors that Twisted's users know."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionDone,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
    TCPTimedOutError,
    TimeoutError,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.sender.errors import (
    HybridConnectionError,
    HybridConnectionRefused,
    HybridConnectionTimeout,
    as_connect_error,
)
from hybridconn.tls import CertificateRejected
from hybridconn.websocket.client import HandshakeRefused


def named(error: Exception) -> BaseException | None:
    return as_connect_error(Failure(error), "ours_G0").value


class ErrorTests(SynchronousTestCase):
    """What a dial may fail with."""

    def test_statuses(self) -> None:
        """Each answer has its class, its words and the relay's tracking id."""
        for status, kind in (
            (400, ConnectionRefusedError),
            (401, HybridConnectionError),
            (403, HybridConnectionError),
            (404, ConnectionRefusedError),
            (408, TimeoutError),
            (502, ConnectionRefusedError),
            (503, ConnectionRefusedError),
            (504, TimeoutError),
            (999, ConnectionRefusedError),
        ):
            error = named(HandshakeRefused(status, "words", "theirs_G0"))
            self.assertIsInstance(error, kind)
            self.assertIsInstance(error, ConnectError)
            assert isinstance(error, HybridConnectionError)
            self.assertEqual(
                (error.status_code, error.reason, error.tracking_id),
                (status, "words", "theirs_G0"),
            )
            self.assertEqual(str(error), f"{status} words, tracking id theirs_G0")

    def test_not_refused(self) -> None:
        """Who may not is not told that nobody is there."""
        for status in (401, 403):
            error = named(HandshakeRefused(status, ""))
            self.assertNotIsInstance(error, ConnectionRefusedError)

    def test_tracking_id(self) -> None:
        """Without one of the relay's it is ours; it is not said twice."""
        error = named(HandshakeRefused(404, "no, TrackingId:ours_G0, done"))
        assert isinstance(error, HybridConnectionError)
        self.assertEqual(error.tracking_id, "ours_G0")
        self.assertEqual(str(error), "404 no, TrackingId:ours_G0, done")

    def test_network(self) -> None:
        """What the network does is told in words, without a status."""
        for cause, kind, words in (
            (ConnectionRefusedError(), HybridConnectionRefused, "refused"),
            (TimeoutError(), HybridConnectionTimeout, "no answer in time"),
            (TCPTimedOutError(), HybridConnectionTimeout, "no answer in time"),
            (NoRouteError(113), HybridConnectionError, "No route to host"),
            (DNSLookupError("x"), HybridConnectionError, "cannot be resolved"),
            (ConnectionDone(), HybridConnectionError, "without an answer"),
            (HandshakeRefused(0, "no HTTP"), HybridConnectionError, "no HTTP"),
            (SSL.Error([("a", "b", "wrong version")]), HybridConnectionError, "TLS"),
            (SSL.Error(), HybridConnectionError, "TLS failed"),
            (CertificateRejected("r", "old"), HybridConnectionError, "old"),
        ):
            error = named(cause)
            self.assertIs(type(error), kind, cause)
            assert isinstance(error, HybridConnectionError)
            self.assertEqual((error.status_code, error.tracking_id), (0, "ours_G0"))
            self.assertIn(words, error.reason)
            self.assertIsInstance(error, ConnectError)

    def test_as_they_are(self) -> None:
        """Cancellations and bugs stay what they are."""
        address = IPv4Address("TCP", "192.0.2.1", 1)
        for error in (
            CancelledError(),
            ConnectingCancelledError(address),
            KeyError("x"),
        ):
            self.assertIs(named(error), error)
