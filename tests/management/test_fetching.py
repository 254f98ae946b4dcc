"""Getting a small document over HTTPS."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, TimeoutError, succeed
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.client import ResponseDone

from hybridconn.management.fetching import MOST_BYTES, TIMEOUT, FetchError, fetcher

URL = "https://login.test/keys"


class FakeTransport:
    """Remembers that it was cut."""

    aborted = False

    def abortConnection(self) -> None:
        """Cut (Twisted)."""
        self.aborted = True


class FakeResponse:
    """
    A response whose body the test gives.

    @ivar body: who gets it.
    """

    def __init__(self, code: int) -> None:
        self.code = code
        self.transport = FakeTransport()
        self.body: Any = None

    def deliverBody(self, protocol: Any) -> None:
        """Begin (Twisted)."""
        self.body = protocol
        protocol.transport = self.transport

    def end(self, error: Exception | None = None) -> None:
        """No more comes."""
        self.body.connectionLost(Failure(error or ResponseDone()))


class FetchTests(SynchronousTestCase):
    """One document."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[bytes, bytes]] = []
        self.response: Deferred[Any] = Deferred()

    def request(self, method: bytes, url: bytes, headers: Any) -> Deferred[Any]:
        self.asked.append((method, url))
        return self.response

    def fetch(self, code: int = 200) -> tuple[Deferred[bytes], FakeResponse]:
        response = FakeResponse(code)
        self.response = succeed(response)
        agent: Any = self
        return fetcher(agent, URL, self.clock)(), response

    def test_good(self) -> None:
        """The whole body, piece by piece."""
        got, response = self.fetch()
        response.body.dataReceived(b"a")
        response.body.dataReceived(b"b")
        self.assertNoResult(got)
        response.end()
        self.assertEqual(self.successResultOf(got), b"ab")
        self.assertEqual(self.asked, [(b"GET", URL.encode())])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_not_there(self) -> None:
        """Another status, a redirection too, is an error that says which."""
        for code in (204, 301, 404, 500):
            got, response = self.fetch(code)
            error = self.failureResultOf(got, FetchError).value
            self.assertEqual(str(error), f"{URL} answers {code}")
            self.assertTrue(response.transport.aborted)
            response.end()

    def test_broken(self) -> None:
        """A body that breaks off is none."""
        got, response = self.fetch()
        response.body.dataReceived(b"a")
        response.end(ConnectionLost())
        self.failureResultOf(got, FetchError)

    def test_endless(self) -> None:
        """One that does not end is given up."""
        got, response = self.fetch()
        response.body.dataReceived(b"a" * MOST_BYTES)
        self.assertNoResult(got)
        response.body.dataReceived(b"a")
        self.failureResultOf(got, FetchError)
        self.assertTrue(response.transport.aborted)
        response.end(ConnectionLost())

    def test_slow(self) -> None:
        """One that takes too long, head or body, is given up too."""
        got, response = self.fetch()
        self.clock.advance(TIMEOUT)
        self.failureResultOf(got, TimeoutError)
        self.assertTrue(response.transport.aborted)
        response.end(ConnectionLost())
        self.response = Deferred()
        agent: Any = self
        got = fetcher(agent, URL, self.clock)()
        self.clock.advance(TIMEOUT)
        self.failureResultOf(got, TimeoutError)
