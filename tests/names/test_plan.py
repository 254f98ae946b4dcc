"""Tests of L{hybridconn.names.plan}."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config import ConfigError
from hybridconn.config.redirects import NamesSettings
from hybridconn.names.plan import HostAddresses, NameTable, plan_addresses

SMALL = NamesSettings(network=IPv4Network("127.9.0.0/24"))


class PlanTests(SynchronousTestCase):
    """Addresses for hosts."""

    def test_stable(self) -> None:
        """An address is the same on every machine, whatever other hosts there are."""
        alone = plan_addresses(["db.corp"], NamesSettings())
        many = plan_addresses(["web.corp", "db.corp", "db.corp"], NamesSettings())
        self.assertEqual(alone["db.corp"], HostAddresses("127.77.225.48"))
        self.assertEqual(many["db.corp"], alone["db.corp"])

    def test_collisions(self) -> None:
        """No two hosts share an address, and all come to the same result."""
        hosts = [f"h{number}.corp" for number in range(100)]
        planned = plan_addresses(hosts, SMALL)
        self.assertEqual(len({one.ipv4 for one in planned.values()}), 100)
        self.assertEqual(planned, plan_addresses(reversed(hosts), SMALL))
        for one in planned.values():
            self.assertIn(ip_address(one.ipv4), SMALL.network)
            self.assertNotIn(one.ipv4, ("127.9.0.0", "127.9.0.255"))

    def test_too_many(self) -> None:
        """More hosts than half of the addresses are a mistake with its mend."""
        hosts = [f"h{number}.corp" for number in range(128)]
        error = self.assertRaises(ConfigError, plan_addresses, hosts, SMALL)
        self.assertIn("use a larger network in [names]", str(error))

    def test_ipv6(self) -> None:
        """With a network for IPv6 each host has two."""
        network = IPv6Network("fd77::/64")
        settings = NamesSettings(ipv6_network=network)
        one = plan_addresses(["db.corp"], settings)["db.corp"]
        assert one.ipv6 is not None
        self.assertIn(ip_address(one.ipv6), network)
        self.assertEqual(one.all, (one.ipv4, one.ipv6))


class TableTests(SynchronousTestCase):
    """Which host a name stands for."""

    def test_match(self) -> None:
        """In any case, itself before the nearest wildcard, and nothing above one."""
        hosts = ("db.corp", "*.corp", "*.apps.corp", "plain")
        table = NameTable({host: HostAddresses("127.0.0.1") for host in hosts})
        for name, host in (
            ("DB.Corp.", "db.corp"),
            ("x.corp", "*.corp"),
            ("x.db.corp", "*.corp"),
            ("a.b.apps.corp", "*.apps.corp"),
            ("apps.corp", "*.corp"),
            ("plain", "plain"),
            ("corp", None),
            ("*.corp", None),
            ("dbcorp", None),
            ("x.plain", None),
            ("", None),
        ):
            self.assertEqual(table.match(name), host, name)
        table.replace({})
        self.assertIsNone(table.find("db.corp"))

    def test_one_more(self) -> None:
        """One more, and one less, with its addresses back."""
        table = NameTable({"db.corp": HostAddresses("127.0.0.1")})
        table.put("web.corp", HostAddresses("127.0.0.2", "fd77::2"))
        self.assertEqual(table.match("web.corp"), "web.corp")
        self.assertEqual(table.pointed("2.0.0.127.in-addr.arpa"), "web.corp")
        for _ in range(2):
            table.drop("web.corp")
            self.assertIsNone(table.match("web.corp"))
            self.assertIsNone(table.pointed("2.0.0.127.in-addr.arpa"))
        self.assertEqual(table.pointed("1.0.0.127.in-addr.arpa"), "db.corp")
