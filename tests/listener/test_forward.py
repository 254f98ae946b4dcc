"""Reaching the target before the rendezvous (F8)."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.error import (
    ConnectError,
    ConnectionRefusedError,
    DNSLookupError,
    NoRouteError,
)
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from hybridconn.config.addresses import Target, parse_target
from hybridconn.core.commands import Accept
from hybridconn.interfaces import ITargetConnector
from hybridconn.listener.forward import ForwardConnector
from hybridconn.listener.reject import Reject
from hybridconn.testing.network import MemoryNetwork
from hybridconn.testing.ws_peer import one_protocol

ACCEPT = Accept("wss://relay.test/", "tracking_G0", {}, "203.0.113.9", 51234)


class ForwardTests(SynchronousTestCase):
    """One target."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.where: Deferred[Target] | Target = parse_target("db.corp:1433")
        self.connector = self.make(self.dial)

    def make(self, endpoint: Any) -> ForwardConnector:
        return ForwardConnector(
            lambda: self.where, "hyco", self.network.clock, 10.0, endpoint
        )

    def dial(self, target: Target) -> Any:
        assert target.host_port is not None
        place = target.host_port
        return self.network.client_endpoint(place.host, place.port, timeout=300.0)

    def connect(self) -> Deferred[Any]:
        connected = self.connector.connect(ACCEPT)
        self.network.flush()
        return connected

    def reason(self, connected: Deferred[Any]) -> str:
        error = self.failureResultOf(connected, Reject).value
        self.assertEqual(error.status, 502)
        return str(error.description)

    def test_interface(self) -> None:
        """It is a target connector."""
        self.assertTrue(verifyObject(ITargetConnector, self.connector))

    def test_reached(self) -> None:
        """The joint that waits for its tunnel knows who is at its ends."""
        self.network.listen("db.corp", 1433, one_protocol(Protocol()))
        joint = self.successResultOf(self.connect())
        self.assertEqual(joint.names.source, "203.0.113.9:51234")
        self.assertEqual(joint.names.destination, "db.corp:1433")
        self.assertEqual(joint.names.tracking_id, "tracking_G0")

    def test_refused(self) -> None:
        """A closed port is told at once, by the target's address and no more."""
        connected = self.connect()
        self.assertEqual(
            self.reason(connected), "target db.corp:1433 refused the connection"
        )

    def test_silent(self) -> None:
        """A target that does not answer is given up after C{target_timeout}."""
        self.network.faults.ignore("db.corp", 1433)
        connected = self.connect()
        self.network.advance(9.9)
        self.assertNoResult(connected)
        self.network.advance(0.1)
        self.assertIn("did not answer in time: 10 s", self.reason(connected))
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def test_words(self) -> None:
        """Whatever the network says, the sender is told in words."""
        for error, words in (
            (DNSLookupError("no such host"), "its name cannot be resolved"),
            (NoRouteError(113), "cannot be reached: No route to host"),
            (ConnectError(string="odd"), "cannot be reached: "),
            (PermissionError(13, "Permission denied"), "Permission denied"),
            (ConnectionRefusedError(111), "refused the connection"),
        ):
            self.connector = self.make(lambda _, e=error: Failing(e))
            self.assertIn(words, self.reason(self.connect()))

    def test_bug(self) -> None:
        """A mistake in our own code stays one."""
        self.connector = self.make(lambda _: Failing(KeyError("oops")))
        self.failureResultOf(self.connect(), KeyError)

    def test_target_later(self) -> None:
        """The target may be known only after a while."""
        self.network.listen("db.corp", 1433, one_protocol(Protocol()))
        target, self.where = self.where, Deferred()
        connected = self.connect()
        self.assertNoResult(connected)
        self.where.callback(target)  # type: ignore[arg-type]
        self.network.flush()
        self.successResultOf(connected)

    def test_target_unknown(self) -> None:
        """Where it cannot be found out, the sender is told what is said."""
        self.where = fail(Reject(503, "no target"))
        self.failureResultOf(self.connect(), Reject)

    def test_cancelled(self) -> None:
        """A dial that is no longer wanted is given up."""
        self.network.faults.ignore("db.corp", 1433)
        connected = self.connect()
        connected.cancel()
        self.failureResultOf(connected)
        self.assertEqual(self.network.clock.getDelayedCalls(), [])
        self.where = Deferred()
        connected = self.connect()
        connected.cancel()
        self.failureResultOf(connected, CancelledError)

    def test_real_endpoint(self) -> None:
        """Without an endpoint of the test's it is Twisted's own, by the reactor."""
        self.where = parse_target("127.0.0.1:1433")
        reactor = MemoryReactorClock()
        ForwardConnector(lambda: self.where, "hyco", reactor).connect(ACCEPT)
        self.assertEqual(reactor.tcpClients[0][:2], ("127.0.0.1", 1433))


class Failing:
    """An endpoint that fails."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def connect(self, factory: Any) -> Deferred[Any]:
        return fail(self._error)
