"""Tests of L{hybridconn.core.access}."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.access import EVERYWHERE, Access


class AccessTests(SynchronousTestCase):
    """From where and how a namespace may be reached."""

    def test_everywhere(self) -> None:
        """Without rules, from anywhere and by any TLS, or by none."""
        self.assertTrue(EVERYWHERE.admits("192.0.2.1"))
        self.assertTrue(EVERYWHERE.admits(""))
        for version in ("", "TLSv1.2", "TLSv1.3"):
            self.assertTrue(EVERYWHERE.accepts_tls(version))

    def test_networks(self) -> None:
        """From the networks that are named, whatever form an address comes in."""
        access = Access(("192.0.2.0/24", "198.51.100.7", "2001:db8::/32"))
        for address, good in (
            ("192.0.2.255", True),
            ("192.0.3.0", False),
            ("198.51.100.7", True),
            ("198.51.100.8", False),
            ("::ffff:192.0.2.1", True),
            ("::ffff:192.0.3.1", False),
            ("2001:db8::1%eth0", True),
            ("2001:db9::1", False),
            ("", False),
            ("nobody", False),
        ):
            self.assertEqual(access.admits(address), good, address)
        self.assertFalse(Access(()).admits("192.0.2.1"))

    def test_tls(self) -> None:
        """1.3 keeps out what is older."""
        access = Access(minimum_tls="1.3")
        self.assertTrue(access.accepts_tls("TLSv1.3"))
        self.assertFalse(access.accepts_tls("TLSv1.2"))
        self.assertFalse(access.accepts_tls(""))

    def test_no_network(self) -> None:
        """What is no network is none."""
        with self.assertRaises(ValueError):
            Access(("192.0.2.1/24",))
