"""TLS for clients with several threads."""

from __future__ import annotations

import select
import socket
import ssl
import threading
from contextlib import suppress

_PIECE = 262_144
# How much may wait for a peer that does not read.
_ROOM = 1_048_576


def plain_end(secured: ssl.SSLSocket) -> socket.socket:
    """
    A plain socket that stands for C{secured}.

    Before 3.13 Python does not guard a TLS connection against one thread reading
    while another writes: now and then bytes were lost.  Here one thread alone
    touches it.
    """
    near, far = socket.socketpair()
    threading.Thread(target=_pump, args=(secured, far), daemon=True).start()
    return near


def _pump(secured: ssl.SSLSocket, plain: socket.socket) -> None:
    with secured, plain, suppress(OSError):
        secured.setblocking(False)
        plain.setblocking(False)
        inward, outward = bytearray(), bytearray()
        while True:
            readers: list[socket.socket] = []
            writers: list[socket.socket] = []
            if len(inward) < _ROOM:
                readers.append(secured)
            if len(outward) < _ROOM:
                readers.append(plain)
            if inward:
                writers.append(plain)
            if outward:
                writers.append(secured)
            # What TLS has taken in and not given out, select() does not see.
            wait = 0 if len(inward) < _ROOM and secured.pending() else None
            select.select(readers, writers, (), wait)
            ended = _read(secured, inward) or _read(plain, outward)
            _write(plain, inward)
            _write(secured, outward)
            if ended:
                _flush(plain, inward)
                _flush(secured, outward)
                return


def _read(source: socket.socket, buffer: bytearray) -> bool:
    """Take what is there; whether that is the end."""
    if len(buffer) >= _ROOM:
        return False
    try:
        piece = source.recv(_PIECE)
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return False
    except OSError:
        return True
    buffer += piece
    return not piece


def _write(sink: socket.socket, buffer: bytearray) -> None:
    if not buffer:
        return
    try:
        # A copy: TLS wants the same bytes again when it could not write them.
        sent = sink.send(bytes(buffer[:_PIECE]))
    except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
        return
    del buffer[:sent]


def _flush(sink: socket.socket, buffer: bytearray) -> None:
    """Write the rest at the end."""
    if buffer:
        sink.settimeout(10)
        with suppress(OSError):
            sink.sendall(bytes(buffer))
