"""Which target a sender wants, and may have."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.allow_list import AllowedTarget, AllowList
from hybridconn.core.commands import Accept
from hybridconn.core.host_port import HostPort
from hybridconn.core.targets import (
    TARGET_HEADER,
    TargetError,
    TargetRules,
    parse_wanted,
    wanted_target,
    with_target,
)

#: Where no name of somebody else's is to lead.
SPECIAL = (
    "127.0.0.1",
    "127.8.8.8",
    "169.254.169.254",
    "168.63.129.16",
    "fd00:ec2::254",
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "fe80::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
)


def accept_with(**headers: str) -> Accept:
    """An accept whose sender sent these, underscores for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Accept("wss://relay.test/x", "id", named)


def rules(*entries: str, bounds: tuple[str, ...] = ()) -> TargetRules:
    """Rules with these entries."""
    parsed = map(AllowedTarget.parse, entries)
    return TargetRules(parsed, AllowList(map(AllowedTarget.parse, bounds)))


class WantedTests(SynchronousTestCase):
    """What a sender says."""

    def test_header(self) -> None:
        """It is one of its headers, in any case; without it, it wants nothing."""
        self.assertEqual(TARGET_HEADER, "HybridConn-Target")
        accept = accept_with(hybridconn_TARGET=" db.corp:1433 ")
        self.assertEqual(wanted_target(accept), HostPort("db.corp", 1433))
        self.assertIsNone(wanted_target(accept_with(Host="db.corp:1433")))

    def test_one_form(self) -> None:
        """However a name or an address is written, it is the same one."""
        for text, shown in (
            ("DB.Corp:1433", "db.corp:1433"),
            ("db.corp.:1433", "db.corp:1433"),
            ("_db:1", "_db:1"),
            ("10.1.2.3:80", "10.1.2.3:80"),
            ("[FD00:0::1]:80", "[fd00::1]:80"),
        ):
            self.assertEqual(str(parse_wanted(text)), shown)

    def test_bad(self) -> None:
        """All else is refused, with words: also what only looks like an address."""
        for text, words in (
            ("", "host:port"),
            ("db.corp", "host:port"),
            ("db.corp:0", "its port is 0"),
            ("db.corp:65536", "its port"),
            ("http://db.corp:80", "host:port"),
            ("db corp:80", "host:port"),
            ("*.corp:80", "no name"),
            ("a..b:80", "no name"),
            ("-a.corp:80", "no name"),
            ("b\xfccher.corp:80", "xn--"),
            ("x" * 64 + ":80", "no name"),
            ("2130706433:80", "ends in a number"),
            ("127.1:80", "ends in a number"),
            ("0x7f000001:80", "ends in a number"),
            ("[fe80::1%eth0]:80", "zone"),
            ("[nothing]:80", "host:port"),
        ):
            error = self.assertRaises(TargetError, parse_wanted, text)
            self.assertIn(words, str(error), text)

    def test_next(self) -> None:
        """One more connection has its own wish, and all else of the first."""
        first = accept_with(hybridconn_target="a.corp:1", X="y")
        second = with_target(first, "b.corp:2")
        self.assertEqual(second.connect_headers, {"X": "y", TARGET_HEADER: "b.corp:2"})

    @given(st.text(max_size=300))
    def test_any_text(self, text: str) -> None:
        """No text gives anything but a target or L{TargetError}."""
        with contextlib.suppress(TargetError):
            again = parse_wanted(str(parse_wanted(text)))
            self.assertEqual(again, parse_wanted(text))


class RulesTests(SynchronousTestCase):
    """L{TargetRules}."""

    def test_listed(self) -> None:
        """A wildcard is every name below, a network every address in it."""
        allowed = rules("*.apps.corp:443", "db.corp:1433", "10.1.0.0/16:1-1024")
        for host, port, good in (
            ("one.apps.corp", 443, True),
            ("a.b.apps.corp", 443, True),
            ("apps.corp", 443, False),
            ("one.apps.corp", 22, False),
            ("db.corp", 1433, True),
            ("evil-db.corp", 1433, False),
            ("10.1.2.3", 80, True),
            ("10.1.2.3", 1025, False),
            ("10.2.2.3", 80, False),
        ):
            address = host if host[0].isdigit() else "192.0.2.7"
            self.assertIs(allowed.admits(host, port, address), good, (host, port))
            if good:
                self.assertTrue(allowed.may_admit(host, port), (host, port))

    def test_nothing_special(self) -> None:
        """A name, a wildcard or a star never leads to this machine or its link."""
        for entry in ("*.corp:80", "db.corp:80", "*:80"):
            allowed = rules(entry)
            self.assertTrue(allowed.admits("db.corp", 80, "192.0.2.1"), entry)
            for address in SPECIAL:
                self.assertFalse(allowed.admits("db.corp", 80, address), address)
                self.assertFalse(allowed.admits(address, 80, address), address)
                self.assertFalse(allowed.may_admit(address, 80), address)

    def test_star(self) -> None:
        """A star is every other address as well."""
        self.assertTrue(rules("*:80").admits("192.0.2.1", 80, "192.0.2.1"))
        self.assertTrue(rules("*:80").may_admit("192.0.2.1", 80))
        self.assertFalse(rules("*:80").may_admit("192.0.2.1", 81))

    def test_special_listed(self) -> None:
        """Who lists such an address, or its network, means it."""
        for address in SPECIAL:
            host = f"[{address}]" if ":" in address else address
            if address.startswith("::ffff:"):
                host = address.removeprefix("::ffff:")
            allowed = rules("*.corp:80", f"{host}:80")
            self.assertTrue(allowed.admits("db.corp", 80, address), address)
            self.assertTrue(allowed.admits(address, 80, address), address)
        self.assertTrue(rules("127.0.0.0/8:*").admits("a.corp", 9, "127.0.0.2"))

    def test_localhost(self) -> None:
        """C{localhost} by name leads to loopback, and nowhere else of that kind."""
        allowed = rules("localhost:80")
        self.assertTrue(allowed.admits("localhost", 80, "127.0.0.1"))
        self.assertTrue(allowed.admits("LOCALHOST.", 80, "::1"))
        self.assertFalse(allowed.admits("localhost", 80, "169.254.169.254"))
        self.assertFalse(rules("*:80").admits("localhost", 80, "127.0.0.1"))
        self.assertFalse(allowed.admits("a.localhost", 80, "127.0.0.1"))

    def test_bounds(self) -> None:
        """What the whole process may not reach, nobody may want."""
        allowed = rules("*.corp:1-100", bounds=("*.corp:80", "10.0.0.0/8:81"))
        self.assertTrue(allowed.admits("a.corp", 80, "192.0.2.1"))
        self.assertTrue(allowed.admits("a.corp", 81, "10.0.0.1"))
        self.assertFalse(allowed.admits("a.corp", 81, "192.0.2.1"))
        self.assertFalse(allowed.may_admit("a.corp", 82))
        self.assertEqual(allowed.setting, "targets and allow_targets")
        self.assertEqual(rules("a:1").setting, "targets")
