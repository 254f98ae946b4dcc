"""The target from the hybrid connection's metadata."""

from __future__ import annotations

from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError, TimeoutError
from twisted.internet.protocol import Factory, Protocol

from hybridconn.core.entities import HybridConnection, endpoint_metadata
from hybridconn.core.sas import SasToken
from hybridconn.listener.metadata import MetadataTarget
from hybridconn.listener.reject import Reject
from hybridconn.relay.runtime_info import render
from hybridconn.testing.network import MemoryNetwork
from hybridconn.testing.relay import WALL_START
from hybridconn.web.description import (
    MOST_BYTES,
    DescriptionError,
    NotDescribed,
)
from hybridconn.web.description_reader import DescriptionReader
from tests.listener.scene import CONNECTION, INSECURE, LogTestCase


def answer(body: bytes, status: str = "200 OK", kind: str = "type=entry") -> bytes:
    return (
        f"HTTP/1.1 {status}\r\nContent-Type: application/atom+xml;{kind}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def described(metadata: str) -> bytes:
    return answer(render(HybridConnection("hyco", user_metadata=metadata), "r", 1))


class Web(Factory):
    """
    A web server that answers each request with the next bytes.

    @ivar answers: the last one is repeated.
    """

    noisy = False

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.answers: list[bytes] = []

    def buildProtocol(self, addr: Any) -> Protocol:
        return _Answering(self)


class _Answering(Protocol):
    def __init__(self, web: Web) -> None:
        self._web = web

    def dataReceived(self, data: bytes) -> None:
        web = self._web
        web.requests.append(data.decode())
        assert self.transport is not None
        self.transport.write(web.answers.pop(0) if web.answers[1:] else web.answers[0])


class MetadataTestCase(LogTestCase):
    """A relay that describes one hybrid connection."""

    connection = CONNECTION

    def setUp(self) -> None:
        super().setUp()
        self.network = MemoryNetwork()
        self.clock = self.network.clock
        self.web = Web()
        for port in (80, 443):
            self.network.listen("relay.test", port, self.web)
        self.dialer = self.network.dialer()
        self.reader = DescriptionReader(
            self.connection,
            self.dialer,
            self.clock,
            lambda: WALL_START + self.clock.seconds(),
        )

    def say(self, *answers: bytes) -> None:
        self.web.answers = list(answers)

    def tearDown(self) -> None:
        self.assertNothingSecret()


class DescriptionReaderTests(MetadataTestCase):
    """One reading."""

    def read(self) -> Deferred[Any]:
        reading = self.reader.read()
        self.network.flush()
        return reading

    def test_request(self) -> None:
        """It asks over TLS, with a listen token, as Azure's managers do."""
        self.say(described(endpoint_metadata("db.corp:1433")))
        self.assertEqual(self.successResultOf(self.read()).endpoint, "db.corp:1433")
        (request,) = self.web.requests
        head = request.split("\r\n")
        self.assertEqual(head[0], "GET /hyco?api-version=2016-07 HTTP/1.1")
        fields = {
            name.lower(): value
            for name, _, value in (line.partition(": ") for line in head[1:])
        }
        self.assertEqual(fields["host"], "relay.test")
        self.assertEqual(fields["x-process-at"], "ServiceBus")
        token = SasToken.parse(fields["authorization"])
        self.assertEqual(token.audience(), ("relay.test", ("hyco",)))
        self.assertEqual(self.dialer.dialled, [("relay.test", 443, True)])

    def test_insecure(self) -> None:
        """Plain HTTP only for a connection that is explicitly insecure."""
        self.say(described(""))
        self.reader = DescriptionReader(INSECURE, self.dialer, self.clock)
        self.successResultOf(self.read())
        self.assertEqual(self.dialer.dialled, [("relay.test", 80, False)])

    def test_without_token(self) -> None:
        """Without a key no token is sent."""
        self.say(answer(b"", "401 The token is missing"))
        bare = evolve(CONNECTION, key=None, key_name=None)
        self.reader = DescriptionReader(bare, self.dialer, self.clock)
        error = self.failureResultOf(self.read(), DescriptionError).value
        self.assertEqual(str(error), "the relay answered 401 The token is missing")
        self.assertNotIn("authorization", self.web.requests[0].lower())

    def test_not_found(self) -> None:
        """404 and a feed mean the same."""
        for unknown in (answer(b"", "404 Not Found"), answer(b"", kind="type=feed")):
            self.say(unknown)
            self.failureResultOf(self.read(), NotDescribed)

    def test_too_long(self) -> None:
        """An answer without end is not gathered."""
        self.say(b"HTTP/1.1 200 OK\r\n\r\n" + bytes(2 * MOST_BYTES))
        error = self.failureResultOf(self.read(), DescriptionError).value
        self.assertIn("1 MiB", str(error))
        self.assertEqual(self.network.connections, ())

    def test_breaks_off(self) -> None:
        """An answer that breaks off, in head or body, is no description."""
        for begun in (
            b"HTTP/1.1 200",
            b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<entry",
        ):
            self.say(begun)
            reading = self.read()
            self.network.connections[0].server.loseConnection()
            self.network.flush()
            error = self.failureResultOf(reading, DescriptionError).value
            self.assertIn("broke off", str(error))

    def test_silence(self) -> None:
        """Neither a head nor a body is waited for in vain."""
        for silent in (b"HTTP/1.1", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"):
            self.say(silent)
            reading = self.read()
            self.network.advance(20)
            self.failureResultOf(reading, TimeoutError)
            self.network.advance(20)
            self.assertEqual(self.network.connections, ())
            self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_no_relay(self) -> None:
        """A dial that fails is the failure."""
        self.network.faults.refuse("relay.test", 443)
        self.failureResultOf(self.read(), ConnectionRefusedError)


class MetadataTargetTests(MetadataTestCase):
    """Kept up to date."""

    def setUp(self) -> None:
        super().setUp()
        self.metadata = MetadataTarget(self.reader, "hyco", self.clock, 300.0)

    def target(self) -> str:
        target = self.metadata.target()
        self.network.flush()
        return str(self.successResultOf(target))

    def reason(self) -> str:
        target = self.metadata.target()
        self.network.flush()
        error = self.failureResultOf(target, Reject).value
        self.assertEqual(error.status, 502)
        return str(error.description)

    def test_on_demand(self) -> None:
        """The first sender has it read, if nobody did; the next ones do not."""
        self.say(described(endpoint_metadata("db.corp:1433")))
        self.assertEqual(self.target(), "db.corp:1433")
        self.assertEqual(self.target(), "db.corp:1433")
        self.assertEqual(len(self.web.requests), 1)
        self.assertLogged("hyco: the target is db.corp:1433, from its metadata")

    def test_one_reading_at_a_time(self) -> None:
        """Senders that come meanwhile wait for the same answer."""
        self.network.faults.delay = 1.0
        self.say(described(endpoint_metadata("db.corp:1433")))
        waiting = [self.metadata.target() for _ in range(3)]
        waiting[1].cancel()
        self.failureResultOf(waiting[1])
        self.network.advance(10)
        for one in (waiting[0], waiting[2]):
            self.assertEqual(str(self.successResultOf(one)), "db.corp:1433")
        self.assertEqual(len(self.web.requests), 1)

    def test_changes(self) -> None:
        """It is read again from time to time, and new senders get the new one."""
        self.say(
            described(endpoint_metadata("old.corp:1")),
            described(endpoint_metadata("new.corp:2")),
        )
        self.metadata.start()
        self.network.flush()
        self.assertEqual(self.target(), "old.corp:1")
        self.network.advance(299)
        self.assertEqual(self.target(), "old.corp:1")
        self.network.advance(2)
        self.assertEqual(self.target(), "new.corp:2")
        self.metadata.start()
        self.network.flush()
        self.assertEqual(len(self.web.requests), 3)
        self.metadata.stop()
        self.metadata.stop()
        self.network.advance(900)
        self.assertEqual(len(self.web.requests), 3)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_kept(self) -> None:
        """While the relay does not answer, what is known stays good."""
        self.say(described(endpoint_metadata("db.corp:1433")))
        self.assertEqual(self.target(), "db.corp:1433")
        self.network.faults.refuse("relay.test", 443)
        self.metadata.read()
        self.network.flush()
        self.assertEqual(self.target(), "db.corp:1433")
        self.assertLogged("cannot be read", "refused", "db.corp:1433 stays the target")

    def test_unusable(self) -> None:
        """The sender and the log are told what is wrong with the metadata."""
        self.say(
            described("no JSON"),
            described('[{"key":"endpoint","value":"nonsense"}]'),
            answer(b"", "404 Not Found"),
            answer(b"", "401 The token is expired"),
        )
        self.assertIn('no key "endpoint" with host:port', self.reason())
        self.assertIn('no key "endpoint"', self.reason())
        self.assertIn("does not know this hybrid connection", self.reason())
        self.assertIn("401 The token is expired", self.reason())
        self.assertLogged("there is no target")

    def test_no_relay(self) -> None:
        """So it is when the relay cannot be reached; the next sender tries again."""
        self.network.faults.refuse("relay.test", 443)
        self.assertIn("refused", self.reason())
        self.network.faults.mend("relay.test", 443)
        self.say(described(endpoint_metadata("db.corp:1433")))
        self.assertEqual(self.target(), "db.corp:1433")

    def test_stopped_while_reading(self) -> None:
        """A reading that is under way is given up, and nothing is said of it."""
        self.say(b"HTTP/1.1")
        self.metadata.start()
        self.network.flush()
        waiting = self.metadata.target()
        self.metadata.stop()
        self.network.flush()
        self.failureResultOf(waiting, Reject)
        self.assertEqual(self.network.connections, ())
        self.assertEqual(self.lines, [])

    def test_started_while_stopping(self) -> None:
        """A reading that was given up says nothing about the next one."""
        self.say(b"HTTP/1.1", described(endpoint_metadata("db.corp:1433")))
        self.metadata.start()
        self.network.flush()
        self.metadata.stop()
        self.metadata.start()
        self.network.flush()
        self.assertEqual(self.target(), "db.corp:1433")
        self.assertEqual(len(self.lines), 1)
        self.metadata.stop()
