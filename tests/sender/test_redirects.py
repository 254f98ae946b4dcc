"""Tests of L{hybridconn.sender.redirects} and L{hybridconn.sender.endpoint_watch}."""

from __future__ import annotations

import errno
from ipaddress import IPv4Network, IPv6Network
from typing import Any

from attrs import evolve
from twisted.internet.address import IPv4Address
from twisted.internet.error import CannotListenError
from twisted.internet.task import deferLater

from hybridconn.config.addresses import HostPort
from hybridconn.config.redirects import NamesSettings, Redirect, parse_redirected
from hybridconn.config.sender import SenderConfig
from hybridconn.core.entities import HybridConnection, endpoint_metadata
from hybridconn.names.plan import plan_addresses
from hybridconn.names.server import NameService
from hybridconn.sender import redirected, redirects
from hybridconn.sender.forward import LocalForward
from hybridconn.sender.learning import learn_endpoints
from hybridconn.sender.redirects import RedirectService
from hybridconn.startup import exit_for_port
from hybridconn.testing.ws_peer import one_protocol
from tests.sender.scene import SenderTestCase
from tests.websocket.test_joint import App


class Ports:
    """
    A reactor whose ports are remembered; time is another clock's.

    @ivar wrong: the error number for a host.
    @ivar slow: a port is closed a moment after it was told so, as real ones are.
    """

    slow = False

    def __init__(self, clock: Any) -> None:
        self.clock = clock
        self.open: dict[tuple[str, int], Any] = {}
        self.wrong: dict[str, int] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.clock, name)

    def listenUDP(self, port: int, protocol: Any, interface: str, **how: Any) -> Any:
        """Open a port for datagrams."""
        self.open[interface, -port] = protocol
        return Port(self, (interface, -port))

    def listenTCP(
        self, port: int, factory: Any, backlog: int = 50, interface: str = ""
    ) -> Any:
        """Open a port."""
        for start, number in self.wrong.items():
            if interface.startswith(start):
                raise CannotListenError(interface, port, OSError(number, "is wrong"))
        if (interface, port) in self.open:
            raise CannotListenError(interface, port, OSError(98, "in use"))
        self.open[interface, port] = factory
        return Port(self, (interface, port))


class Port:
    """One of them."""

    def __init__(self, around: Ports, place: tuple[str, int]) -> None:
        self._around, self._place = around, place

    def stopListening(self) -> Any:
        """Close it."""
        if self._around.slow:
            return deferLater(self._around.clock, 0, self._close)
        self._close()
        return None

    def _close(self) -> None:
        del self._around.open[self._place]


class RedirectsTestCase(SenderTestCase):
    """A relay in memory and a reactor for local ports."""

    def setUp(self) -> None:
        super().setUp()
        self.ports = Ports(self.clock)

    def redirect(self, endpoint: str | None = None) -> Redirect:
        host, _, port = (endpoint or "").rpartition(":")
        known = HostPort(host, int(port)) if endpoint else None
        return Redirect(self.connection, known)

    def describe(self, endpoint: str | None) -> None:
        metadata = endpoint_metadata(endpoint) if endpoint else ""
        self.relay.add(HybridConnection("hyco", user_metadata=metadata))

    def service(self, *redirects: Redirect, **names: Any) -> RedirectService:
        config = SenderConfig(redirects=redirects, names=NamesSettings(**names))

        def failed(port: str) -> Any:
            return exit_for_port("hcsender", port)

        made = RedirectService(
            config,
            lambda one: self.connector,
            self.dialer,
            self.ports,
            failed,
            self.relay.wall,
        )
        made.privilegedStartService()
        made.startService()
        self.network.flush()
        self.addCleanup(self.stop, made)
        return made

    def stop(self, service: RedirectService) -> None:
        if service.running:
            service.stopService()
            self.network.flush()
        self.assertEqual(self.ports.open, {})


