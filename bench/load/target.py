"""
The target: what a connection's first byte asks for is done with the rest.

    e       echo
    s N     take N bytes (8 of them say how many), then answer with one
    g N     give N bytes
    z       read nothing more

Bulk is handed to a process of its own for each connection, so that an echo beside
it is held up by the tunnels only.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import struct

from bench.load.events import Settings, say

LOOPBACK = "127.0.0.1"
PIECE = 256 * 1024


class Echo:
    """One connection that is echoed, with what its peer has not taken yet."""

    __slots__ = ("ended", "pending", "sock")

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.pending = b""
        self.ended = False


def read_exactly(sock: socket.socket, count: int) -> bytes:
    """
    @raise EOFError: if the connection ends before.
    """
    got = bytearray()
    while len(got) < count:
        piece = sock.recv(count - len(got))
        if not piece:
            raise EOFError("the connection ended early")
        got += piece
    return bytes(got)


def take(sock: socket.socket) -> None:
    """Swallow as many bytes as the peer said, then answer."""
    (left,) = struct.unpack("!Q", read_exactly(sock, 8))
    room = bytearray(PIECE)
    while left > 0:
        got = sock.recv_into(room, min(left, PIECE))
        if not got:
            return
        left -= got
    sock.sendall(b".")
    # The peer closes first: what it was told must not be lost to a reset.
    sock.recv(1)


def give(sock: socket.socket) -> None:
    """Send as many bytes as the peer said."""
    (left,) = struct.unpack("!Q", read_exactly(sock, 8))
    piece = memoryview(bytes(PIECE))
    while left > 0:
        left -= sock.send(piece[: min(left, PIECE)])
    sock.recv(1)


def serve(settings: Settings) -> None:
    """Serve until ended."""
    # Nobody waits for the processes that bulk is handed to.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listening = socket.create_server((LOOPBACK, 0), backlog=1024)
    listening.setblocking(False)
    selector = selectors.DefaultSelector()
    selector.register(listening, selectors.EVENT_READ)
    stalled: list[socket.socket] = []
    say("ready", port=listening.getsockname()[1])

    def forget(sock: socket.socket) -> None:
        selector.unregister(sock)
        sock.close()

    def begin(sock: socket.socket) -> None:
        try:
            wanted = sock.recv(1)
        except BlockingIOError:
            return
        except OSError:
            wanted = b""
        if wanted == b"e":
            connection = Echo(sock)
            selector.modify(sock, selectors.EVENT_READ, connection)
            echo(connection, selectors.EVENT_READ)
        elif wanted == b"z":
            selector.unregister(sock)
            stalled.append(sock)
        elif wanted in (b"s", b"g"):
            if os.fork() == 0:
                work(listening, sock, take if wanted == b"s" else give)
            forget(sock)
        else:
            forget(sock)

    def echo(one: Echo, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE:
                one.pending = one.pending[one.sock.send(one.pending) :]
                if one.pending:
                    return
                selector.modify(one.sock, selectors.EVENT_READ, one)
            got = one.sock.recv(65536)
            if not got:
                forget(one.sock)
                return
            sent = 0
            with contextlib.suppress(BlockingIOError):
                sent = one.sock.send(got)
            if sent < len(got):
                one.pending = got[sent:]
                selector.modify(one.sock, selectors.EVENT_WRITE, one)
        except BlockingIOError:
            return
        except OSError:
            forget(one.sock)

    while True:
        for key, mask in selector.select():
            if key.fileobj is listening:
                with contextlib.suppress(BlockingIOError):
                    while True:
                        sock, _ = listening.accept()
                        sock.setblocking(False)
                        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        selector.register(sock, selectors.EVENT_READ)
            elif isinstance(key.data, Echo):
                echo(key.data, mask)
            else:
                assert isinstance(key.fileobj, socket.socket)
                begin(key.fileobj)


def work(listening: socket.socket, sock: socket.socket, what: object) -> None:
    """In a process of its own, which ends with it."""
    status = 1
    try:
        listening.close()
        sock.setblocking(True)
        # Nothing that hangs outlives its measurement by much.
        sock.settimeout(120)
        if callable(what):
            what(sock)
        status = 0
    except (OSError, EOFError):
        pass
    finally:
        os._exit(status)
