"""What an app does with a tunnel's local port."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
import threading
import time
from collections.abc import Callable

from bench.load.events import Settings, say, wait_for_go
from bench.load.target import LOOPBACK, PIECE, read_exactly
from bench.stats import percentile


def dial(port: int, host: str = LOOPBACK, seconds: float = 60.0) -> socket.socket:
    """Connect to a local port."""
    sock = socket.create_connection((host, port), timeout=seconds)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def hang_up(sock: socket.socket) -> None:
    """End a connection in order, so that what carried it may be used again."""
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(5)
        while sock.recv(65536):
            pass
    sock.close()


def bulk(settings: Settings) -> None:
    """
    C{bytes} one C{way}, "up" to the target or "down" from it; with C{seconds}
    instead, as much as goes in that time (upwards only).
    """
    sock = dial(settings["port"])
    limit = settings.get("seconds")
    total = 1 << 50 if limit else settings["bytes"]
    up = settings["way"] == "up"
    sock.sendall((b"s" if up else b"g") + struct.pack("!Q", total))
    if not up:
        # The target begins at once: the first bytes say that the tunnel is up.
        first = len(sock.recv(PIECE))
    say("ready")
    wait_for_go()
    began = time.monotonic()
    moved = 0
    if up:
        piece = memoryview(bytes(PIECE))
        while moved < total:
            moved += sock.send(piece[: min(PIECE, total - moved)])
            if limit and time.monotonic() - began > limit:
                break
        else:
            read_exactly(sock, 1)
    else:
        room = bytearray(PIECE)
        moved = first
        while moved < total:
            got = sock.recv_into(room)
            if not got:
                raise EOFError(f"the tunnel ended after {moved} of {total} bytes")
            moved += got
    say("done", bytes=moved, seconds=time.monotonic() - began)
    sock.close()


def check(settings: Settings) -> None:
    """Random bytes there and back, compared."""
    sent = os.urandom(settings["bytes"])
    sock = dial(settings["port"])
    sock.sendall(b"e")
    pump = threading.Thread(target=sock.sendall, args=(sent,), daemon=True)
    pump.start()
    got = read_exactly(sock, len(sent))
    if got != sent:
        raise ValueError("bytes came back changed")
    hang_up(sock)
    say("done")


def echo(settings: Settings) -> None:
    """
    C{bytes} there and back, C{count} times or until C{seconds} are over, with
    C{pause} seconds between.
    """
    sock = dial(settings["port"])
    payload = bytes(settings["bytes"])
    pause = settings["pause"]
    sock.sendall(b"e" + payload)
    read_exactly(sock, len(payload))
    say("ready")
    wait_for_go()
    took: list[float] = []
    deadline = time.monotonic() + settings["seconds"]
    while len(took) < settings["count"] and time.monotonic() < deadline:
        began = time.perf_counter()
        sock.sendall(payload)
        read_exactly(sock, len(payload))
        took.append(time.perf_counter() - began)
        if pause:
            time.sleep(pause)
    say("done", **summary(took))
    sock.close()


def connect(settings: Settings) -> None:
    """A new connection and one byte echoed, C{count} times, one after the other."""
    port = settings["port"]
    connections(settings, lambda: greeted(dial(port)))


def connections(settings: Settings, opened: Callable[[], socket.socket]) -> None:
    """The same in any way to open one; what C{opened} takes is measured."""
    hang_up(opened())
    say("ready")
    wait_for_go()
    took: list[float] = []
    deadline = time.monotonic() + settings["seconds"]
    while len(took) < settings["count"] and time.monotonic() < deadline:
        began = time.perf_counter()
        sock = opened()
        took.append(time.perf_counter() - began)
        hang_up(sock)
    say("done", **summary(took))


def greeted(sock: socket.socket) -> socket.socket:
    """A new connection, through which one byte went and came back."""
    sock.sendall(b"e1")
    read_exactly(sock, 1)
    return sock


def summary(took: list[float]) -> dict[str, float]:
    """What to tell of many seconds."""
    return {
        "count": len(took),
        "p50": percentile(took, 50),
        "p99": percentile(took, 99),
        "max": max(took),
    }


class Opener:
    """
    Opens connections, some at once, and has one byte echoed on each.

    @ivar kept: those that are open, if they are kept.
    @ivar opened: how many there were in all.
    """

    def __init__(self, port: int, at_once: int, keep: bool) -> None:
        self.kept: list[socket.socket] = []
        self.opened = 0
        self._port = port
        self._at_once = at_once
        self._keep = keep
        self._busy = 0
        self._started = 0
        self._selector = selectors.DefaultSelector()

    def run(self, count: int, seconds: float) -> None:
        """
        Open C{count} of them, or what goes in C{seconds}.

        @raise OSError: if one is refused.
        @raise EOFError: if one ends before its byte came back.
        """
        deadline = time.monotonic() + seconds
        while True:
            late = time.monotonic() > deadline
            while not late and self._busy < self._at_once and self._started < count:
                self._start()
            if not self._busy:
                return
            ready = self._selector.select(10)
            if not ready:
                raise TimeoutError("a new connection stood still for 10 s")
            for key, _ in ready:
                assert isinstance(key.fileobj, socket.socket)
                self._step(key.fileobj, key.data)

    def _start(self) -> None:
        sock = socket.socket()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect_ex((LOOPBACK, self._port))
        self._selector.register(sock, selectors.EVENT_WRITE, "connecting")
        self._busy += 1
        self._started += 1

    def _step(self, sock: socket.socket, state: str) -> None:
        if state == "connecting":
            sock.send(b"e1")
            self._selector.modify(sock, selectors.EVENT_READ, "waiting")
            return
        if state == "waiting":
            if not sock.recv(1):
                raise EOFError("a new connection ended before its byte came back")
            self.opened += 1
            if not self._keep:
                sock.shutdown(socket.SHUT_WR)
                self._selector.modify(sock, selectors.EVENT_READ, "ending")
                return
            sock.setblocking(True)
            sock.settimeout(30)
            self.kept.append(sock)
        elif sock.recv(1):
            raise ValueError("a byte too many came back")
        self._selector.unregister(sock)
        self._busy -= 1
        if state == "ending":
            sock.close()


def rate(settings: Settings) -> None:
    """As many new connections as go in C{seconds}, C{at_once} at a time."""
    warm = Opener(settings["port"], settings["at_once"], keep=False)
    warm.run(settings["at_once"], 30)
    say("ready")
    wait_for_go()
    began = time.monotonic()
    opener = Opener(settings["port"], settings["at_once"], keep=False)
    opener.run(1 << 30, settings["seconds"])
    say("done", count=opener.opened, seconds=time.monotonic() - began)


def hold(settings: Settings) -> None:
    """
    Open C{count} tunnels and keep them; when told, send C{bytes} each way through
    every one; when told again, end.
    """
    opener = Opener(settings["port"], settings["at_once"], keep=True)
    opener.run(settings["count"], settings["seconds"])
    if opener.opened < settings["count"]:
        raise ValueError(
            f"only {opener.opened} of {settings['count']} tunnels were there in time"
        )
    say("ready", count=opener.opened)
    wait_for_go()
    payload = bytes(settings["bytes"])
    for sock in opener.kept:
        pump = threading.Thread(target=sock.sendall, args=(payload,), daemon=True)
        pump.start()
        read_exactly(sock, len(payload))
        pump.join()
    say("done")
    wait_for_go()


def stall(settings: Settings) -> None:
    """
    Offer C{bytes} to a target that reads none of them, for C{seconds} at most,
    and hold on.
    """
    sock = dial(settings["port"])
    sock.sendall(b"z")
    say("ready")
    wait_for_go()
    deadline = time.monotonic() + settings["seconds"]
    sock.settimeout(0.2)
    piece = memoryview(bytes(PIECE))
    taken = 0
    while taken < settings["bytes"] and time.monotonic() < deadline:
        with contextlib.suppress(TimeoutError):
            taken += sock.send(piece[: min(PIECE, settings["bytes"] - taken)])
    say("done", bytes=taken)
    wait_for_go()