class PortTests(RedirectsTestCase):
    """Ports of services under their own names."""

    def test_configured(self) -> None:
        """The number is kept, and a host has one address for all its ports."""
        service = self.service(
            self.redirect("db.corp:1433"),
            self.redirect("db.corp:80"),
            self.redirect("web.corp:80"),
        )
        places = set(self.ports.open)
        db, web = service.hosts["db.corp"].ipv4, service.hosts["web.corp"].ipv4
        self.assertEqual(places, {(db, 1433), (db, 80), (web, 80)})
        for host in ("DB.corp", db):
            found = service.find(host, 1433)
            assert found is not None
            self.assertIs(found.forward, service.forwards[0])
        self.assertIsNone(service.find("db.corp", 81))
        self.assertIsNone(service.find("other", 80))
        self.assertEqual(service.table.match("db.corp."), "db.corp")

    def test_not_allowed(self) -> None:
        """A low port without the right to it ends the program, with every mend."""
        self.ports.wrong = {"127.": errno.EACCES}
        error = self.assertRaises(SystemExit, self.service, self.redirect("db.corp:80"))
        for word in ("for db.corp:80", "CAP_NET_BIND_SERVICE", "authbind", "Ambient"):
            self.assertIn(word, str(error))
        self.ports.wrong = {}

    def test_metadata(self) -> None:
        """The metadata are read with the sender's own key, and followed."""
        self.describe("db.corp:1433")
        service = self.service(self.redirect())
        address = service.hosts["db.corp"].ipv4
        self.assertEqual(set(self.ports.open), {(address, 1433)})
        self.describe("other.corp:1434")
        self.network.advance(300)
        address = service.hosts["other.corp"].ipv4
        self.assertEqual(set(self.ports.open), {(address, 1434)})
        self.assertIsNone(service.table.find("db.corp"))
        self.describe(None)
        self.network.advance(300)
        self.assertEqual(set(self.ports.open), {(address, 1434)})
        self.assertLogged("other.corp:1434 stays")
        self.assertNothingSecret()

    def test_later(self) -> None:
        """What cannot be read is tried again soon, and said."""
        self.describe("10.0.0.1:1433")
        self.service(self.redirect())
        self.assertLogged("an address is never looked up", "nothing is redirected")
        self.describe("db.corp:1433")
        self.network.advance(3)
        self.assertEqual(len(self.ports.open), 1)

    def test_in_use(self) -> None:
        """A port that the metadata name and that is taken is said; the rest works."""
        self.describe("db.corp:1433")
        self.ports.wrong = {"127.": errno.EADDRINUSE}
        self.patch(redirects, "occupant", lambda place: "sshd listens")
        service = self.service(self.redirect())
        self.assertLogged("cannot listen on", "for db.corp:1433 (sshd listens):")
        self.assertIsNone(service.table.find("db.corp"))
        self.ports.wrong = {}
        self.network.advance(300)
        self.assertIsNotNone(service.table.find("db.corp"))

    def test_free_again(self) -> None:
        """A port that was taken is tried again soon; nobody keeps that it is not."""
        self.describe("db.corp:1433")
        self.ports.wrong = {"127.77.": errno.EADDRINUSE}
        self.patch(redirects, "occupant", lambda place: "")
        service = self.service(self.redirect(), dns=HostPort("127.0.0.77", 53))
        (server,) = (one.server for one in service if isinstance(one, NameService))
        self.assertTrue(server.unsettled)
        self.ports.wrong = {}
        self.network.advance(11)
        self.assertIsNotNone(service.table.find("db.corp"))
        self.assertFalse(server.unsettled)

    def test_handed_over(self) -> None:
        """What another hybrid connection had before is free when it was closed."""
        second = evolve(self.connection, entity_path="other")
        self.describe("db.corp:1433")
        metadata = endpoint_metadata("db.corp:1433")
        self.relay.add(HybridConnection("other", user_metadata=metadata))
        service = self.service(self.redirect(), Redirect(second, None))
        self.assertGoes(service, HostPort("db.corp", 1433), service.forwards[0])
        self.ports.slow = True
        self.describe("web.corp:80")
        self.network.advance(300)
        self.network.advance(0)
        self.assertGoes(service, HostPort("db.corp", 1433), service.forwards[1])
        self.assertGoes(service, HostPort("web.corp", 80), service.forwards[0])
        self.ports.slow = False

    def test_bridge(self) -> None:
        """One with a port's name says azbridge's preamble, and keeps no tunnel."""
        self.listen()
        redirect = evolve(self.redirect("db.corp:1433"), port_name="sql")
        service = self.service(redirect)
        self.network.listen("127.0.0.1", 1433, service.forwards[0])
        endpoint = self.network.client_endpoint("127.0.0.1", 1433)
        app = App()
        endpoint.connect(one_protocol(app))
        self.network.flush()
        there = self.accept()
        self.assertEqual(there.messages, [b"\x01\x00\x00\x03", b"sql"])
        there.binary(b"\x01\x00\x00hello")
        self.network.flush()
        self.assertEqual(app.received, b"hello")
        service.forwards[0].close_all()

    def assertGoes(
        self, service: RedirectService, at: HostPort, forward: LocalForward
    ) -> None:
        found = service.find(at.host, at.port)
        assert found is not None
        self.assertIs(found.forward, forward)

    def test_twice(self) -> None:
        """What a second one's metadata name already is left out, and said."""
        self.describe("db.corp:1433")
        service = self.service(self.redirect("db.corp:1433"), self.redirect())
        self.assertEqual(len(self.ports.open), 1)
        found = service.find("db.corp", 1433)
        assert found is not None
        self.assertIs(found.forward, service.forwards[0])
        self.assertLogged("stands for db.corp:1433", "left out")

    def test_ipv6(self) -> None:
        """Without the address on this machine there is IPv4 only, and it is said."""
        network = IPv6Network("fd77::/64")
        self.ports.wrong = {"fd77": errno.EADDRNOTAVAIL}
        service = self.service(self.redirect("db.corp:1"), ipv6_network=network)
        self.assertLogged("has no IPv6 address", "ip -6 address add fd77:")
        found = service.table.find("db.corp")
        assert found is not None
        self.assertIsNone(found.ipv6)
        service.stopService()
        self.ports.wrong = {}
        service = self.service(self.redirect("db.corp:1"), ipv6_network=network)
        self.assertEqual(service.table.find("db.corp"), service.hosts["db.corp"])


