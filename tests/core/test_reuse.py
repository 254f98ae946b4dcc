"""Tests for L{hybridconn.core.reuse}."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.reuse import (
    End,
    Message,
    Open,
    Opened,
    Opening,
    Refused,
    ReuseError,
    encode,
    parse,
)


class MessageTests(SynchronousTestCase):
    """What our sender and our listener say to each other."""

    def test_there_and_back(self) -> None:
        """What is written can be read."""
        messages: tuple[Message, ...] = (
            Open("5f7a9be6-0c7e-4b06-9b0b-0d5d4f3f0a11_G0"),
            Opening(),
            Opened(),
            Refused(502, "target db.corp:1433 refused the connection"),
            End(),
        )
        for message in messages:
            self.assertEqual(parse(encode(message)), message)

    def test_on_the_wire(self) -> None:
        """Each is an object with one member."""
        self.assertEqual(json.loads(encode(Open("x"))), {"open": {"id": "x"}})
        self.assertEqual(json.loads(encode(End())), {"end": {}})
        self.assertEqual(
            json.loads(encode(Refused(502, "no"))),
            {"refused": {"status": 502, "reason": "no"}},
        )

    def test_bad(self) -> None:
        """Anything else is an error that repeats nothing of it."""
        for text in (
            b"",
            b"\xff",
            b"secret",
            b"[]",
            b"{}",
            b'{"end": {}, "opened": {}}',
            b'{"end": []}',
            b'{"end": {"secret": 1}}',
            b'{"open": {}}',
            b'{"open": {"id": 1}}',
            b'{"open": {"id": "a\\nb"}}',
            b'{"open": {"id": "' + b"x" * 129 + b'"}}',
            b'{"open": {"id": "x", "secret": 1}}',
            b'{"refused": {"status": 200, "reason": ""}}',
            b'{"refused": {"status": true, "reason": ""}}',
            b'{"refused": {"status": 502, "reason": "\xc3\xa9"}}',
            b'{"secret": {}}',
            b"[" * 4000,
        ):
            error = self.assertRaises(ReuseError, parse, text)
            self.assertNotIn("secret", str(error))

    @given(st.binary(max_size=100))
    def test_noise(self, text: bytes) -> None:
        """No bytes do anything else than that."""
        with contextlib.suppress(ReuseError):
            parse(text)
