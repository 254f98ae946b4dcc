"""Bytes through sender, relay and listener, to a TCP target and back."""

from __future__ import annotations

import hashlib
import os
import socket
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from tests.integration.case import IntegrationTestCase, share
from tests.integration.stage import PLAIN, STOCK, Stage
from tests.integration.targets import (
    Target,
    blob,
    digest,
    echo,
    make_reset,
    pieces,
    read_all,
    read_exactly,
    reset,
)

MIB = 1024 * 1024
# reliability-security F10 asks for 200 times; that takes minutes.
HALF_CLOSES = int(os.environ.get("HALF_CLOSES", "20"))


def greet(connection: socket.socket) -> None:
    """Send 10 MiB and the FIN at once, then answer with the digest of the rest."""
    connection.sendall(blob(10 * MIB))
    connection.shutdown(socket.SHUT_WR)
    total = hashlib.sha256()
    for piece in pieces(connection):
        total.update(piece)
    digests.append(total.hexdigest())
    heard.release()


digests: list[str] = []
heard = threading.Semaphore(0)


def pour(connection: socket.socket) -> None:
    """Wait for a number of bytes, as text in one line, and send that many."""
    line = b""
    while not line.endswith(b"\n"):
        line += connection.recv(1)
    connection.sendall(blob(int(line)))


class _Parts:
    """A stage that all tests here share."""

    def __init__(self, paths: Mapping[str, object]) -> None:
        serves = {
            "echo": echo,
            "digest": digest,
            "greet": greet,
            "pour": pour,
            "reset": reset,
        }
        self.targets = {name: Target(serve) for name, serve in serves.items()}
        self.stage = share(Stage(serves, paths=paths))
        self.stage.start_relay()
        self.stage.start_listener({n: t.port for n, t in self.targets.items()})
        self.ports = self.stage.start_sender(*serves)


_parts: dict[str, _Parts] = {}


class TransferTests(IntegrationTestCase):
    """What goes in comes out: all of it, in order, and its end as well."""

    paths: ClassVar[Mapping[str, object]] = {}

    def setUp(self) -> None:
        super().setUp()
        name = type(self).__name__
        if name not in _parts:
            _parts[name] = _Parts(self.paths)
        self.parts = _parts[name]
        self.stage = self.use(self.parts.stage)

    def dial(self, entity: str) -> socket.socket:
        connection = self.stage.dial(self.parts.ports[entity])
        self.addCleanup(connection.close)
        return connection

    def test_upload(self) -> None:
        """100 MiB to the target arrive unchanged, and its answer after our FIN."""
        sent = blob(100 * MIB)
        connection = self.dial("digest")
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        self.assertEqual(read_all(connection), hashlib.sha256(sent).digest())

    def test_download(self) -> None:
        """100 MiB from the target arrive unchanged."""
        connection = self.dial("pour")
        connection.sendall(b"%d\n" % (100 * MIB))
        total = hashlib.sha256()
        for piece in pieces(connection):
            total.update(piece)
        self.assertEqual(total.digest(), hashlib.sha256(blob(100 * MIB)).digest())

    def test_both_ways_at_once(self) -> None:
        """20 MiB each way at once through one tunnel arrive unchanged."""
        connection = self.dial("echo")
        sent = blob(20 * MIB)

        def write() -> None:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=write)
        writer.start()
        got = read_all(connection)
        writer.join()
        self.assertEqual(
            hashlib.sha256(got).hexdigest(), hashlib.sha256(sent).hexdigest()
        )

    def test_half_close_by_client(self) -> None:
        """10 MiB and FIN from the client, many times: all of it is answered."""
        sent = blob(10 * MIB)
        for _ in range(HALF_CLOSES):
            connection = self.dial("digest")
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(connection), hashlib.sha256(sent).digest())
            connection.close()

    def test_half_close_by_target(self) -> None:
        """10 MiB and FIN from the target; what the client says later arrives too."""
        first, later = blob(10 * MIB), blob(MIB, b"later")
        for _ in range(HALF_CLOSES):
            connection = self.dial("greet")
            self.assertEqual(
                hashlib.sha256(read_all(connection)).digest(),
                hashlib.sha256(first).digest(),
            )
            connection.sendall(later)
            connection.shutdown(socket.SHUT_WR)
            self.assertTrue(heard.acquire(timeout=30))
            self.assertEqual(digests.pop(), hashlib.sha256(later).hexdigest())
            connection.close()

    def test_target_resets(self) -> None:
        """A target's RST reaches the client as RST, not as an orderly end."""
        connection = self.dial("reset")
        connection.sendall(b"x")
        with self.assertRaises(ConnectionResetError):
            connection.recv(1)

    def test_client_resets(self) -> None:
        """A client's RST reaches the target as a broken connection."""
        target = self.parts.targets["digest"]
        before, seen = len(target.mistakes), target.seen
        connection = self.dial("digest")
        connection.sendall(b"x")
        # A reset before there is a tunnel reaches nobody.
        self.wait_until("the target to be reached", lambda: target.seen > seen)
        make_reset(connection)
        connection.close()
        self.wait_until("the target to see it", lambda: len(target.mistakes) > before)

    def test_many_at_once(self) -> None:
        """200 tunnels at once each carry their own bytes, and leave nothing."""
        relay = self.stage.relay
        port = self.stage.start_sender("echo", name="plain", spares=PLAIN)["echo"]
        before = relay.sockets()
        connections = [self.stage.dial(port) for _ in range(200)]

        def talk(number: int) -> bool:
            connection = connections[number]
            sent = blob(100_000, b"%d" % number)
            connection.sendall(sent)
            return read_exactly(connection, len(sent)) == sent

        with ThreadPoolExecutor(50) as pool:
            results = list(pool.map(talk, range(200)))
            self.assertEqual(results.count(True), 200)
            # All 200 are open still: two connections at the relay for each.
            self.assertGreaterEqual(relay.sockets(), before + 400)
        for connection in connections:
            connection.close()
        self.stage.wait_sockets_back(relay, before)


class StockTransferTests(TransferTests):
    """The same with Autobahn's frames and Twisted's TLS."""

    paths = STOCK
