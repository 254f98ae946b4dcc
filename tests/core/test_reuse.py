"""Tests for L{hybridconn.core.reuse}."""

from __future__ import annotations

import contextlib
import json

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.core.reuse import (
    REUSE,
    SPARE,
    STREAM,
    TARGET,
    TARGET_REUSE,
    TARGET_SPARE,
    End,
    Message,
    Open,
    Opened,
    Opening,
    Refused,
    ReuseError,
    choose_kind,
    encode,
    heeds_targets,
    parse,
)


class MessageTests(SynchronousTestCase):
    """What our sender and our listener say to each other."""

    def test_there_and_back(self) -> None:
        """What is written can be read."""
        messages: tuple[Message, ...] = (
            Open("x", "db.corp:1433"),
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
        self.assertEqual(
            json.loads(encode(Open("x", "a.corp:1"))),
            {"open": {"id": "x", "target": "a.corp:1"}},
        )
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
            b'{"open": {"id": "x", "target": ""}}',
            b'{"open": {"id": "x", "target": 1}}',
            b'{"open": {"id": "x", "target": "' + b"x" * 260 + b'"}}',
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


class KindTests(SynchronousTestCase):
    """What is agreed on by sub-protocols."""

    def chosen(self, *offers: str, reuse: bool = True, targeted: bool = True) -> str:
        kind = choose_kind(", ".join(offers), reuse, targeted)
        return kind.name if kind is not None else ""

    def test_plain(self) -> None:
        """A sender that wants nothing has the tunnels that there always were."""
        for targeted in (True, False):
            for kind in (REUSE, SPARE):
                self.assertEqual(self.chosen(STREAM, kind, targeted=targeted), kind)
        self.assertEqual(self.chosen(STREAM, REUSE, reuse=False), "")
        self.assertEqual(self.chosen("mqtt"), "")
        self.assertEqual(self.chosen(), "")

    def test_targeted(self) -> None:
        """A listener that heeds targets says so, with reuse or without."""
        offers = (STREAM, TARGET, TARGET_REUSE)
        self.assertEqual(self.chosen(*offers), TARGET_REUSE)
        self.assertEqual(self.chosen(*offers, reuse=False), TARGET)
        self.assertEqual(self.chosen(STREAM, TARGET_SPARE), TARGET_SPARE)
        self.assertEqual(self.chosen(STREAM, TARGET_SPARE, reuse=False), "")

    def test_unheeded(self) -> None:
        """One that does not never takes a kind that says so."""
        offers = (STREAM, TARGET, TARGET_REUSE, TARGET_SPARE)
        self.assertEqual(self.chosen(*offers, targeted=False), "")

    def test_told_apart(self) -> None:
        """The sender knows by the name."""
        for name in (TARGET, TARGET_REUSE, TARGET_SPARE):
            self.assertTrue(heeds_targets(name))
        for other in (STREAM, REUSE, SPARE, "mqtt", None):
            self.assertFalse(heeds_targets(other))
