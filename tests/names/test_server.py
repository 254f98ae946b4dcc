"""Tests of L{hybridconn.names}: the server, and whom it asks."""

from __future__ import annotations

import socket
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.names import dns
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config.addresses import HostPort
from hybridconn.names.cache import AnswerCache
from hybridconn.names.packet import SERVFAIL, lifetimes, status
from hybridconn.names.plan import HostAddresses, NameTable
from hybridconn.names.resolvers import SystemResolvers, find_servers
from hybridconn.names.server import NameServer
from hybridconn.names.streams import StreamServerFactory
from hybridconn.names.upstream import MOST_WAITING, Upstreams
from tests.names.test_packet import answer_to, query

ONE, TWO = HostPort("192.0.2.1", 53), HostPort("192.0.2.2", 53)


class Datagrams:
    """A UDP socket that goes nowhere; C{wrong} is raised when it is used."""

    def __init__(self, wrong: bool) -> None:
        self.peer: HostPort | None = None
        self.written: list[bytes] = []
        self.waiting: list[bytes | OSError] = []
        self.closed = False
        self.wrong = wrong

    def setblocking(self, flag: bool) -> None:
        if self.wrong:
            raise OSError(24, "Too many open files")

    def connect(self, address: tuple[str, int]) -> None:
        self.peer = HostPort(*address)

    def send(self, packet: bytes) -> None:
        self.written.append(packet)

    def recv(self, most: int) -> bytes:
        if not self.waiting:
            raise BlockingIOError()
        first = self.waiting.pop(0)
        if isinstance(first, OSError):
            raise first
        return first

    def fileno(self) -> int:
        return 99

    def close(self) -> None:
        self.closed = True


class ServerTestCase(SynchronousTestCase):
    """A name server with C{db.corp} and two others behind it."""

    def setUp(self) -> None:
        self.reactor = MemoryReactorClock()
        self.sockets: list[Datagrams] = []
        self.broken = False
        self.servers = [ONE, TWO]
        self.table = NameTable({"db.corp": HostAddresses("127.77.0.9", "fd77::9")})
        self.upstreams = Upstreams(
            lambda: self.servers, self.reactor, Random(1), 1.5, 4.5, self.open_socket
        )
        cache = AnswerCache(self.reactor.seconds, 100)
        self.server = NameServer(self.table, self.upstreams, cache, 5)

    def open_socket(self, family: int, kind: int) -> Any:
        made = Datagrams(self.broken)
        self.sockets.append(made)
        return made

    def bring(self, number: int, *packets: bytes | OSError) -> None:
        """Have something come from one of the servers."""
        self.sockets[number].waiting += packets
        for reader in [*self.reactor.readers]:
            reader.doRead()

    def ask(self, raw: bytes, stream: bool = False) -> Deferred[bytes]:
        asked = self.server.respond(raw, stream)
        assert asked is not None
        return asked

    def answered(self, raw: bytes) -> dns.Message:
        message = dns.Message()
        message.fromStr(self.successResultOf(self.ask(raw)))
        return message

    def reply(self, number: int, *ttls: int, status: int = 0) -> None:
        """One of the servers answers what it was asked."""
        asked = self.sockets[number].written[0]
        self.bring(number, answer_to(asked, *ttls, status=status))


