"""The answers to questions for names that are redirected."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.names import dns

from hybridconn.names.packet import (
    OPT,
    SIGNATURES,
    UDP_BYTES,
    Edns,
    Question,
    edns,
    flags,
    id_of,
    question,
)
from hybridconn.names.plan import WILDCARD, HostAddresses, NameTable

#: Kinds of records that lead to another host or port (RFC 9460).
_LEADING = (64, 65)
#: The upper bits of a response code: there is no such version of EDNS.
_BAD_VERSION = 1 << 24
#: What is asked for by programs that are about to connect.
_TO_DIAL = (dns.A, dns.AAAA, dns.ALL_RECORDS)


def own_answer(table: NameTable, query: bytes, ttl: int) -> bytes | None:
    """
    Answer a query for one of our names or addresses.

    A kind of record that it has not is answered with nothing, never with "there is
    no such name": resolvers would then hide its addresses too.  Nor is there an SOA
    record, so nobody keeps that there is nothing (RFC 2308 section 5).

    @param query: the whole message.
    @param ttl: seconds that others may keep it.
    @return: L{None} if it asks for something else.
    @raise PacketError: if C{query} is cut off, or longer than it says.
    """
    asked = question(query)
    if asked is None or asked.cls not in (dns.IN, dns.ANY):
        return None
    records = _records(table, asked, ttl)
    if records is None:
        return None
    made = dns.Message(id=id_of(query), answer=1, auth=True)
    made.recDes, made.recAv = flags(query) >> 8 & 1, 1
    made.checkingDisabled = flags(query) >> 4 & 1
    name = asked.name.encode("ascii")
    made.queries = [dns.Query(name, asked.kind, asked.cls)]
    spoken = edns(query)
    if spoken is not None:
        made.additional = [_edns_record(spoken)]
    if spoken is None or spoken.version == 0:
        made.answers = [
            dns.RRHeader(name, record.TYPE, dns.IN, ttl, record, auth=True)
            for record in records
        ]
    written: bytes = made.toStr()
    return written


def _edns_record(spoken: Edns) -> Any:
    # RFC 3225 section 3 has the DO bit copied; RFC 6891 section 6.1.3 the version told.
    words = SIGNATURES if spoken.signatures else 0
    if spoken.version != 0:
        words |= _BAD_VERSION
    return dns.RRHeader(b"", OPT, UDP_BYTES, words, dns.UnknownRecord(b"", words))


def _records(table: NameTable, asked: Question, ttl: int) -> list[Any] | None:
    addresses = table.find(asked.name, dial=asked.kind in _TO_DIAL)
    if addresses is not None:
        return _address_records(asked.kind, addresses, ttl)
    host = table.pointed(asked.name)
    if host is not None:
        # Many names have a wildcard's address.
        wanted = asked.kind in (dns.PTR, dns.ALL_RECORDS)
        told = wanted and not host.startswith(WILDCARD)
        return [dns.Record_PTR(host, ttl)] if told else []
    if asked.kind in _LEADING:
        # Services at other ports are asked for as _8443._https.web.corp (RFC 9460
        # section 2.3): what others say there would lead past us.
        labels = asked.name.split(".")
        while labels and labels[0].startswith("_"):
            labels.pop(0)
        if table.match(".".join(labels)) is not None:
            return []
    return None


def _address_records(kind: int, addresses: HostAddresses, ttl: int) -> list[Any]:
    found: list[Any] = []
    if kind in (dns.A, dns.ALL_RECORDS):
        found.append(dns.Record_A(addresses.ipv4, ttl))
    if kind in (dns.AAAA, dns.ALL_RECORDS) and addresses.ipv6 is not None:
        found.append(dns.Record_AAAA(str(ip_address(addresses.ipv6)), ttl))
    return found
