"""
A name server for tests, as a program:

    python -m tests.integration.nameserver ADDRESS DELAY

It knows some names below C{test}, says nothing else exists, and waits DELAY seconds
before each answer.  C{big.test} has more addresses than go into a datagram.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import reactor as _reactor
from twisted.internet.protocol import DatagramProtocol, Factory
from twisted.names import dns
from twisted.protocols.basic import Int16StringReceiver

reactor: Any = _reactor

ZONE: dict[bytes, list[Any]] = {
    b"other.test": [dns.Record_A("192.0.2.1"), dns.Record_AAAA("2001:db8::1")],
    b"text.test": [dns.Record_TXT(b"as it is")],
    b"db.corp": [dns.Record_A("192.0.2.66")],
    b"big.test": [dns.Record_A(f"192.0.2.{number}") for number in range(1, 101)],
}


def answer(query: bytes, most: int) -> bytes:
    """The answer to a query; cut off if it is longer than C{most} bytes."""
    message = dns.Message()
    message.fromStr(query)
    asked = message.queries[0]
    known = ZONE.get(asked.name.name.lower())
    made = dns.Message(id=message.id, answer=1, recDes=message.recDes, recAv=1)
    made.queries = message.queries
    if known is None:
        made.rCode = dns.ENAME
        start = dns.Record_SOA(b"ns.test", b"root.test", 1, 60, 60, 60, 600, 600)
        made.authority = [dns.RRHeader(b"test", dns.SOA, ttl=600, payload=start)]
    for record in known or ():
        if asked.type == record.TYPE:
            header = dns.RRHeader(asked.name.name, record.TYPE, ttl=60, payload=record)
            made.answers.append(header)
    if message.additional:
        # What is asked by EDNS is told, so that one sees that it came through.
        size = message.additional[0].cls
        told = dns.Record_TXT(f"edns {size}".encode())
        made.additional.append(dns.RRHeader(b"said.test", dns.TXT, payload=told))
    packet: bytes = made.toStr()
    if len(packet) > most:
        made.answers, made.additional, made.trunc = [], [], 1
        packet = made.toStr()
    return packet


class Datagrams(DatagramProtocol):
    """By UDP."""

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        """A query (Twisted)."""
        transport: Any = self.transport
        reactor.callLater(DELAY, transport.write, answer(datagram, 512), addr)


class Streams(Int16StringReceiver):
    """By TCP."""

    def stringReceived(self, string: bytes) -> None:
        """A query (Twisted)."""
        reactor.callLater(DELAY, self.sendString, answer(string, 65535))


if __name__ == "__main__":
    ADDRESS, DELAY = sys.argv[1], float(sys.argv[2])
    reactor.listenUDP(53, Datagrams(), interface=ADDRESS)
    reactor.listenTCP(53, Factory.forProtocol(Streams), interface=ADDRESS)
    reactor.run()