class OwnTests(ServerTestCase):
    """Names that are answered here."""

    def test_addresses(self) -> None:
        """Both kinds, with the query's case, id and a short life."""
        for kind, address in ((dns.A, "127.77.0.9"), (dns.AAAA, "fd77::9")):
            message = self.answered(query("DB.corp", kind, 42))
            (record,) = message.answers
            self.assertEqual((message.id, message.rCode, record.ttl), (42, 0, 5))
            self.assertEqual(record.name.name, b"DB.corp")
            found: Any = record.payload
            family = socket.AF_INET if kind == dns.A else socket.AF_INET6
            self.assertEqual(socket.inet_ntop(family, found.address), address)
        self.assertEqual(len(self.answered(query(kind=dns.ALL_RECORDS)).answers), 2)

    def test_nothing_else(self) -> None:
        """Another kind is an empty answer that nobody keeps, not a missing name."""
        message = self.answered(query(kind=dns.TXT))
        self.assertEqual(
            (message.rCode, message.answers, message.authority), (0, [], [])
        )
        self.table.replace({"db.corp": HostAddresses("127.77.0.9")})
        self.assertEqual(self.answered(query(kind=dns.AAAA)).answers, [])

    def test_told(self) -> None:
        """Who knows the names hears of those that somebody is about to connect to."""
        heard: list[tuple[str, str]] = []
        hosts = {"*.corp": HostAddresses("127.77.0.9")}
        table = NameTable(hosts, lambda host, name: heard.append((host, name)))
        cache = AnswerCache(self.reactor.seconds, 100)
        self.server = NameServer(table, self.upstreams, cache, 5)
        for kind in (dns.TXT, dns.SRV, dns.MX):
            self.answered(query("a.corp", kind))
        self.assertEqual(heard, [])
        for kind in (dns.A, dns.AAAA, dns.ALL_RECORDS):
            self.answered(query("a.corp", kind))
        self.assertEqual(heard, [("*.corp", "a.corp")] * 3)

    def test_edns(self) -> None:
        """Who speaks EDNS is answered by EDNS."""
        raw = query()
        spoken = raw[:10] + b"\0\1" + raw[12:] + b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
        (option,) = self.answered(spoken).additional
        self.assertEqual((option.type, option.cls), (41, 1232))
        self.assertEqual(self.answered(raw).additional, [])

    def test_edns_details(self) -> None:
        """The DO bit is copied; an unknown version is told so, and no more."""
        raw = query()
        for words, shown, records in (
            (b"\0\0\x80\0", 0x8000, 1),
            (b"\0\1\0\0", 1 << 24, 0),
        ):
            opt = b"\0\0\x29\x04\xd0" + words + b"\0\0"
            message = self.answered(raw[:10] + b"\0\1" + raw[12:] + opt)
            (option,) = message.additional
            self.assertEqual((option.ttl, len(message.answers)), (shown, records))

    def test_addresses_back(self) -> None:
        """Our addresses have their names; a wildcard's has none."""
        self.table.replace(
            {
                "db.corp": HostAddresses("127.77.0.9", "fd77::9"),
                "*.corp": HostAddresses("127.77.0.8"),
            }
        )
        six = "9" + ".0" * 27 + ".7.7.d.f.ip6.ARPA"
        for name in ("9.0.77.127.in-addr.arpa", six):
            (record,) = self.answered(query(name, dns.PTR)).answers
            found: Any = record.payload
            self.assertEqual(found.name.name, b"db.corp")
            self.assertEqual(self.answered(query(name, dns.TXT)).answers, [])
        message = self.answered(query("8.0.77.127.in-addr.arpa", dns.PTR))
        self.assertEqual((message.rCode, message.answers), (0, []))
        self.assertNoResult(self.ask(query("7.0.77.127.in-addr.arpa", dns.PTR)))

    def test_leading_elsewhere(self) -> None:
        """Nobody's HTTPS or SVCB record leads past us, for another port either."""
        for name in ("db.corp", "_8443._https.db.corp", "_dns.DB.corp"):
            for kind in (64, 65):
                message = self.answered(query(name, kind))
                self.assertEqual((message.rCode, message.answers), (0, []))
        self.assertNoResult(self.ask(query("_8443._https.other.corp", 65)))
        self.assertNoResult(self.ask(query("_sip._tcp.db.corp", dns.SRV)))

    def test_no_query(self) -> None:
        """What is no query is not answered."""
        for raw in (b"", b"\0" * 11, answer_to(query(), 1)):
            self.assertIsNone(self.server.respond(raw, stream=False))

    def test_malformed(self) -> None:
        """A query that has no one meaning is an error, and goes to nobody."""
        raw = query()
        for broken, code in (
            (raw[:-3], 1),
            (raw + b"more", 1),
            (raw[:4] + b"\0\2" + raw[6:] + raw[12:], 1),
            (raw[:12] + b"\xc0\x0c\0\1\0\1", 1),
            (query("other.test")[:-1], 1),
            (query("other.test", 252), 5),
        ):
            got = self.successResultOf(self.ask(broken))
            self.assertEqual((got[:2], status(got)), (raw[:2], code), broken)
        self.assertEqual(self.sockets, [])


