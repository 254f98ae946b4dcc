"""Tests of L{hybridconn.wayout.blocking}, over sockets of this machine."""

from __future__ import annotations

import socket
import threading

from twisted.trial.unittest import SynchronousTestCase

from hybridconn.wayout.blocking import dial
from hybridconn.wayout.errors import ProxyError
from hybridconn.wayout.proxy import Proxy
from hybridconn.wayout.way import WayOut


class DialTests(SynchronousTestCase):
    """Connecting by a proxy, or not."""

    def peer(self, *answers: bytes) -> int:
        """A port where one connection is answered so, message by message."""
        door = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(door.close)
        self.heard: list[bytes] = []

        def serve() -> None:
            connection, _ = door.accept()
            with connection:
                for answer in answers:
                    self.heard.append(connection.recv(4096))
                    connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        self.addCleanup(thread.join, 10)
        return int(door.getsockname()[1])

    def way(self, port: int, scheme: str = "http") -> WayOut:
        return WayOut(proxy=Proxy(scheme, "127.0.0.1", port))  # type: ignore[arg-type]

    def test_direct(self) -> None:
        """Without a proxy it is a plain connection."""
        with dial(WayOut(), "127.0.0.1", self.peer(b"hello"), 10) as connection:
            connection.sendall(b"x")
            self.assertEqual(connection.recv(5), b"hello")

    def test_http(self) -> None:
        """An HTTP proxy is asked first."""
        way = self.way(self.peer(b"HTTP/1.1 200 OK\r\n\r\n", b"hello"))
        with dial(way, "relay.example", 443, 10) as connection:
            connection.sendall(b"x")
            self.assertEqual(connection.recv(5), b"hello")
        self.assertTrue(self.heard[0].startswith(b"CONNECT relay.example:443 "))

    def test_socks(self) -> None:
        """A SOCKS5 proxy too."""
        opened = b"\x05\x00\x00\x01" + bytes(6)
        way = self.way(self.peer(b"\x05\x00", opened, b"hello"), "socks5")
        with dial(way, "relay.example", 443, 10) as connection:
            connection.sendall(b"x")
            self.assertEqual(connection.recv(5), b"hello")

    def test_trouble(self) -> None:
        """What goes wrong names the proxy."""
        for answers, words in (
            ([b"HTTP/1.1 403 No\r\n\r\n"], "refused CONNECT relay.example:443: 403 No"),
            ([], "broke off|closed the connection"),
        ):
            way = self.way(self.peer(*answers))
            error = self.assertRaises(ProxyError, dial, way, "relay.example", 443, 10)
            self.assertRegex(str(error), words)
        with socket.create_server(("127.0.0.1", 0)) as door:
            port = int(door.getsockname()[1])
        for scheme, words in (
            ("http", "cannot be reached: Connection refused"),
            ("https", "wants TLS of its own"),
        ):
            error = self.assertRaises(
                ProxyError, dial, self.way(port, scheme), "relay.example", 443, 10
            )
            self.assertIn(words, str(error))
