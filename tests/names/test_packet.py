"""Tests of L{hybridconn.names.packet}."""

from __future__ import annotations

import contextlib

from hypothesis import given
from hypothesis import strategies as st
from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.names import packet


def query(name: str = "db.corp", kind: int = dns.A, number: int = 7) -> bytes:
    """A query as programs send it."""
    made = dns.Message(id=number, recDes=True)
    made.queries = [dns.Query(name.encode(), kind, dns.IN)]
    raw: bytes = made.toStr()
    return raw


def answer_to(raw: bytes, *ttls: int, status: int = 0) -> bytes:
    """An answer with an address for each time to live."""
    made = dns.Message()
    made.fromStr(raw)
    made.answer, made.rCode, made.maxSize = 1, status, 0
    name = made.queries[0].name.name
    for ttl in ttls:
        record = dns.Record_A(f"192.0.2.{ttl % 250}")
        made.answers.append(dns.RRHeader(name, dns.A, ttl=ttl, payload=record))
    answered: bytes = made.toStr()
    return answered


class PacketTests(SynchronousTestCase):
    """What is seen of a message."""

    def test_question(self) -> None:
        """Name, type and class as they came."""
        asked = packet.question(query("Db.CORP", dns.AAAA))
        assert asked is not None
        self.assertEqual((asked.name, asked.kind, asked.cls), ("Db.CORP", 28, 1))
        self.assertTrue(packet.is_query(query()))
        self.assertFalse(packet.is_query(answer_to(query())))

    def test_lifetimes(self) -> None:
        """Times to live get shorter, and nothing else changes."""
        whole = answer_to(query(), 60, 7, 300)
        self.assertEqual([ttl for _, ttl in packet.lifetimes(whole)], [60, 7, 300])
        aged = packet.with_lifetimes(whole, 8.5)
        self.assertEqual([ttl for _, ttl in packet.lifetimes(aged)], [51, 0, 291])
        self.assertEqual(packet.with_lifetimes(whole, 0), whole)
        none = packet.with_lifetimes(whole, float("inf"))
        self.assertEqual([ttl for _, ttl in packet.lifetimes(none)], [0, 0, 0])

    def test_failure(self) -> None:
        """It has the query's id and question."""
        failed = packet.failure(query(number=99))
        message = dns.Message()
        message.fromStr(failed)
        self.assertEqual((message.id, message.rCode, message.answer), (99, 2, 1))
        self.assertEqual(message.queries[0].name.name, b"db.corp")

    def test_failure_of_odd(self) -> None:
        """Its question is there whatever the name, and EDNS is answered by EDNS."""
        odd = query("x").replace(b"\1x", b"\1\xe4")
        opt = b"\0\0\x29\x10\0\0\0\x80\0\0\0"
        failed = packet.failure(odd[:11] + b"\1" + odd[12:] + opt)
        self.assertEqual(packet.asked_bytes(failed), odd[12:].lower())
        self.assertEqual(packet.edns(failed), packet.Edns(0, signatures=True))
        self.assertIsNone(packet.edns(packet.failure(odd)))
        pointer = query("x").replace(b"\1x\0", b"\xc0\x0c\0")
        self.assertEqual(packet.questions(packet.failure(pointer)), 0)

    def test_odd(self) -> None:
        """Names that no host has are none of ours; compressed ones are refused."""
        self.assertIsNone(packet.question(query("x").replace(b"\1x", b"\1.")))
        self.assertIsNone(packet.question(query("x").replace(b"\1x", b"\1\xe4")))
        pointer = query("x").replace(b"\1x\0", b"\xc0\x0c\0")
        self.assertRaises(packet.PacketError, packet.question, pointer)

    @given(st.binary(min_size=12, max_size=80) | st.integers(0, 70))
    def test_anything(self, raw: bytes | int) -> None:
        """Whatever comes, there is nothing but an answer or L{PacketError}."""
        if isinstance(raw, int):
            raw = answer_to(query(), 60, 7)[: 12 + raw]
        for look in (
            packet.question,
            packet.lifetimes,
            packet.edns,
            packet.asked_bytes,
        ):
            with contextlib.suppress(packet.PacketError):
                look(raw)
        packet.failure(raw)
