"""Tests of L{hybridconn.diagnosis.way}: what is said of relays that do not answer."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.entities import Secret
from hybridconn.diagnosis.check import Check, Result
from hybridconn.diagnosis.steps import Steps
from hybridconn.diagnosis.way import RelayWay
from hybridconn.testing.network import MemoryNetwork
from hybridconn.wayout.proxy import Proxy

HOST = "192.0.2.7"
_MOVED = b"HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n"


class Dialer:
    """
    The way out, in memory.

    @ivar proxy: what stands between.
    """

    proxy: Proxy | None = None

    def __init__(self, network: MemoryNetwork) -> None:
        self._network = network
        self.way_out = self

    def proxy_for(self, host: str, port: int, secure: bool) -> Proxy | None:
        return self.proxy

    def endpoint(self, host: str, port: int, secure: bool) -> Any:
        return self._network.client_endpoint(host, port)

    plain_endpoint = endpoint


class Relay(Protocol):
    """Says C{answer} as soon as it is spoken to; L{None}: hangs up."""

    answer: bytes | None = b""

    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        if self.answer is None:
            transport.loseConnection()
        else:
            transport.write(self.answer)


class AnswerTests(SynchronousTestCase):
    """What takes connections, and is no relay."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.dialer = Dialer(self.network)

    def look(self, answer: bytes | None) -> Check:
        """The first hop that fails."""
        factory: Any = Factory.forProtocol(
            type("Answering", (Relay,), {"answer": answer})
        )
        factory.noisy = False
        port = self.network.listen(HOST, 80, factory)
        string = ConnectionString(HOST, 80, "db", "send", Secret("a2V5"), secure=False)
        dialer: Any = self.dialer
        way = RelayWay(string, dialer, self.network.clock, 5.0, lambda: 0.0)
        checks: list[Check] = []
        steps = Steps("relay", self.network.clock, checks.append)
        looking = Deferred.fromCoroutine(way.look(steps))
        self.network.flush()
        self.network.advance(6)
        self.assertFalse(self.successResultOf(looking))
        port.stopListening()
        self.network.flush()
        return next(one for one in checks if one.result is Result.FAIL)

    def test_no_relay(self) -> None:
        """One that speaks no HTTP, hangs up or is silent is told with that hop."""
        for answer, seen in (
            (b"SSH-2.0-x\r\n", "no HTTP"),
            (None, "closed without an answer"),
            (b"", "no answer in time"),
            (_MOVED, "it answers 302"),
        ):
            check = self.look(answer)
            self.assertEqual(check.name, "relay answer")
            self.assertIn(seen, check.seen)
            self.assertIn("is that the relay's port?", check.mend)

    def test_silent_proxy(self) -> None:
        """Of a proxy that is silent the way out is to be mended, no firewall."""
        self.dialer.proxy = Proxy("http", "proxy.test", 3128)
        never: Any = type("Never", (), {"connect": lambda _, factory: Deferred()})()
        self.patch(self.dialer, "plain_endpoint", lambda *where: never)
        check = self.look(b"")
        self.assertEqual((check.name, check.seen), ("proxy", "no answer in time"))
        self.assertIn("[way_out]", check.mend)
