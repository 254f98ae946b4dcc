"""A listener and, in the relay's place, peers made of plain bytes."""

from __future__ import annotations

from typing import Any, cast

from attrs import evolve
from twisted.internet.protocol import Factory
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.connection_string import ConnectionString
from hybridconn.core.entities import Secret
from hybridconn.testing.frames import PING, PONG
from hybridconn.testing.network import MemoryNetwork
from hybridconn.testing.relay import WALL_START
from hybridconn.testing.ws_peer import WsPeer

KEY = "c2VjcmV0LWtleS1vZi10aGUtbGlzdGVuZXI="
CONNECTION = ConnectionString(
    "relay.test", 443, "hyco", "listen", Secret(KEY), secure=True
)
INSECURE = evolve(CONNECTION, port=80, secure=False)


class Peer(WsPeer):
    """A relay's end that answers pings, as every library does."""

    _looked_at = 0

    @property
    def pings(self) -> int:
        """How many came."""
        return sum(frame.opcode == PING for frame in self.frames)

    def dataReceived(self, data: bytes) -> None:
        super().dataReceived(data)
        new, self._looked_at = self.frames[self._looked_at :], len(self.frames)
        for frame in new:
            if frame.opcode == PING:
                self.frame(PONG, frame.payload)


class FakeRelay(Factory):
    """
    Answers every dial.

    @ivar peers: one for each dial, in order.
    @ivar answers: what the next ones get instead of 101.
    """

    noisy = False

    def __init__(self) -> None:
        self.peers: list[Peer] = []
        self.answers: list[bytes] = []

    def buildProtocol(self, addr: Any) -> Peer:
        answer = self.answers.pop(0) if self.answers else None
        self.peers.append(cast(Peer, Peer.server(answer)))
        return self.peers[-1]


def refusal(status: int, reason: str, *headers: str) -> bytes:
    """An answer that is no 101."""
    fields = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {status} {reason}\r\n{fields}Content-Length: 0\r\n\r\n".encode()


class LogTestCase(SynchronousTestCase):
    """A test that looks at the log."""

    def setUp(self) -> None:
        self.events: list[LogEvent] = []
        observer = cast(ILogObserver, self.events.append)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    @property
    def lines(self) -> list[str]:
        """What was logged, line by line."""
        return [formatEvent(event) for event in self.events]

    def assertLogged(self, *words: str) -> None:
        """There is a line with all of these words."""
        if not any(all(word in line for word in words) for line in self.lines):
            self.fail(f"no line with {words} in {self.lines}")

    def assertNothingSecret(self) -> None:
        """No key and no signature is in the log, in whatever form."""
        log = "\n".join(f"{formatEvent(e)} {e!r}" for e in self.events)
        for secret in (KEY, "SharedAccessSignature", "sig="):
            self.assertNotIn(secret, log)


class RelayTestCase(LogTestCase):
    """With a network and a relay that does what it is told."""

    def setUp(self) -> None:
        super().setUp()
        self.network = MemoryNetwork()
        self.clock = self.network.clock
        self.relay = FakeRelay()
        for port in (80, 443):
            self.network.listen("relay.test", port, self.relay)

    def wall(self) -> float:
        return WALL_START + self.clock.seconds()

    def advance(self, seconds: float) -> None:
        self.network.advance(seconds)

    @property
    def peer(self) -> Peer:
        """The latest dial's."""
        return self.relay.peers[-1]
