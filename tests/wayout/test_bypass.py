"""Tests of L{hybridconn.wayout.bypass}."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.wayout.bypass import Bypass, parse_rule, parse_rules


class BypassTests(SynchronousTestCase):
    """Which hosts need no proxy."""

    def covered(self, rule: str, host: str, port: int = 443) -> bool:
        return Bypass((parse_rule(rule),)).covers(host, port)

    def test_names(self) -> None:
        """A name stands for itself and all below it, however it is written."""
        for rule in (
            "corp.example",
            ".corp.example",
            "*.corp.example",
            "CORP.example.",
        ):
            self.assertTrue(self.covered(rule, "corp.example"), rule)
            self.assertTrue(self.covered(rule, "Relay.Corp.Example."), rule)
            self.assertFalse(self.covered(rule, "notcorp.example"), rule)
            self.assertFalse(self.covered(rule, "corp.example.net"), rule)

    def test_ports(self) -> None:
        """With a port it is about that port."""
        for rule, host in (
            ("relay.corp:8443", "relay.corp"),
            ("192.0.2.1:8443", "192.0.2.1"),
            ("[2001:db8::1]:8443", "[2001:db8::1]"),
            ("*:8443", "anything"),
        ):
            self.assertTrue(self.covered(rule, host, 8443), rule)
            self.assertFalse(self.covered(rule, host, 443), rule)

    def test_networks(self) -> None:
        """Networks are for addresses; names are not resolved for them."""
        for rule, inside, outside in (
            ("10.0.0.0/8", "10.200.3.4", "11.0.0.1"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.77/24", "::ffff:192.0.2.1", "192.0.3.1"),
            ("2001:db8::/32", "[2001:db8::1]", "2001:db9::1"),
        ):
            self.assertTrue(self.covered(rule, inside), rule)
            self.assertFalse(self.covered(rule, outside), rule)
            self.assertFalse(self.covered(rule, "ten.example"), rule)

    def test_all(self) -> None:
        """A star is everything."""
        self.assertTrue(self.covered("*", "relay.example.net"))
        self.assertTrue(self.covered("*", "192.0.2.1"))

    def test_loopback(self) -> None:
        """This machine is an exception if it is said."""
        for host in ("localhost", "127.0.0.1", "127.9.9.9", "[::1]", "a.localhost"):
            self.assertTrue(Bypass(loopback=True).covers(host, 443), host)
            self.assertFalse(Bypass().covers(host, 443), host)
        self.assertFalse(Bypass(loopback=True).covers("localhost.corp", 443))

    def test_bad(self) -> None:
        """What is no rule is refused, and passed over in a list for many programs."""
        bad = ("", "a b", "10.0.0.0/99", "host:0", "host:99999", "http://host", "a*b")
        for text in bad:
            self.assertRaises(ValueError, parse_rule, text)
        self.assertEqual(parse_rules([*bad, "corp"]), (parse_rule("corp"),))

    @given(st.text(), st.text())
    def test_anything(self, rule: str, host: str) -> None:
        """Nothing but C{ValueError} comes of any text."""
        for one in parse_rules([rule]):
            one.covers(host, 443)
        Bypass(loopback=True).covers(host, 443)
