"""Tests of L{hybridconn.core.probe}."""

from __future__ import annotations

import json

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.commands import Accept
from hybridconn.core.probe import (
    MAX_MESSAGE,
    MOST_LISTED,
    PORT_HEADER,
    PROBE,
    Failed,
    Found,
    ListenerIs,
    ProbeError,
    Reached,
    TargetIs,
    TargetTLS,
    WantedPort,
    encode,
    offers_probe,
    parse,
    wanted_port,
)


class ProbeTests(SynchronousTestCase):
    """What goes over the wire."""

    def test_there_and_back(self) -> None:
        """Each message is read as it was written."""
        for message in (
            ListenerIs("alpha", "1.2", "4f56_G0"),
            TargetIs("db.corp:5432", 0.001),
            Found(("10.0.0.5", "fd00::5"), 0.25),
            Reached("10.0.0.5:5432", 0.0),
            TargetTLS("TLSv1.3", ("db.corp",), "CA", 2e9, "", "unknown", 0.01),
            Failed("reached", 502, "target db.corp:5432 refused", 0.1),
        ):
            self.assertEqual(parse(encode(message)), message)

    def test_bounded(self) -> None:
        """However much there is to say, a message stays short and can be read."""
        names = tuple('"' * 5000 for _ in range(100))
        words = "\N{SNOWMAN}" * 5000
        text = encode(TargetTLS(words, names, words, 1, words, words, 1))
        self.assertLessEqual(len(text), MAX_MESSAGE)
        found = parse(text)
        assert isinstance(found, TargetTLS)
        self.assertEqual(len(found.names), MOST_LISTED)

    def test_nonsense(self) -> None:
        """What is none of them is refused, and not repeated."""
        good = json.loads(encode(Reached("secret", 1)))
        for text in (
            b"",
            b"[]",
            b"secret",
            b'{"reached": {}}',
            b'{"secret": {}}',
            b'{"reached": ["secret", 1]}',
            json.dumps({**good, "more": 1}).encode(),
            json.dumps({"reached": {"address": "secret\n", "seconds": 1}}).encode(),
            json.dumps({"reached": {"address": "secret", "seconds": "1"}}).encode(),
            json.dumps({"reached": {"address": "secret", "seconds": -1}}).encode(),
            json.dumps({"found": {"addresses": [1], "seconds": 1}}).encode(),
            json.dumps(
                {"failed": {"step": "x", "status": 502, "reason": "", "seconds": 1}}
            ).encode(),
            json.dumps(
                {"failed": {"step": "tls", "status": 1, "reason": "", "seconds": 1}}
            ).encode(),
            b"[" * 100_000,
        ):
            error = self.assertRaises(ProbeError, parse, text)
            self.assertNotIn("secret", str(error))

    def test_offered(self) -> None:
        """A probe is known by its sub-protocol, wherever it stands."""
        for value, wanted in (
            (f"hybridconn.stream, {PROBE}", True),
            (PROBE, True),
            ("hybridconn.stream", False),
            (f"x{PROBE}", False),
        ):
            headers = {"Sec-WebSocket-Protocol": value}
            accept = Accept("wss://r/", "id", headers, "192.0.2.1", 1)
            self.assertEqual(offers_probe(accept), wanted, value)


class PortTests(SynchronousTestCase):
    """What a sender tells of its mode."""

    def test_round_trip(self) -> None:
        """What is written is read again; anything else is an error, nothing is none."""
        for port in (
            WantedPort(),
            WantedPort("sql"),
            WantedPort("raw", True),
            WantedPort("d ns/%\u00fc"),
        ):
            self.assertEqual(wanted_port(accept({PORT_HEADER: str(port)})), port)
        self.assertIsNone(wanted_port(accept({})))
        for text in ("", "RAW", "sctp:x"):
            with self.assertRaises(ProbeError):
                wanted_port(accept({PORT_HEADER: text}))


def accept(headers: dict[str, str]) -> Accept:
    """A sender with these fields."""
    return Accept("wss://relay.test/", "id", headers, "192.0.2.1", 1)
