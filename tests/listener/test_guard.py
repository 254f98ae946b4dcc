"""Only what is allowed is dialled, whatever a name leads to."""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IHostnameResolver,
    IReactorPluggableNameResolver,
    IReactorTCP,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer

from hybridconn.config.addresses import parse_target
from hybridconn.core.allow_list import AllowedTarget, AllowList
from hybridconn.core.commands import Accept
from hybridconn.core.entities import HybridConnection, endpoint_metadata
from hybridconn.hcm.connector import WatchedConnector
from hybridconn.hcm.timeline import TunnelBook
from hybridconn.listener.guard import GuardedReactor, Lookup
from hybridconn.listener.reject import Reject
from tests.hcm.case import HcmTestCase
from tests.listener.scene import LogTestCase


@implementer(IHostnameResolver)
class Names:
    """A resolver in memory."""

    def __init__(self, **addresses: str) -> None:
        self.addresses = addresses

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Any = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        """Tell the addresses of a name (Twisted)."""
        resolutionReceiver.resolutionBegan(None)
        for address in self.addresses.get(hostName, "").split():
            resolutionReceiver.addressResolved(IPv4Address("TCP", address, portNumber))
        resolutionReceiver.resolutionComplete()


class GuardTests(LogTestCase):
    """L{GuardedReactor} below Twisted's own endpoints."""

    def setUp(self) -> None:
        super().setUp()
        self.reactor: Any = MemoryReactorClock()
        self.reactor.nameResolver = Names(good="10.0.0.1", bad="11.0.0.1 10.0.0.2")
        self.allowed = AllowList([AllowedTarget.parse("10.0.0.0/8:5")])

    def dialled(self, host: str) -> tuple[list[str], Lookup]:
        lookup = Lookup()
        reactor = GuardedReactor(self.reactor, self.allowed, lookup)
        endpoint = HostnameEndpoint(reactor, host, 5)
        endpoint.connect(Factory.forProtocol(Protocol)).addErrback(lambda _: None)
        self.reactor.advance(5)
        return [client[0] for client in self.reactor.tcpClients], lookup

    def test_is_a_reactor(self) -> None:
        """It can all that the other one can."""
        guarded = GuardedReactor(self.reactor, self.allowed)
        self.assertTrue(IReactorTCP.providedBy(guarded))
        self.assertTrue(IReactorPluggableNameResolver.providedBy(guarded))
        self.assertEqual(cast(Any, guarded).seconds(), self.reactor.seconds())

    def test_allowed(self) -> None:
        """A good address is dialled."""
        hosts, lookup = self.dialled("good")
        self.assertEqual(hosts, ["10.0.0.1"])
        self.assertEqual((lookup.addresses, lookup.refused), (["10.0.0.1"], []))

    def test_sieved(self) -> None:
        """Of several addresses only the good one is, and the log names the other."""
        hosts, lookup = self.dialled("bad")
        self.assertEqual(hosts, ["10.0.0.2"])
        self.assertEqual(lookup.refused, ["11.0.0.1"])
        self.assertLogged("bad:5", "11.0.0.1", "allow_targets")

    def connector(self, target: str) -> WatchedConnector:
        book = TunnelBook(self.reactor, lambda: 0.0)
        return WatchedConnector(
            lambda: parse_target(target), "db", self.reactor, 10.0, self.allowed, book
        )

    def test_refusal(self) -> None:
        """The sender is told that it is not allowed, not that there is no name."""
        self.reactor.nameResolver = Names(only="11.0.0.1")
        accept = Accept("wss://relay.test/x", "id", {}, "192.0.2.1", 5)
        for target in ("only:5", "good:6", "11.0.0.1:5", "unix:/run/x.sock"):
            failed = self.connector(target).connect(accept)
            self.reactor.advance(5)
            no = self.failureResultOf(failed, Reject).value
            self.assertIn("allow_targets", str(no), target)
            self.assertEqual(no.status, 403)
            self.assertEqual(self.reactor.tcpClients, [])

    def test_probe(self) -> None:
        """Nor does a test reach what is not allowed."""
        failed = self.connector("11.0.0.1:5").probe()
        self.failureResultOf(failed, Reject)


class MetadataTests(HcmTestCase):
    """The list binds whatever the relay says."""

    top = 'allow_targets = ["db.corp:5"]\n'

    def test_metadata(self) -> None:
        """An endpoint in the metadata that is not in the list is not reached."""
        self.add("meta")
        self.dial("meta")
        self.relay.add(
            HybridConnection("meta", user_metadata=endpoint_metadata("evil.corp:5"))
        )
        self.good("POST", "/v1/connections/meta/restart")
        self.network.listen("evil.corp", 5, Factory.forProtocol(Protocol))
        self.assertIn("evil.corp:5 is not in allow_targets", self.refusal("meta"))
        view = self.view("meta")
        self.assertEqual(view["status"], "Degraded")
        self.assertIn("add it to allow_targets", view["nextStep"])

    def test_configured(self) -> None:
        """A target that a command gives is refused at once."""
        body = {
            "connectionString": self.string("one"),
            "settings": {"target": "evil.corp:5"},
        }
        said = self.refused(400, "BadRequest", "POST", "/v1/connections", body)
        self.assertIn('"evil.corp:5" is not in allow_targets', said)

    def test_address(self) -> None:
        """Nor can the test of an address be used to look around."""
        report = self.good("POST", "/v1/test", {"address": "10.0.0.1:22"})
        self.assertIn("not in allow_targets", report["checks"][0]["detail"])
