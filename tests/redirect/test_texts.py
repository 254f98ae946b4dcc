"""Tests of L{hybridconn.redirect.texts} and L{hybridconn.redirect.listening}."""

from __future__ import annotations

import socket
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config.addresses import HostPort, parse_host_port
from hybridconn.names.plan import HostAddresses
from hybridconn.redirect.listening import listening, occupant
from hybridconn.redirect.texts import (
    files_first,
    has_block,
    hosts_block,
    with_block,
    without_block,
)

BLOCK = hosts_block({"db.corp": HostAddresses("127.77.0.1", "fd77::1")})
OTHER = hosts_block({"web.corp": HostAddresses("127.77.0.2")})


class BlockTests(SynchronousTestCase):
    """The block in the hosts file."""

    def test_lines(self) -> None:
        """One for each address of a host."""
        lines = BLOCK.splitlines()
        self.assertEqual(lines[1:-1], [b"127.77.0.1\tdb.corp", b"fd77::1\tdb.corp"])

    @given(st.binary(max_size=60) | st.sampled_from([b"a\n", b"a", b"", b"\n\n"]))
    def test_there_and_back(self, text: bytes) -> None:
        """Without the block a file is as it was; a block replaces the one before."""
        once = with_block(text, BLOCK)
        self.assertTrue(has_block(once))
        self.assertEqual(without_block(once), text)
        self.assertEqual(with_block(with_block(text, OTHER), BLOCK), once)

    @given(st.binary(max_size=40), st.binary(max_size=40))
    def test_around(self, before: bytes, behind: bytes) -> None:
        """What others write around it stays."""
        left = without_block(with_block(before, BLOCK) + b"x" + behind)
        self.assertTrue(left.startswith(before))
        self.assertTrue(left.endswith(b"x" + behind))
        self.assertLessEqual(len(left), len(before + behind) + 2)

    def test_line_breaks(self) -> None:
        """An editor that writes other line breaks, or none at the end, is no matter."""
        for before, block in ((b"a\r\n", BLOCK), (b"", BLOCK.replace(b"\n", b"\r\n"))):
            for written in (before + block, before + block.rstrip()):
                self.assertTrue(has_block(written))
                self.assertEqual(without_block(written), before)

    def test_half(self) -> None:
        """Half a block, which we never write, is no block."""
        for half in (BLOCK[:-5], BLOCK[5:]):
            self.assertEqual(without_block(half), half)


class SwitchTests(SynchronousTestCase):
    """Sources of names."""

    def test_first(self) -> None:
        """The hosts file comes first, the others stay in their order."""
        for before, after in (
            (b"hosts: files dns\n", None),
            (b"passwd: files\n", None),
            (
                b"a: b\nhosts:\tresolve [!UNAVAIL=return] files dns # x\nc: d\n",
                b"a: b\nhosts: files resolve [!UNAVAIL=return] dns\nc: d\n",
            ),
            (b"hosts: dns", b"hosts: files dns\n"),
        ):
            self.assertEqual(files_first(before), after)


class ListeningTests(SynchronousTestCase):
    """Who listens."""

    def test_read(self) -> None:
        """Addresses are written in the machine's own order; only listeners count."""
        root = Path(self.mktemp())
        (root / "net").mkdir(parents=True)

        def word(address: str) -> str:
            raw = socket.inet_aton(address)
            return f"{socket.ntohl(int.from_bytes(raw, 'big')):08X}"

        (root / "net/tcp").write_text(
            "  sl  local_address rem_address   st\n"
            f"   0: {word('127.77.0.1')}:0599 00000000:0000 0A 0 0 0 0 0 41 1\n"
            f"   1: {word('127.77.0.2')}:0599 00000000:0000 01 0 0 0 0 0 42 1\n"
        )
        one = "".join(map(word, ["0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.1"]))
        every, nobody = "0" * 32, "0000 0A 0 0 0 0 0"
        (root / "net/tcp6").write_text(
            f"head\n   0: {one}:0050 {every}:{nobody} 43 1\n"
            f"   1: {every}:0016 {every}:{nobody} 44 1\n"
        )
        self.assertEqual(
            listening(root),
            {HostPort("127.77.0.1", 1433), HostPort("::1", 80), HostPort("::", 22)},
        )
        (root / "812/fd").mkdir(parents=True)
        (root / "812/comm").write_text("sshd\n")
        (root / "812/fd/3").symlink_to("socket:[44]")
        for place, said in (
            (
                "127.77.0.1:22",
                "sshd, process 812, listens at [::]:22, which is everywhere: give it"
                " addresses of its own",
            ),
            ("127.77.0.1:1433", "another program listens at 127.77.0.1:1433"),
            ("127.77.0.2:1433", ""),
        ):
            self.assertEqual(occupant(parse_host_port(place), root), said)
        self.assertEqual(listening(root / "gone"), set())
