"""Only what is allowed is dialled, whatever a name leads to."""

from __future__ import annotations

from typing import Any, cast
from unittest.mock import Mock

from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import (
    IHostnameResolver,
    IReactorPluggableNameResolver,
    IReactorTCP,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.filepath import FilePath
from zope.interface import implementer

from hybridconn.config import load_listener
from hybridconn.config.addresses import Target, parse_target
from hybridconn.core.allow_list import AllowedTarget, AllowList
from hybridconn.core.commands import Accept
from hybridconn.core.entities import HybridConnection, endpoint_metadata
from hybridconn.core.targets import TARGET_HEADER, TargetRules
from hybridconn.diagnosis.mends import target_step
from hybridconn.hcm.connector import WatchedConnector
from hybridconn.hcm.timeline import TunnelBook
from hybridconn.listener.forward import ForwardConnector
from hybridconn.listener.guard import GuardedReactor, Lookup
from hybridconn.listener.guarded import GuardedConnector
from hybridconn.listener.reject import Reject
from hybridconn.listener.service import ListenerService, TargetListener
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

    def test_circle(self) -> None:
        """A name that is redirected here would come back: it is not dialled."""
        self.allowed = AllowList()
        self.reactor.nameResolver = Names(db="127.77.225.48")
        accept = Accept("wss://relay.test/x", "id", {}, "192.0.2.1", 5)
        failed = self.connector("db:5").connect(accept)
        self.reactor.advance(5)
        no = self.failureResultOf(failed, Reject).value
        self.assertEqual(no.status, 502)
        self.assertIn("redirected there, to 127.77.225.48: it would come back", str(no))
        self.assertIn("IP address", target_step(no.description))
        self.assertEqual(self.reactor.tcpClients, [])
        # Who writes the address knows what it is.
        self.connector("127.77.225.48:5").connect(accept).addErrback(lambda _: None)
        self.assertEqual(len(self.reactor.tcpClients), 1)

    def test_probe(self) -> None:
        """Nor does a test reach what is not allowed."""
        failed = self.connector("11.0.0.1:5").probe()
        self.failureResultOf(failed, Reject)


class RebindingTests(LogTestCase):
    """The zone's owner says where the name that a sender wants leads to."""

    def setUp(self) -> None:
        super().setUp()
        self.reactor: Any = MemoryReactorClock()

    def wanted(self, target: str, *listed: str, **names: str) -> Any:
        """A sender wants this, of a listener with this list, and this DNS."""
        book = TunnelBook(self.reactor, lambda: 0.0)
        rules = TargetRules(map(AllowedTarget.parse, listed))
        everything = AllowList()
        accept = Accept("wss://relay.test/x", "id", {TARGET_HEADER: target})
        connectors: tuple[ForwardConnector, ...] = (
            GuardedConnector(none, "db", self.reactor, 10.0, everything, rules=rules),
            WatchedConnector(
                none, "db", self.reactor, 10.0, everything, book, rules=rules
            ),
        )
        for connector in connectors:
            self.reactor.nameResolver = Changing(names)
            dialled: Any = connector.connect(accept)
            self.reactor.advance(1)
            yield dialled
            dialled.addErrback(lambda _: None).cancel()

    def test_inside(self) -> None:
        """A name that leads to this machine, or its link, is not followed."""
        for address in ("127.0.0.1", "169.254.169.254", "0.0.0.0"):
            for dialled in self.wanted("a:80", "a:80", a=address):
                no = self.failureResultOf(dialled, Reject).value
                self.assertEqual(no.status, 403)
                self.assertIn(f"address {address} is not in targets", str(no))
            self.assertLogged("a:80", address, "it is not dialled")
        self.assertEqual(self.reactor.tcpClients, [])

    def test_partly(self) -> None:
        """Of several addresses only the good ones are dialled."""
        for _ in self.wanted("a:80", "*:80", a="127.0.0.1 192.0.2.7"):
            self.assertEqual(self.reactor.tcpClients.pop()[0], "192.0.2.7")
        self.assertEqual(self.reactor.tcpClients, [])

    def test_no_second_look(self) -> None:
        """What is dialled is the address that was looked at: it is asked for once."""
        for _ in self.wanted("a:80", "a:80", a="192.0.2.7"):
            self.assertEqual(self.reactor.nameResolver.asked, ["a"])
            self.assertEqual(self.reactor.tcpClients.pop()[0], "192.0.2.7")

    def test_listed(self) -> None:
        """Who lists the address itself, or localhost, means it."""
        for target, listed in (
            ("a:80", "127.0.0.0/8:80"),
            ("localhost:80", "localhost:80"),
        ):
            for _ in self.wanted(target, listed, a="127.0.0.1", localhost="127.0.0.1"):
                self.assertEqual(self.reactor.tcpClients.pop()[0], "127.0.0.1")

    def test_literal(self) -> None:
        """An address is not allowed by a star either, if it is one of these."""
        for target in ("127.0.0.1:80", "[::ffff:127.0.0.1]:80", "169.254.169.254:80"):
            for dialled in self.wanted(target, "*:80"):
                no = self.failureResultOf(dialled, Reject).value
                self.assertIn("is not in targets of the listener", str(no))
        self.assertEqual(self.reactor.tcpClients, [])


class ServiceTests(LogTestCase):
    """What a configuration makes of it."""

    def refusal(self, text: str, wanted: str, **names: str) -> str:
        """Why what is wanted is refused by the only listener of this configuration."""
        reactor: Any = MemoryReactorClock()
        reactor.nameResolver = Names(**names)
        folder = FilePath(self.mktemp())
        folder.makedirs()
        string = folder.child("db")
        string.setContent(
            b"Endpoint=sb://relay.test/;SharedAccessKeyName=l;SharedAccessKey=k;"
            b"EntityPath=db"
        )
        string.chmod(0o600)
        file = folder.child("listener.toml")
        file.setContent(text.encode())
        service = ListenerService(load_listener(file.path), Mock(), reactor)
        (listener,) = service
        assert isinstance(listener, TargetListener)
        accept = Accept("wss://relay.test/x", "id", {TARGET_HEADER: wanted})
        try:
            listener.accept_requested(accept)
        except Reject as no:
            return str(no)
        dialled = listener.make_connector("db", reactor, 10.0).connect(accept)
        reactor.advance(1)
        self.assertEqual(reactor.tcpClients, [])
        return str(self.failureResultOf(dialled, Reject).value)

    TABLE = '[[hybrid_connection]]\nconnection_string_file = "db"\n'

    def test_bounds(self) -> None:
        """C{allow_targets} binds what is in C{targets}, and each target alone."""
        many = self.TABLE + 'targets = ["a:80", "10.0.0.1:80"]'
        bounds = 'allow_targets = ["192.0.2.0/24:80"]\n'
        for text, wanted, words in (
            (many, "a:81", "403 a:81 is not in targets of the listener"),
            (many, "a:80", "127.0.0.1 is not in targets"),
            (bounds + many, "a:80", "127.0.0.1 is not in targets and allow_targets"),
            (bounds + many, "10.0.0.1:80", "10.0.0.1:80 is not in allow_targets"),
            (bounds + self.TABLE + 'target = "a:80"', "a:80", "not in allow_targets"),
        ):
            self.assertIn(words, self.refusal(text, wanted, a="127.0.0.1"), text)
        refused = self.refusal(bounds + many, "a:80", a="198.51.100.7")
        self.assertIn("198.51.100.7 is not in targets and allow_targets", refused)

    def test_http(self) -> None:
        """An HTTP service is no target that a sender's bytes may want."""
        text = self.TABLE + 'target = "http://a:80"'
        self.assertIn("403 This listener serves an HTTP", self.refusal(text, "a:80"))


def none() -> Target:
    """No target of its own."""
    raise AssertionError


class Changing(Names):
    """
    A resolver that answers the first question with good addresses, later ones with
    this machine's.
    """

    def __init__(self, addresses: dict[str, str]) -> None:
        super().__init__(**addresses)
        self.asked: list[str] = []

    def resolveHostName(
        self, resolutionReceiver: Any, hostName: str, *more: Any
    ) -> Any:
        """Tell the addresses of a name (Twisted)."""
        if hostName in self.asked:
            self.addresses[hostName] = "127.0.0.1"
        self.asked.append(hostName)
        return super().resolveHostName(resolutionReceiver, hostName, *more)


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
