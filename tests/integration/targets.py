"""Small TCP servers in threads: what the listener joins its tunnels to."""

from __future__ import annotations

import hashlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress

PIECE = 262_144


class Target:
    """
    Listens on a port of 127.0.0.1 and runs C{serve} in a thread for each
    connection, which is closed afterwards.

    @ivar seen: how many connections have come.
    @ivar open: how many of them are still served.
    @ivar mistakes: what C{serve} raised.
    """

    def __init__(self, serve: Callable[[socket.socket], None]) -> None:
        self._serve = serve
        self._door = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port: int = self._door.getsockname()[1]
        self.seen = 0
        self.open = 0
        self.mistakes: list[Exception] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._door.accept()
            except OSError:
                return
            with self._lock:
                self.seen += 1
                self.open += 1
            threading.Thread(target=self._run, args=(connection,), daemon=True).start()

    def _run(self, connection: socket.socket) -> None:
        with connection:
            connection.settimeout(120)
            try:
                self._serve(connection)
            except OSError as problem:
                self.mistakes.append(problem)
        with self._lock:
            self.open -= 1

    def close(self) -> None:
        """Listen no more; connections go on."""
        # Closing alone would not wake the thread that waits in accept().
        with suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()


def pieces(connection: socket.socket) -> Iterator[bytes]:
    """What arrives, until the peer ends its half."""
    while piece := connection.recv(PIECE):
        yield piece


def echo(connection: socket.socket) -> None:
    """Send everything back, then end."""
    for piece in pieces(connection):
        connection.sendall(piece)


def digest(connection: socket.socket) -> None:
    """Read to the end of the peer's half, then answer with its SHA-256."""
    total = hashlib.sha256()
    for piece in pieces(connection):
        total.update(piece)
    connection.sendall(total.digest())


def sink(connection: socket.socket) -> None:
    """Read and forget."""
    for _ in pieces(connection):
        pass


def reset(connection: socket.socket) -> None:
    """Read once, then reset the connection."""
    connection.recv(1)
    make_reset(connection)


def make_reset(connection: socket.socket) -> None:
    """Have the next close() send RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def blob(size: int, seed: bytes = b"hybridconn") -> bytes:
    """Bytes that repeat late and are the same each time."""
    block = b"".join(
        hashlib.sha256(seed + number.to_bytes(4, "big")).digest()
        for number in range(2039)
    )
    return (block * (size // len(block) + 1))[:size]


def read_all(connection: socket.socket) -> bytes:
    """Everything up to the end of the peer's half."""
    return b"".join(pieces(connection))


def read_exactly(connection: socket.socket, size: int) -> bytes:
    """That many bytes; fewer only if the peer ended its half before."""
    parts = []
    while size and (piece := connection.recv(min(size, PIECE))):
        parts.append(piece)
        size -= len(piece)
    return b"".join(parts)
