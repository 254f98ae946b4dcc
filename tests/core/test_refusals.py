"""Tests of L{hybridconn.core.refusals}."""

from __future__ import annotations

from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core import refusals
from hybridconn.core.entities import Claim
from hybridconn.core.refusals import (
    BadRequest,
    ClaimMissing,
    ConnectionQuota,
    EndpointNotFound,
    MethodNotAllowed,
    Refusal,
    Rejected,
    ShuttingDown,
    TokenExpired,
    TooManyRequests,
    VersionNotSupported,
    describe,
)

STATUSES: dict[int, list[Refusal]] = {
    400: [BadRequest(), refusals.PathInvalid("x")],
    401: [
        refusals.TokenMissing(),
        refusals.TokenMalformed(),
        refusals.TokenInvalid(),
        TokenExpired(1.0),
        refusals.AddressRefused("contoso"),
    ],
    403: [
        refusals.WrongAudience(),
        ClaimMissing(Claim.SEND),
        refusals.ListenerQuota(25),
        refusals.RendezvousUnknown(),
        refusals.TLSTooOld("1.3"),
    ],
    404: [
        EndpointNotFound(),
        refusals.NoListeners(),
        refusals.ListenersExcluded(),
        refusals.AcceptTimedOut(),
    ],
    405: [MethodNotAllowed()],
    408: [refusals.RequestTimedOut()],
    410: [refusals.RejectionTaken()],
    414: [refusals.TargetTooLong()],
    421: [refusals.MisdirectedRequest("evil.test")],
    426: [VersionNotSupported()],
    429: [TooManyRequests(2.0)],
    431: [refusals.HeadersTooLarge()],
    500: [refusals.InternalError()],
    501: [refusals.NotImplementedHere()],
    502: [refusals.NobodyListens(), refusals.ListenerFailed()],
    504: [
        refusals.ResponseTimedOut(),
        refusals.RendezvousTimedOut(),
        refusals.TargetTimedOut(),
    ],
    503: [
        ConnectionQuota(5000),
        refusals.TooManyPending(),
        ShuttingDown(),
        refusals.EndedByOperator(),
    ],
}


def concrete(kind: type[Refusal]) -> set[type[Refusal]]:
    below = kind.__subclasses__()
    return {kind} if not below else set().union(*map(concrete, below))


class RefusalTests(SynchronousTestCase):
    """Each refusal knows its answer."""

    def test_statuses(self) -> None:
        """Statuses are those of relay-protocol section 4, none is forgotten."""
        seen: set[type[Refusal]] = set()
        for status, instances in STATUSES.items():
            for refusal in instances:
                self.assertEqual(refusal.status, status, refusal)
                self.assertTrue(refusal.sentence)
                self.assertNotIn("{", refusal.sentence)
                self.assertEqual(str(refusal), refusal.sentence)
                seen.add(type(refusal))
        # attrs replaces a class when it makes slots, and the old one lingers.
        names = {kind.__name__ for kind in concrete(Refusal)}
        self.assertEqual(names - {kind.__name__ for kind in seen}, {"Rejected"})

    def test_known_sentences(self) -> None:
        """Sentences that clients have seen before are kept."""
        for refusal, sentence in (
            (EndpointNotFound(), "Endpoint does not exist"),
            (
                refusals.NoListeners(),
                "There are no listeners connected for the endpoint",
            ),
            (refusals.TokenInvalid(), "The token has an invalid signature"),
            (
                TokenExpired(1_900_000_000),
                "The token is expired. Expiration time: '2030-03-17T17:46:40Z'",
            ),
            (
                ClaimMissing(Claim.LISTEN),
                "Authorization failed for specified action: Listen",
            ),
            (refusals.InternalError(), "InternalServerError"),
        ):
            self.assertEqual(refusal.sentence, sentence)

    def test_headers(self) -> None:
        """A refusal brings the header fields that its status asks for."""
        for refusal, expected in (
            (
                VersionNotSupported(),
                (("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket")),
            ),
            (MethodNotAllowed("GET"), (("Allow", "GET"),)),
            (TooManyRequests(0.2), (("Retry-After", "1"),)),
            (ConnectionQuota(5, retry_after=2.1), (("Retry-After", "3"),)),
            (EndpointNotFound(), ()),
        ):
            self.assertEqual(refusal.headers, expected)

    def test_braces(self) -> None:
        """Text from a request is never taken for a format."""
        self.assertEqual(BadRequest("{0.status}").sentence, "{0.status}")
        self.assertEqual(Rejected(400, "{0}{x}").sentence, "{0}{x}")

    def test_can_be_raised(self) -> None:
        """Frozen as it is, a refusal travels as an exception and in a Failure."""
        try:
            raise EndpointNotFound()
        except Refusal:
            failure = Failure()
        failure.cleanFailure()
        self.assertIsInstance(failure.value, EndpointNotFound)


class RejectedTests(SynchronousTestCase):
    """The listener's own words (T11)."""

    def test_status(self) -> None:
        """A status below 400, or none at all, is 502 for the sender."""
        for code, status in (
            (400, 400),
            (418, 418),
            (599, 599),
            (999, 999),
            (100, 502),
            (101, 502),
            (200, 502),
            (399, 502),
            (1000, 502),
        ):
            self.assertEqual(Rejected(code, "no").status, status)

    def test_verbatim(self) -> None:
        """The description is passed on as it is, without a tracking id."""
        said = "Rejected by user code; try again, please."
        self.assertEqual(describe(Rejected(400, said), "t", "h", "p", 0.0), said)

    def test_cleaned(self) -> None:
        """Line breaks do not reach the status line; 500 characters are enough."""
        rejected = Rejected(400, "no\r\nSet-Cookie: x=1")
        self.assertEqual(rejected.sentence, "no Set-Cookie: x=1")
        self.assertEqual(len(Rejected(400, "x" * 6144).sentence), 500)

    def test_standard_phrase(self) -> None:
        """Without a description the standard phrase is used."""
        self.assertEqual(Rejected(403).sentence, "Forbidden")
        self.assertEqual(Rejected(200, "\r\n").sentence, "Bad Gateway")


class DescribeTests(SynchronousTestCase):
    """The text of an answer."""

    def test_pattern(self) -> None:
        """The text follows the pattern that people search logs for."""
        self.assertEqual(
            describe(
                EndpointNotFound(), "guid_G0", "relay.example", "/hyco", 1_900_000_000
            ),
            "Endpoint does not exist. TrackingId:guid_G0,"
            " SystemTracker:sb://relay.example/hyco, Timestamp:2030-03-17T17:46:40Z",
        )

    def test_one_line(self) -> None:
        """However long and odd the path is, it is one line of 512 characters."""
        text = describe(
            BadRequest("ä\r\n" * 900),
            "guid_G0",
            "relay.example",
            "/\n" + "x" * 900,
            0.0,
        )
        self.assertLessEqual(len(text), 512)
        self.assertTrue(text.isascii() and text.isprintable())
        self.assertIn("TrackingId:guid_G0", text)
        self.assertIn("Timestamp:1970-01-01T00:00:00Z", text)
