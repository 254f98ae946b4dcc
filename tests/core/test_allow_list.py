"""Which targets may be reached."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.allow_list import AllowedTarget, AllowList


def allowing(*entries: str) -> AllowList:
    """A list of these entries."""
    return AllowList(map(AllowedTarget.parse, entries))


class AllowListTests(SynchronousTestCase):
    """L{AllowList}."""

    def test_empty(self) -> None:
        """No entry: no limit."""
        allowed = allowing()
        self.assertTrue(allowed.admits("a.corp", 1, "127.0.0.1"))
        self.assertTrue(allowed.may_admit("a.corp", 1))
        self.assertTrue(allowed.admits_text("unix:/run/a.sock"))

    def test_name(self) -> None:
        """A name is itself, in any case, with a period behind it or not."""
        allowed = allowing("db.corp:1433")
        for host in ("db.corp", "DB.Corp", "db.corp."):
            self.assertTrue(allowed.admits(host, 1433, "10.0.0.1"), host)
        for host in ("a.db.corp", "xdb.corp", "corp", "10.0.0.1"):
            self.assertFalse(allowed.admits(host, 1433, "10.0.0.1"), host)
        self.assertFalse(allowed.admits("db.corp", 1434, "10.0.0.1"))

    def test_very_name(self) -> None:
        """Who writes a name means it, wherever it leads to."""
        self.assertTrue(allowing("app:80").admits("app", 80, "127.0.0.1"))

    def test_wildcard(self) -> None:
        """All names below, not the name itself."""
        allowed = allowing("*.corp:1-1024")
        self.assertTrue(allowed.admits("a.corp", 1, "10.0.0.1"))
        self.assertTrue(allowed.admits("a.b.corp", 1024, "10.0.0.1"))
        self.assertFalse(allowed.admits("corp", 80, "10.0.0.1"))
        self.assertFalse(allowed.admits("a.corp", 1025, "10.0.0.1"))

    def test_wildcard_leads_home(self) -> None:
        """Whoever rules the zone must not reach this machine or its link by it."""
        allowed = allowing("*.corp:80")
        for address in (
            "127.0.0.1",
            "169.254.169.254",
            "::1",
            "fe80::1",
            "0.0.0.0",
            "::ffff:127.0.0.1",
            "168.63.129.16",
            "fd00:ec2::254",
            "100.100.100.200",
            "192.0.0.192",
        ):
            self.assertFalse(allowed.admits("a.corp", 80, address), address)
        self.assertTrue(
            allowing("*.corp:80", "127.0.0.1:80").admits("a.corp", 80, "127.0.0.1")
        )

    def test_network(self) -> None:
        """Addresses, and names that lead to them."""
        allowed = allowing("10.0.0.0/8:5432", "[fd00::/8]:*", "192.0.2.7:22")
        self.assertTrue(allowed.admits("10.1.2.3", 5432, "10.1.2.3"))
        self.assertTrue(allowed.admits("db.corp", 5432, "10.1.2.3"))
        self.assertTrue(allowed.admits("db.corp", 5432, "::ffff:10.1.2.3"))
        self.assertFalse(allowed.admits("db.corp", 5432, "11.1.2.3"))
        self.assertTrue(allowed.admits("db.corp", 9, "fd12::1"))
        self.assertTrue(allowed.admits("x", 22, "192.0.2.7"))
        self.assertFalse(allowed.admits("x", 22, "192.0.2.8"))

    def test_everything(self) -> None:
        """A star is every host."""
        self.assertTrue(allowing("*:443").admits("x.example", 443, "127.0.0.1"))
        self.assertTrue(allowing("*:443").admits("10.0.0.1", 443, "10.0.0.1"))
        self.assertFalse(allowing("*:443").admits("x.example", 80, "10.0.0.1"))

    def test_may_admit(self) -> None:
        """Before a name was looked up: whether that is worth while."""
        self.assertFalse(allowing("a.corp:1").may_admit("b.corp", 1))
        self.assertFalse(allowing("10.0.0.0/8:1").may_admit("b.corp", 2))
        self.assertTrue(allowing("10.0.0.0/8:1").may_admit("b.corp", 1))
        self.assertFalse(allowing("10.0.0.0/8:1").may_admit("11.0.0.1", 1))

    def test_unix(self) -> None:
        """Sockets are named in full."""
        allowed = allowing("unix:/run/app.sock")
        self.assertTrue(allowed.admits_text("unix:/run/app.sock"))
        self.assertFalse(allowed.admits_text("unix:/run/other.sock"))
        self.assertFalse(allowed.admits("run", 1, "10.0.0.1"))

    def test_mistakes(self) -> None:
        """What is wrong is said."""
        for text, words in (
            ("db.corp", "host:port"),
            ("db.corp:0", "1 to 65535"),
            ("db.corp:9-1", "in order"),
            ("db.corp:70000", "1 to 65535"),
            ("db.*.corp:1", "in front only"),
            ("10.0.0.1/8:1", "write 10.0.0.0/8"),
            ("10.0.0/8:1", "no address"),
            ("[nothing]:1", "no address"),
        ):
            error = self.assertRaises(ValueError, AllowedTarget.parse, text)
            self.assertIn(words, str(error), text)

    @given(st.text(max_size=40))
    def test_any_text(self, text: str) -> None:
        """Nothing but L{ValueError} is raised; what is read keeps its words."""
        with contextlib.suppress(ValueError):
            self.assertEqual(str(AllowedTarget.parse(text)), text)
