"""Frames and messages that are wrong, or too many."""

from __future__ import annotations

import struct
import threading
import time

from tests.integration.hostile import HostileCase
from tests.integration.peers import Listener, echo
from tests.integration.rawsocket import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    RawWebSocket,
)
from tests.integration.stage import LISTEN, SEND


class FrameTests(HostileCase):
    """Frames that RFC 6455 forbids, after a good handshake (T17)."""

    def open(self) -> RawWebSocket:
        url, token = self.stage.url("echo"), self.stage.token("echo", SEND)
        tunnel = RawWebSocket(self.stage, url, token, seconds=15).handshake()
        self.assertEqual(tunnel.answer.status, 101)
        self.addCleanup(tunnel.close)
        return tunnel

    def assertEnded(self, tunnel: RawWebSocket, code: int, what: str) -> None:
        """The relay closes with C{code}, and then the connection."""
        codes = []
        try:
            while True:
                frame = tunnel.receive()
                if frame.opcode == CLOSE:
                    codes.append(frame.code)
        except (EOFError, ConnectionError):
            pass
        self.assertEqual(codes, [code], what)

    def test_forbidden(self) -> None:
        """Each breach ends the tunnel with 1002."""
        close = struct.pack("!H", 1000)
        breaches = {
            "not masked": [(TEXT, b"x", True, b"", 0)],
            "reserved bit": [(TEXT, b"x", True, bytes(4), 4)],
            "opcode 3": [(0x3, b"x", True, bytes(4), 0)],
            "opcode 11": [(0xB, b"x", True, bytes(4), 0)],
            "continuation of nothing": [(CONTINUATION, b"x", True, bytes(4), 0)],
            "message in a message": [
                (TEXT, b"x", False, bytes(4), 0),
                (TEXT, b"y", True, bytes(4), 0),
            ],
            "fragmented ping": [(PING, b"x", False, bytes(4), 0)],
            "long ping": [(PING, bytes(126), True, bytes(4), 0)],
            "close of one byte": [(CLOSE, b"x", True, bytes(4), 0)],
            "close 1005": [(CLOSE, struct.pack("!H", 1005), True, bytes(4), 0)],
            "close 999": [(CLOSE, struct.pack("!H", 999), True, bytes(4), 0)],
        }
        for name, frames in breaches.items():
            tunnel = self.open()
            for opcode, payload, final, mask, rsv in frames:
                tunnel.send(opcode, payload, final, mask, rsv)
            self.assertEnded(tunnel, 1002, name)
        tunnel = self.open()
        tunnel.send(CLOSE, close)
        self.assertEnded(tunnel, 1000, "an honest close")
        self.assertServes()

    def test_ping_flood(self) -> None:
        """Far more control frames than the limit end the tunnel with 1008."""
        tunnel = self.open()
        try:
            for _ in range(1000):
                tunnel.send(PING, b"x")
        except OSError:
            pass
        self.assertEnded(tunnel, 1008, "flood")
        self.assertServes()

    def test_some_pings(self) -> None:
        """Pings are answered by the relay itself, with their payload."""
        tunnel = self.open()
        for number in range(5):
            tunnel.send(PING, b"%d" % number)
        for number in range(5):
            frame = tunnel.receive()
            self.assertEqual((frame.opcode, frame.payload), (PONG, b"%d" % number))

    def test_control_channel(self) -> None:
        """Nonsense on a control channel does not end it; too much does."""
        url, token = self.stage.url("echo", "listen"), self.stage.token("echo", LISTEN)
        channel = RawWebSocket(self.stage, url, token, seconds=15).handshake()
        self.assertEqual(channel.answer.status, 101)
        deep = b"[" * 30_000
        for text in (b"", b"nonsense", b"{}", b'{"unknown":{}}', b"[1]", deep, b"null"):
            channel.send(TEXT, text)
        channel.send(BINARY, b"stray")
        channel.send(PING, b"alive?")
        frame = channel.receive()
        self.assertEqual((frame.opcode, frame.payload), (PONG, b"alive?"))
        channel.send(TEXT, b'{"renewToken":{"token":17}}')
        self.assertEnded(channel, 1008, "wrong type in renewToken")
        channel = RawWebSocket(self.stage, url, token, seconds=15).handshake()
        channel.send(TEXT, b" " * 70_000)
        self.assertEnded(channel, 1009, "too long a command")
        self.assertServes()

    def test_many_small_frames(self) -> None:
        """66 560 frames of one byte come through in 10 s (section 13.9)."""
        tunnel = self.open()
        tunnel.use_threads()
        one = bytes([0x82, 0x81, 0, 0, 0, 0]) + b"x"
        writer = threading.Thread(
            target=tunnel.connection.sendall, args=(one * 66_560,), daemon=True
        )
        began = time.monotonic()
        writer.start()
        count = 0
        while count < 66_560:
            frame = tunnel.receive()
            self.assertEqual((frame.opcode, frame.payload), (BINARY, b"x"))
            count += 1
        print(f"\nfigure: 66 560 messages of 1 byte: {time.monotonic() - began:.1f} s")

    def test_abnormal_loss(self) -> None:
        """A sender that vanishes is seen by the listener as 1006, not as an end."""
        self.listener.close()
        self.assertTrue(self.listener.ended.wait(10))
        self.listener = listener = Listener(self.stage, "echo")
        self.addCleanup(listener.close)
        url, token = self.stage.url("echo"), self.stage.token("echo", SEND)
        sender = RawWebSocket(self.stage, url, token)
        tunnel = RawWebSocket(self.stage, listener.next()["address"]).handshake()
        sender.handshake().send(BINARY, b"last words")
        sender.close()
        self.assertEqual(tunnel.receive().payload, b"last words")
        with self.assertRaises((EOFError, ConnectionError)):
            tunnel.receive()
        self.listener = Listener(self.stage, "echo", echo)
        listener.close()
        self.assertTrue(listener.ended.wait(10))
        self.assertServes()
