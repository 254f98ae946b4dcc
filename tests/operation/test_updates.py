"""Tests of L{hybridconn.operation.updates}, over a network in memory."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.protocol import Factory
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from hybridconn.config.listener import load_listener
from hybridconn.config.relay import load_relay
from hybridconn.operation.updates import (
    UpdateError,
    UpdateNotice,
    UpdateSettings,
    newest_version,
)
from hybridconn.operation.version import own_version
from hybridconn.testing.network import MemoryNetwork
from tests.config.case import STRING, ConfigTestCase
from tests.wayout.scene import Scripted

URL = "https://updates.example.net/hybridconn.json"


class VersionTests(SynchronousTestCase):
    """What an answer says."""

    def test_forms(self) -> None:
        """Three forms of JSON; versions for trying out do not count."""
        for body, expected in (
            (b'{"version": "1.2.0"}', "1.2.0"),
            (b'{"info": {"version": "1.10"}, "releases": {}}', "1.10"),
            (b'{"versions": ["1.9", "1.10", "2.0rc1", "odd one", 3]}', "1.10"),
        ):
            self.assertEqual(newest_version(body), expected)

    def test_bad(self) -> None:
        """Anything else is told."""
        for body in (b"", b"<html>", b"[]", b"{}", b'{"version": 1}', b"[" * 100_000):
            self.assertRaises(UpdateError, newest_version, body)

    @given(st.binary())
    def test_anything(self, body: bytes) -> None:
        """There is nothing else than that."""
        with contextlib.suppress(UpdateError):
            newest_version(body)

    def test_running(self) -> None:
        """What runs has a version."""
        self.assertRegex(own_version(), r"^\d")


class NoticeTests(SynchronousTestCase):
    """Looking."""

    def setUp(self) -> None:
        self.network = MemoryNetwork()
        self.peers: list[Scripted] = []
        self.answer: bytes | None = self.ok(b'{"version": "1.3"}')
        self.dialer = self.network.dialer()
        self.notice = UpdateNotice(
            UpdateSettings(URL, 3600.0), self.dialer, self.network.clock, "1.2"
        )
        self.addCleanup(self.stop)

        def build() -> Scripted:
            self.peers.append(Scripted(lambda _: self.answer))
            return self.peers[-1]

        self.network.listen("updates.example.net", 443, Factory.forProtocol(build))

    def stop(self) -> None:
        """Nothing is left."""
        if self.notice.running:
            self.notice.stopService()
        self.network.flush()
        self.assertEqual(self.network.connections, ())
        self.assertEqual(self.network.clock.getDelayedCalls(), [])

    def ok(self, body: bytes, length: int | None = None) -> bytes:
        size = len(body) if length is None else length
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + body

    def look(self, seconds: float = 0.0) -> list[str]:
        """Let time pass; what was logged."""
        with capturedLogs() as events:
            if not self.notice.running:
                self.notice.startService()
            self.network.advance(seconds)
        found = []
        for event in events:
            if event.get("log_namespace", "").startswith("hybridconn.operation"):
                text: Any = event["log_format"]
                found.append(text.format(**event))
        return found

    def test_newer(self) -> None:
        """A newer version is said once, and can be asked for; TLS is asked for."""
        said = ["hybridconn 1.3 is there; this is 1.2"]
        self.assertEqual(self.look(), said)
        self.assertEqual(self.notice.newer, "1.3")
        self.assertEqual(self.dialer.dialled, [("updates.example.net", 443, True)])
        self.assertIn(b"GET /hybridconn.json HTTP/1.1\r\n", self.peers[0].received)
        self.assertEqual(self.look(3600), [])
        self.assertEqual(len(self.peers), 2)
        self.answer = self.ok(b'{"version": "1.4"}')
        self.assertEqual(self.look(3600), ["hybridconn 1.4 is there; this is 1.2"])

    def test_not_newer(self) -> None:
        """The same, or an older one, is no news."""
        for body in (b'{"version": "1.2"}', b'{"version": "1.1.9"}'):
            self.answer = self.ok(body)
            self.assertEqual(self.look(3600), [])
            self.assertIsNone(self.notice.newer)

    def test_trouble(self) -> None:
        """What goes wrong is said, and it looks again; what was known stays."""
        self.look()
        start = f"no word of newer versions from {URL}: "
        for answer, words in (
            (b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n", "it answered 302"),
            (self.ok(b"<html>"), "it answered no JSON"),
            (self.ok(b"{}"), "its JSON names no version"),
            (self.ok(b"x" * (4 * 1024 * 1024 + 1)), "longer than 4 MiB"),
            (None, "the connection was closed without an answer"),
        ):
            self.answer = answer
            (said,) = self.look(3600)
            self.assertTrue(said.startswith(start), said)
            self.assertIn(words, said)
            self.assertEqual(self.notice.newer, "1.3")

    def test_slow(self) -> None:
        """An answer that does not end is given up; nothing waits for it."""
        self.answer = self.ok(b"{", 100)
        self.assertEqual(self.look(29), [])
        (said,) = self.look(2)
        self.assertIn("no answer in time", said)

    def test_stopped(self) -> None:
        """A stop ends it without a word."""
        self.answer = self.ok(b"{", 100)
        self.look(1)
        with capturedLogs() as events:
            self.notice.stopService()
            self.network.flush()
        self.assertEqual(
            [e for e in events if "updates" in str(e.get("log_namespace"))], []
        )


class TableTests(ConfigTestCase):
    """C{[update_notice]}."""

    def setUp(self) -> None:
        super().setUp()
        self.write("db", STRING)
        self.text = '[[hybrid_connection]]\nconnection_string_file = "db"\n'

    def test_values(self) -> None:
        """Off by default; else a URL, how often, and whom to trust."""
        self.certify()
        path = self.write("listener.toml", self.text)
        self.assertEqual(load_listener(path).update_notice, UpdateSettings())
        path = self.write(
            "listener.toml",
            self.text + f'[update_notice]\nurl = "{URL}"\ninterval = 60\n'
            'ca_file = "ca.pem"\n',
        )
        self.assertEqual(
            load_listener(path).update_notice,
            UpdateSettings(URL, 60.0, (str(self.folder / "ca.pem"),)),
        )

    def test_bad(self) -> None:
        """Plain HTTP will not do, nor a password in it; the relay's file is alike."""
        for url in ("http://a/", "https://", "https://u:p@a/", "https://a b", "x"):
            text = f'[update_notice]\nurl = "{url}"\n'
            (line,) = self.mistakes(load_listener, self.text + text)
            self.assertIn("[update_notice] url", line)
            lines = self.mistakes(load_relay, text)
            self.assertTrue(any("[update_notice] url" in one for one in lines))
