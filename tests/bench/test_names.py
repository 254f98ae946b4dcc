"""Queries for the bench."""

from __future__ import annotations

import ipaddress

from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase

from bench.load.names import address_of, query, reply


class PacketTests(SynchronousTestCase):
    """What is measured is what name servers do for programs."""

    def test_query(self) -> None:
        """One question for an IPv4 address, with the wish that it be passed on."""
        message = dns.Message()
        message.fromStr(query(77, "a.bench.test"))
        self.assertEqual((message.id, message.answer, message.recDes), (77, 0, 1))
        (asked,) = message.queries
        self.assertEqual(
            (asked.name.name, asked.type, asked.cls), (b"a.bench.test", dns.A, dns.IN)
        )

    def test_reply(self) -> None:
        """The bare server's answer is one to that very question, good for a minute."""
        message = dns.Message()
        packet = reply(query(77, "a.bench.test"))
        message.fromStr(packet)
        self.assertEqual((message.id, message.answer), (77, 1))
        (record,) = message.answers
        self.assertEqual((record.name.name, record.ttl), (b"a.bench.test", 60))
        assert isinstance(record.payload, dns.Record_A)
        at = ipaddress.ip_address(record.payload.address)
        self.assertEqual((str(at), address_of(packet)), ("192.0.2.1", "192.0.2.1"))

    def test_no_address(self) -> None:
        """An answer without an address is no look-up that worked."""
        self.assertRaises(ValueError, address_of, query(77, "a.bench.test"))