class OtherTests(ServerTestCase):
    """Names that others are asked for."""

    def test_passed_on(self) -> None:
        """The bytes are the same but for the id, both ways."""
        raw = query("other.test", number=5)
        asked = self.ask(raw)
        (at,) = self.sockets
        self.assertEqual((at.peer, at.written[0][2:]), (ONE, raw[2:]))
        self.assertNotEqual(at.written[0][:2], raw[:2])
        self.bring(0, answer_to(query("else.test", number=0), 9), b"\0", b"")
        self.assertNoResult(asked)
        self.reply(0, 60)
        got = self.successResultOf(asked)
        self.assertEqual(got, answer_to(raw, 60))
        self.assertTrue(at.closed)
        self.assertFalse(self.reactor.readers)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_cached(self) -> None:
        """The same query again is answered at once; one that found nothing is not."""
        self.ask(query("a.test"))
        self.reply(0, 60)
        self.successResultOf(self.ask(query("a.test", number=9)))
        self.ask(query("b.test"))
        self.reply(1, status=3)
        self.assertNoResult(self.ask(query("b.test")))

    def test_silent(self) -> None:
        """After a while the next one is asked as well, and the first answer counts."""
        asked = self.ask(query("a.test"))
        self.reactor.advance(1.6)
        self.assertEqual([one.peer for one in self.sockets], [ONE, TWO])
        self.reply(0, 60)
        self.successResultOf(asked)
        self.ask(query("b.test"))
        self.reactor.advance(1.6)
        self.reply(3, 60)
        self.ask(query("c.test"))
        self.assertEqual(self.sockets[-1].peer, TWO)

    def test_refused(self) -> None:
        """One that is not there is passed over at once; without any, SERVFAIL."""
        asked = self.ask(query("a.test"))
        self.bring(0, ConnectionRefusedError())
        self.assertEqual(self.sockets[1].peer, TWO)
        self.assertNoResult(asked)
        self.bring(1, ConnectionRefusedError())
        self.assertEqual(status(self.successResultOf(asked)), SERVFAIL)
        self.servers = []
        self.assertEqual(status(self.successResultOf(self.ask(query("b.test")))), 2)
        self.broken, self.servers = True, [ONE, TWO]
        self.assertEqual(status(self.successResultOf(self.ask(query("b.test")))), 2)
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_helpless(self) -> None:
        """One that has no answer is passed over; what it said counts if all are so."""
        for code in (2, 4, 5):
            asked = self.ask(query(f"a{code}.test"))
            self.reply(-1, status=code)
            self.assertEqual(self.sockets[-1].peer, TWO)
            self.assertNoResult(asked)
            self.reply(-1, 60)
            self.assertEqual(status(self.successResultOf(asked)), 0)
            self.reactor.advance(31)
        asked = self.ask(query("b.test"))
        self.reply(-1, status=5)
        self.reply(-1, status=2)
        self.assertEqual(status(self.successResultOf(asked)), 5)

    def test_first_again(self) -> None:
        """The first one is asked first again after a while: it may know other names."""
        self.ask(query("a.test"))
        self.reactor.advance(1.6)
        self.reply(1, 60)
        for seconds, first in ((0, TWO), (29, TWO), (2, ONE)):
            self.reactor.advance(seconds)
            self.ask(query(f"b{seconds}.test"))
            self.assertEqual(self.sockets[-1].peer, first)
            self.reply(-1, 60)

    def test_forged(self) -> None:
        """What answers another question, or none, or two, is not taken."""
        asked = self.ask(query("a.test"))
        wrong = answer_to(self.sockets[0].written[0], 60)
        without = wrong[:4] + b"\0\0" + wrong[6:12] + wrong[24:]
        self.bring(0, without, wrong[:4] + b"\0\2" + wrong[6:12] + wrong[12:24] * 2)
        self.assertNoResult(asked)
        # A name that no host has is compared, too.
        asked = self.ask(query("a\xe9.test"))
        right = self.sockets[1].written[0]
        self.bring(1, right[:2] + answer_to(query("b\xe9.test"), 60)[2:])
        self.assertNoResult(asked)

    def test_once_at_a_time(self) -> None:
        """Who asks the same meanwhile gets the same answer under an id of its own."""
        first = self.ask(query("a.test", number=1))
        second = self.ask(query("a.test", number=2))
        self.ask(query("A.test", number=3))
        self.assertEqual(len(self.sockets), 2)
        self.reply(0, 60)
        for number, asked in ((1, first), (2, second)):
            self.assertEqual(self.successResultOf(asked)[:2], bytes([0, number]))

    def test_other_network(self) -> None:
        """With other servers, what the former ones said is forgotten."""
        self.ask(query("a.test"))
        self.reply(0, 60)
        self.successResultOf(self.ask(query("a.test")))
        self.servers = [TWO]
        self.assertNoResult(self.ask(query("a.test")))

    def test_deadline(self) -> None:
        """When nobody answers, SERVFAIL comes before programs give up."""
        asked = self.ask(query("a.test"))
        for _ in range(44):
            self.reactor.advance(0.1)
        self.assertNoResult(asked)
        self.reactor.advance(0.2)
        self.assertEqual(status(self.successResultOf(asked)), SERVFAIL)
        self.assertTrue(all(one.closed for one in self.sockets))

    def test_too_many(self) -> None:
        """There is an end to how many wait."""
        for number in range(MOST_WAITING):
            self.ask(query(f"n{number}.test"))
        got = self.successResultOf(self.ask(query("more.test")))
        self.assertEqual(status(got), SERVFAIL)
        self.server.stop()
        self.assertEqual(self.reactor.getDelayedCalls(), [])

    def test_stream(self) -> None:
        """What came by TCP is asked by TCP."""
        asked = self.ask(query("a.test"), stream=True)
        host, port, factory, *_ = self.reactor.tcpClients[0]
        self.assertEqual((host, port), ("192.0.2.1", 53))
        protocol: Any = factory.buildProtocol(IPv4Address("TCP", host, port))
        protocol.makeConnection(transport := StringTransport())
        sent = transport.value()[2:]
        packet = answer_to(sent, 60)
        protocol.dataReceived(len(packet).to_bytes(2, "big") + packet)
        self.assertEqual(self.successResultOf(asked)[2:], packet[2:])
        self.successResultOf(self.ask(query("a.test")))
        self.assertTrue(transport.disconnected or transport.disconnecting)

    def test_long_by_stream(self) -> None:
        """What came by TCP is kept for nobody if it is too long for a datagram."""
        asked = self.ask(query("a.test"), stream=True)
        host, port, factory, *_ = self.reactor.tcpClients[0]
        protocol: Any = factory.buildProtocol(IPv4Address("TCP", host, port))
        protocol.makeConnection(transport := StringTransport())
        packet = answer_to(transport.value()[2:], *[60] * 31)
        self.assertGreater(len(packet), 512)
        protocol.dataReceived(len(packet).to_bytes(2, "big") + packet)
        self.successResultOf(asked)
        self.assertNoResult(self.ask(query("a.test")))

    def test_unsettled(self) -> None:
        """Until all names are known, nobody is to keep that there is none."""
        self.server.unsettled = True
        for ttls, code, shown in (((60,), 3, [0]), ((60,), 0, [60])):
            asked = self.ask(query(f"a{code}.test"))
            self.reply(-1, *ttls, status=code)
            got = self.successResultOf(asked)
            self.assertEqual([ttl for _, ttl in lifetimes(got)], shown)


