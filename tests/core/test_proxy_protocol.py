"""Headers of the PROXY protocol, read by Twisted's own parser."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.protocols.haproxy._v2parser import V2Parser
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.proxy_protocol import ENTITY, SIGNATURE, UNIQUE_ID, header


def values_in(made: bytes) -> list[tuple[int, bytes]]:
    """The values behind the addresses."""
    rest = made[16 + {0x00: 0, 0x11: 12, 0x21: 36}[made[13]] :]
    found = []
    while rest:
        end = 3 + int.from_bytes(rest[1:3], "big")
        found.append((rest[0], rest[3:end]))
        rest = rest[end:]
    return found


class HeaderTests(SynchronousTestCase):
    """One header."""

    def read(self, made: bytes) -> tuple[str, int, str, int]:
        info: Any
        info, rest = V2Parser().feed(made + b"behind it")
        self.assertEqual(rest, b"behind it")
        one: Any = info.source
        two: Any = info.destination
        return (
            str(ip_address(one.host)),
            one.port,
            str(ip_address(two.host)),
            two.port,
        )

    def test_addresses(self) -> None:
        """Both of one family; IPv4 is told as IPv6 beside an address of that."""
        for given_, told in (
            (("192.0.2.7", 1, "10.0.0.5", 2), ("192.0.2.7", 1, "10.0.0.5", 2)),
            (("2001:db8::1", 1, "fd00::2", 2), ("2001:db8::1", 1, "fd00::2", 2)),
            (("192.0.2.7", 1, "fd00::2", 2), ("::ffff:c000:207", 1, "fd00::2", 2)),
            (("::ffff:192.0.2.7", 1, "10.0.0.5", 2), ("192.0.2.7", 1, "10.0.0.5", 2)),
            (("192.0.2.7", 1, "", 0), ("192.0.2.7", 1, "0.0.0.0", 0)),
        ):
            self.assertEqual(self.read(header(*given_)), told)

    def test_unknown(self) -> None:
        """What is no address is told as unknown, and the values all the same."""
        made = header("somewhere", 1, "10.0.0.5", 2, [(ENTITY, b"db")])
        self.assertEqual(made[:14], SIGNATURE + b"\x21\x00")
        self.assertEqual(values_in(made), [(ENTITY, b"db")])

    def test_values(self) -> None:
        """Empty ones are left out; a unique id has 128 bytes at most."""
        made = header(
            "192.0.2.7",
            1,
            "10.0.0.5",
            2,
            [(UNIQUE_ID, b"i" * 200), (ENTITY, b""), (0xE1, b"r" * 300)],
        )
        self.assertEqual(values_in(made), [(UNIQUE_ID, b"i" * 128), (0xE1, b"r" * 255)])
        self.assertEqual(self.read(made)[0], "192.0.2.7")

    @given(st.text(), st.text(), st.lists(st.tuples(st.integers(0, 255), st.binary())))
    def test_anything(
        self, source: str, destination: str, values: list[tuple[int, bytes]]
    ) -> None:
        """Whatever it is told, its length is right."""
        made = header(source, 65535, destination, 0, values)
        self.assertEqual(int.from_bytes(made[14:16], "big"), len(made) - 16)
