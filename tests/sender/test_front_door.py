"""Tests of L{hybridconn.sender.front_door} and L{hybridconn.sender.handshakes}."""

from __future__ import annotations

from hybridconn.sender.forward import LocalForward
from hybridconn.sender.front_door import DoorFactory
from hybridconn.sender.handshakes import ConnectHandshake, SocksHandshake
from hybridconn.sender.redirected import Redirected, Way
from hybridconn.testing import one_protocol
from tests.sender.scene import SenderTestCase
from tests.testing.recording import Recorder

GREETING = b"\5\2\2\0"
TO_DB = b"\5\1\0\3\7db.corp\x05\x99"
CONNECT = b"CONNECT db.corp:1433 HTTP/1.1\r\nHost: db.corp:1433\r\n\r\n"


class DoorTestCase(SenderTestCase):
    """Both kinds of proxy, which lead to C{db.corp:1433} only."""

    def setUp(self) -> None:
        super().setUp()
        self.forward = LocalForward(self.connector)
        for port, kind in ((1080, SocksHandshake), (3128, ConnectHandshake)):
            factory = DoorFactory(kind, self.find, self.clock)
            self.network.listen("proxy", port, factory)

    def find(self, host: str, port: int) -> Way | None:
        wanted = host.lower() in ("db.corp", "127.77.0.9") and port == 1433
        return Way(Redirected("hyco", self.forward)) if wanted else None

    def dial(self, port: int, *pieces: bytes) -> Recorder:
        app = Recorder()
        endpoint = self.network.client_endpoint("proxy", port)
        endpoint.connect(one_protocol(app))
        self.network.flush()
        for piece in pieces:
            app.wire.write(piece)
            self.network.flush()
        return app


class SocksTests(DoorTestCase):
    """SOCKS5."""

    def test_tunnel(self) -> None:
        """Byte by byte: told yes when there is a tunnel, then the tunnel's bytes."""
        self.listen()
        app = self.dial(1080, *(bytes([one]) for one in GREETING + TO_DB))
        self.assertEqual(app.data, b"\5\0")
        far = self.accept()
        self.network.flush()
        self.assertEqual(app.data, b"\5\0\5\0\0\1" + bytes(6))
        app.wire.write(b"hello")
        self.network.flush()
        self.assertEqual(b"".join(bytes(m) for m in far.messages), b"hello")  # type: ignore[arg-type]

    def test_early_bytes(self) -> None:
        """What came behind the request is not lost."""
        self.listen()
        self.dial(1080, GREETING + TO_DB + b"early")
        far = self.accept()
        self.network.flush()
        self.assertEqual(b"".join(bytes(m) for m in far.messages), b"early")  # type: ignore[arg-type]

    def test_refused(self) -> None:
        """Told no, each time with the code for why, and closed."""
        addressed = b"\5\1\0\1\x7f\x4d\0\x09\x05\x99"
        for sent, told in (
            (GREETING + TO_DB, b"\5\0\5\5"),
            (GREETING + addressed, b"\5\0\5\5"),
            (GREETING + TO_DB.replace(b"db", b"no"), b"\5\0\5\2"),
            (GREETING + b"\5\1\0\1\x0a\0\0\1\x05\x99", b"\5\0\5\2"),
            (GREETING + b"\5\1\0\4" + bytes(18), b"\5\0\5\2"),
            (GREETING + b"\5\2" + TO_DB[2:], b"\5\7"),
            (GREETING + b"\5\1\0\2" + TO_DB[4:], b"\5\10"),
            (b"\5\1\2", b"\5\xff"),
            (b"\4\1", b""),
            (b"GET / HTTP/1.1", b""),
        ):
            app = self.dial(1080, sent)
            self.network.advance(1)
            self.assertTrue(app.data.startswith(told), (sent, app.data))
            self.assertEqual(app.events[-1], "lost", sent)
        self.assertLogged("front door: 192.0.2.1:", "it speaks SOCKS 4")

    def test_silent(self) -> None:
        """Who says nothing is not waited for."""
        app = self.dial(1080, GREETING)
        self.network.advance(16)
        self.assertEqual(app.events[-1], "lost")


class ConnectTests(DoorTestCase):
    """CONNECT of HTTP."""

    def test_tunnel(self) -> None:
        """200 when there is a tunnel."""
        self.listen()
        app = self.dial(3128, CONNECT[:9], CONNECT[9:])
        self.assertEqual(app.data, b"")
        self.accept()
        self.network.flush()
        self.assertEqual(app.data, b"HTTP/1.1 200 Connection established\r\n\r\n")

    def test_refused(self) -> None:
        """Why not is in the status and in words."""
        for sent, *told in (
            (CONNECT, b"502 ", b"There are no listeners connected"),
            (CONNECT.replace(b"db", b"no"), b"403 ", b"redirected names only"),
            (CONNECT.replace(b":1433", b""), b"400 ", b"host:port"),
            (CONNECT.replace(b"CONNECT", b"GET"), b"405 ", b"Allow: CONNECT"),
            (b"\x16\x03\x01\r\n\r\n", b"400 "),
            (b"CONNECT " + b"x" * 20000, b"431 "),
        ):
            app = self.dial(3128, sent)
            self.network.advance(1)
            for word in told:
                self.assertIn(word, app.data)
            self.assertEqual(app.events[-1], "lost", sent[:20])