class ManyTests(RedirectsTestCase):
    """Many services behind one hybrid connection."""

    def many(self, *endpoints: str) -> Redirect:
        return Redirect(self.connection, None, tuple(map(parse_redirected, endpoints)))

    def wanted(self, place: tuple[str, int]) -> str:
        """What is wanted of the listener by who connects there."""
        return str(
            self.ports.open[place].buildProtocol(IPv4Address("TCP", "", 1)).wanted
        )

    def test_names(self) -> None:
        """Each has a port, and what comes there wants it by name."""
        service = self.service(self.many("db.corp:1433", "web.corp:443", "db.corp:80"))
        db, web = service.hosts["db.corp"].ipv4, service.hosts["web.corp"].ipv4
        for place, wanted in (
            ((db, 1433), "db.corp:1433"),
            ((db, 80), "db.corp:80"),
            ((web, 443), "web.corp:443"),
        ):
            self.assertEqual(self.wanted(place), wanted)
            found = service.find(wanted.partition(":")[0], place[1])
            assert found is not None
            self.assertEqual(found.wanted, wanted)
        self.assertEqual(len(self.ports.open), 3)
        self.assertEqual(len(service.forwards), 1)

    def test_one_wants_nothing(self) -> None:
        """A redirect to one service leaves it to the listener, by a wildcard too."""
        service = self.service(self.redirect("*.corp:80"))
        place = (service.hosts["*.corp"].ipv4, 80)
        self.assertEqual(self.wanted(place), "")
        self.assertEqual(service.table.find("a.corp"), service.hosts["*.corp"])
        self.assertEqual(len(self.ports.open), 1)
        found = service.find("a.corp", 80)
        assert found is not None
        self.assertEqual(found.wanted, "")

    def test_wildcard(self) -> None:
        """A name below a wildcard has address and ports from when it is asked for."""
        service = self.service(self.many("*.apps.corp:443", "*.apps.corp:80"))
        self.assertEqual(self.ports.open, {})
        one = service.table.find("One.apps.corp.")
        assert one is not None
        self.assertEqual(set(self.ports.open), {(one.ipv4, 443), (one.ipv4, 80)})
        self.assertEqual(self.wanted((one.ipv4, 443)), "one.apps.corp:443")
        two = service.table.find("two.apps.corp")
        assert two is not None
        self.assertNotEqual(one, two)
        self.assertEqual(service.table.find("one.apps.corp"), one)
        self.assertEqual(len(self.ports.open), 4)
        self.assertIsNone(service.table.find("apps.corp"))
        for host in ("one.apps.corp", one.ipv4):
            found = service.find(host, 80)
            assert found is not None
            self.assertEqual(found.wanted, "one.apps.corp:80")

    def test_proxies_need_no_address(self) -> None:
        """Who says the name to a proxy gets there without one."""
        service = self.service(self.many("*.apps.corp:443"))
        found = service.find("New.apps.corp", 443)
        assert found is not None
        self.assertEqual(found.wanted, "new.apps.corp:443")
        self.assertIsNone(service.find("new.apps.corp", 80))
        # It is written into the head of a request.
        for name in ("a\r\nX-More: 1\r\nB: one.apps.corp", "a..apps.corp"):
            self.assertIsNone(service.find(name, 443))
        self.assertEqual(self.ports.open, {})

    def test_beside_another(self) -> None:
        """A plain wildcard for another port holds for such names as well."""
        service = self.service(self.many("*.corp:443"), self.redirect("*.corp:80"))
        one = service.table.find("a.corp")
        assert one is not None
        self.assertEqual(self.wanted((one.ipv4, 443)), "a.corp:443")
        self.assertEqual(self.wanted((one.ipv4, 80)), "")

    def test_not_a_name(self) -> None:
        """What no listener would take has no port, and is not asked for elsewhere."""
        service = self.service(self.many("*.corp:443"))
        found = service.table.find("a..corp")
        self.assertEqual(found, service.hosts["*.corp"])
        self.assertEqual(self.ports.open, {})

    def test_too_many(self) -> None:
        """There is an end of it, and the log says so; others keep theirs."""
        service = self.service(
            self.many("*.corp:443"), network=IPv4Network("127.9.0.0/24")
        )
        addresses = [service.table.find(f"n{number}.corp") for number in range(200)]
        own = {one.ipv4 for one in addresses if one != service.hosts["*.corp"] and one}
        self.assertEqual(len(own), 126)
        self.assertEqual({host for host, _ in self.ports.open}, own)
        self.assertLogged("126 names below wildcards", "until a restart")
        self.assertEqual(service.table.find("n3.corp"), addresses[3])

    def test_most_at_a_time(self) -> None:
        """
        The ports of those not asked for lately are closed, and opened again at the
        same address, which nobody else has had.
        """
        self.patch(redirected, "MOST_UNFOLDED", 3)
        service = self.service(self.many("*.corp:443"))

        def find(name: str) -> str:
            found = service.table.find(f"{name}.corp")
            assert found is not None
            return found.ipv4

        first = {name: find(name) for name in "abc"}
        find("a")
        first["d"] = find("d")
        self.assertNotIn((first["b"], 443), self.ports.open)
        self.assertEqual(
            {place[0] for place in self.ports.open}, {first[name] for name in "acd"}
        )
        self.assertEqual(find("b"), first["b"])
        self.assertNotIn((first["c"], 443), self.ports.open)
        self.assertEqual(len(set(first.values())), 4)

    def test_few_files(self) -> None:
        """Half of the files that may be open are left for connections."""
        self.patch(redirects, "most_open_files", lambda: 24)
        service = self.service(self.many("*.corp:80", "*.corp:443"))
        for name in "abcdefghi":
            self.assertIsNotNone(service.table.find(f"{name}.corp"))
        self.assertEqual(len(self.ports.open), 12)

    def test_most_at_once(self) -> None:
        """
        A name has its own address at the first answer, though the ports of another are
        not closed yet, and though those are its own.
        """
        self.patch(redirected, "MOST_UNFOLDED", 2)
        service = self.service(self.many("*.corp:443"))
        self.ports.slow = True
        shared = service.hosts["*.corp"].ipv4
        first: dict[str, str] = {}
        for name in "abcab":
            found = service.table.find(f"{name}.corp")
            assert found is not None
            self.assertNotEqual(found.ipv4, shared)
            self.assertEqual(first.setdefault(name, found.ipv4), found.ipv4)
        self.network.advance(0)
        places = {(first[name], 443) for name in "ab"}
        self.assertEqual(set(self.ports.open), places)
        self.ports.slow = False

    def test_others_are_left_alone(self) -> None:
        """A new name, for which somebody waits, costs no look at all others."""
        service = self.service(self.many("*.corp:443"))
        service.table.find("a.corp")
        self.patch(service.table, "replace", lambda hosts: self.fail("all anew"))
        found = service.table.find("b.corp")
        assert found is not None
        self.assertIn((found.ipv4, 443), self.ports.open)

    def test_never_another_s(self) -> None:
        """What an app may still know as one name's address is no other name's."""
        self.patch(redirected, "MOST_UNFOLDED", 1)
        service = self.service(
            self.many("*.corp:443"), network=IPv4Network("127.9.0.0/24")
        )
        found = [service.table.find(f"n{number}.corp") for number in range(100)]
        self.assertEqual(len(set(found)), 100)
        self.assertEqual(len(self.ports.open), 1)

    def test_make_way(self) -> None:
        """A host that metadata tell has its own address; the name there moves."""
        self.describe("first.corp:1")
        network = IPv4Network("127.9.0.0/24")
        service = self.service(
            self.many("*.apps:443"), self.redirect(), network=network
        )
        found = service.table.find("one.apps")
        settings = NamesSettings(network=network)
        hosts = (f"h{number}.corp" for number in range(10000))
        same = next(
            host
            for host in hosts
            if plan_addresses([host, "*.apps"], settings)[host] == found
        )
        self.describe(f"{same}:1")
        self.network.advance(300)
        moved = service.table.find("one.apps")
        assert moved is not None
        self.assertEqual(service.table.find(same), found)
        self.assertNotEqual(moved, found)
        self.assertEqual(self.wanted((moved.ipv4, 443)), "one.apps:443")

    def test_other_questions(self) -> None:
        """Who asks for other records than addresses does not connect."""
        service = self.service(self.many("*.corp:443"))
        found = service.table.find("_http._tcp.corp", dial=False)
        self.assertEqual(found, service.hosts["*.corp"])
        self.assertEqual(self.ports.open, {})

    def test_stay(self) -> None:
        """Names that come later, from metadata too, leave the others where they are."""
        self.describe("later.corp:1")
        service = self.service(self.many("*.corp:443"), self.redirect())
        before = {f"n{n}.corp": service.table.find(f"n{n}.corp") for n in range(50)}
        self.describe("latest.corp:1")
        self.network.advance(300)
        self.assertEqual({n: service.table.find(n) for n in before}, before)


class LearningTests(RedirectsTestCase):
    """What commands ask once."""

    def test_learn(self) -> None:
        """Those that are known, those that are told, and why others are not."""
        self.describe("db.corp:1433")
        gone = Redirect(evolve(self.connection, entity_path="gone"))
        config = SenderConfig(
            redirects=(self.redirect("web.corp:80"), self.redirect(), gone)
        )
        learning = learn_endpoints(config, self.dialer, self.clock, self.relay.wall)
        self.network.flush()
        learned = self.successResultOf(learning)
        self.assertEqual(
            [str(one) for one in learned.endpoints], ["web.corp:80", "db.corp:1433"]
        )
        (trouble,) = learned.trouble
        self.assertRegex(trouble, "^gone: ")
        self.assertEqual(learned.unknown, ["gone"])