class StreamTests(ServerTestCase):
    """The name server by TCP."""

    def test_queries(self) -> None:
        """Each is answered; what is none ends the connection, as silence does."""
        factory = StreamServerFactory(self.server, self.reactor, 20.0)
        for last in (b"\0\0", None):
            protocol = factory.buildProtocol(None)
            protocol.makeConnection(transport := StringTransport())
            raw = query()
            protocol.dataReceived(len(raw).to_bytes(2, "big") + raw)
            message = dns.Message()
            message.fromStr(transport.value()[2:])
            self.assertEqual(len(message.answers), 1)
            self.assertFalse(transport.disconnecting)
            if last is None:
                self.reactor.advance(21)
            else:
                protocol.dataReceived(last)
            self.assertTrue(transport.disconnecting)

    def connect(self) -> tuple[Any, StringTransport]:
        factory = StreamServerFactory(self.server, self.reactor, 20.0)
        protocol = factory.buildProtocol(None)
        protocol.makeConnection(transport := StringTransport())
        return protocol, transport

    def test_not_read(self) -> None:
        """Who does not read its answers is not read, and cut off in the end."""
        protocol, transport = self.connect()
        raw = query()
        asked = len(raw).to_bytes(2, "big") + raw
        producer: Any = transport.producer
        producer.pauseProducing()
        protocol.dataReceived(asked * 5)
        self.assertEqual(transport.producerState, "paused")
        self.assertEqual(transport.value(), b"")
        producer.resumeProducing()
        answer = self.successResultOf(self.ask(raw))
        self.assertEqual(len(transport.value()), 5 * (2 + len(answer)))
        self.assertEqual(transport.producerState, "producing")
        producer.pauseProducing()
        aborted: list[bool] = []
        self.patch(transport, "abortConnection", lambda: aborted.append(True))
        self.reactor.advance(21)
        self.assertTrue(aborted)

    def test_many_at_a_time(self) -> None:
        """One program cannot have more than some queries wait."""
        protocol, transport = self.connect()
        for number in range(40):
            raw = query(f"n{number}.test")
            protocol.dataReceived(len(raw).to_bytes(2, "big") + raw)
        self.assertEqual(len(self.reactor.tcpClients), 32)
        self.assertEqual(transport.producerState, "paused")
        self.reactor.advance(4.6)
        self.assertEqual(len(self.reactor.tcpClients), 2 * 32 + 8)
        self.assertEqual(transport.producerState, "producing")


