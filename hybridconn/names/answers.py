"""The answers to questions for names that are redirected."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.names import dns

from hybridconn.names.packet import OPT, Question, flags, has_edns, id_of
from hybridconn.names.plan import HostAddresses

#: What we take by UDP; no answer of ours is near it (RFC 6891 section 6.2.3).
_UDP_BYTES = 1232


def answer(
    query: bytes, question: Question, addresses: HostAddresses, ttl: int
) -> bytes:
    """
    Answer a query for one of our names.

    A kind of record that it has not is answered with nothing, never with "there is
    no such name": resolvers would then hide its addresses too.  Nor is there an SOA
    record, so nobody keeps that there is nothing (RFC 2308 section 5).

    @param query: the whole message, C{question} its question.
    @param ttl: seconds that others may keep it.
    @raise PacketError: if C{query} is cut off behind its question.
    """
    made = dns.Message(id=id_of(query), answer=1, auth=True)
    made.recDes, made.recAv = flags(query) >> 8 & 1, 1
    made.checkingDisabled = flags(query) >> 4 & 1
    name = question.name.encode("ascii")
    made.queries = [dns.Query(name, question.kind, question.cls)]
    made.answers = [
        dns.RRHeader(name, record.TYPE, dns.IN, ttl, record, auth=True)
        for record in _records(question.kind, addresses, ttl)
    ]
    if has_edns(query):
        empty = dns.UnknownRecord(b"", 0)
        made.additional = [dns.RRHeader(b"", OPT, _UDP_BYTES, 0, empty)]
    written: bytes = made.toStr()
    return written


def _records(kind: int, addresses: HostAddresses, ttl: int) -> list[Any]:
    found: list[Any] = []
    if kind in (dns.A, dns.ALL_RECORDS):
        found.append(dns.Record_A(addresses.ipv4, ttl))
    if kind in (dns.AAAA, dns.ALL_RECORDS) and addresses.ipv6 is not None:
        found.append(dns.Record_AAAA(str(ip_address(addresses.ipv6)), ttl))
    return found