class ResolverTests(SynchronousTestCase):
    """Whom this machine asks."""

    def test_order(self) -> None:
        """What was there before us, what there is, what systemd-resolved uses."""
        ours = HostPort("127.0.0.77", 53)
        mark = "# hybridconn upstream [2001:db8::1]:5353\n"
        stub, used = "nameserver 127.0.0.53\n", "nameserver 192.0.2.2\n"
        marked = HostPort("2001:db8::1", 5353)
        for texts, found in (
            ((mark + "nameserver 127.0.0.77\n", "", ""), (marked,)),
            (("nameserver 192.0.2.1\nnameserver x\n", mark, used), (ONE,)),
            ((stub, mark, used + used), (TWO,)),
            ((stub, mark, "nameserver 127.0.0.77\n"), (marked,)),
            ((stub, "", ""), ()),
        ):
            self.assertEqual(find_servers(*texts, ours), found)

    def test_changes(self) -> None:
        """A file that changed is read again, one that is gone is empty."""
        root = Path(self.mktemp())
        (root / "etc").mkdir(parents=True)
        found = SystemResolvers(None, root)
        self.assertEqual(found(), ())
        (root / "etc/resolv.conf").write_text("nameserver 192.0.2.1\n")
        self.assertEqual(found(), (ONE,))
        (root / "etc/resolv.conf").write_text("nameserver 192.0.2.2 \n")
        self.assertEqual(found(), (TWO,))
