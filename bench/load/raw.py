"""
A sender and a listener by hand, for what is measured of the relay alone: they pay
for TLS, and for nothing else while bytes run.
"""

from __future__ import annotations

import json
import socket
import ssl
import time
from urllib.parse import quote, urlsplit

from bench.load import frames
from bench.load.events import Settings, say, wait_for_go
from bench.load.target import LOOPBACK

ROOM = 256 * 1024
#: Records that leave by one system call.
AT_ONCE = 64
_END = frames.CLOSE


class Wire:
    """
    TLS over memory, so that many records can leave by one system call.

    @ivar sock: the connection below.
    """

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server: bool):
        self.sock = sock
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._into, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._into,
            self._out,
            server_side=server,
            server_hostname=None if server else "localhost",
        )
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                self._into.write(sock.recv(65536))
        self._flush()

    def send(self, data: bytes, times: int = 1) -> None:
        """Send something, each time as a record of its own (of 16 KiB at most)."""
        for _ in range(times):
            self._tls.write(data)
        self._flush()

    def receive(self) -> bytes:
        """What comes next; nothing at the end."""
        while True:
            try:
                return self._tls.read(ROOM)
            except ssl.SSLWantReadError:
                got = self.sock.recv(ROOM)
                if not got:
                    return b""
                self._into.write(got)
            except ssl.SSLZeroReturnError:
                return b""

    def _flush(self) -> None:
        made = self._out.read()
        if made:
            self.sock.sendall(made)


def dial(port: int, ca_file: str) -> Wire:
    """TLS 1.3 to a port of this machine; the certificate is checked."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return Wire(socket.create_connection((LOOPBACK, port), 60), context, False)


def open_websocket(settings: Settings, target: str) -> tuple[Wire, bytes]:
    """
    Dial the relay and upgrade.

    @return: the connection, and what came behind the answer.
    @raise ValueError: if the relay refused.
    """
    port = settings["relay"]
    wire = dial(port, settings["ca_file"])
    wire.send(frames.upgrade_request(f"localhost:{port}", target))
    got = b""
    while b"\r\n\r\n" not in got:
        piece = wire.receive()
        if not piece:
            raise EOFError("the relay hung up")
        got += piece
    answer, _, rest = got.partition(b"\r\n\r\n")
    status = answer.split(b"\r\n", 1)[0].decode("latin-1")
    if " 101 " not in f"{status} ":
        raise ValueError(f"the relay refused: {status}")
    return wire, rest


def place(settings: Settings, action: str) -> str:
    """The target of a listen or a connect."""
    token = quote(settings["token"], safe="")
    entity = settings["entity"]
    return f"/$hc/{entity}?sb-hc-action={action}&sb-hc-token={token}"


def pour(wire: Wire, settings: Settings, data: bytes) -> None:
    """Send C{data}, C{count} times, as quickly as it is taken."""
    count, at_once = settings["count"], 1 if len(data) > 16384 else AT_ONCE
    say("ready")
    wait_for_go()
    for done in range(0, count, at_once):
        wire.send(data, min(at_once, count - done))


def swallow(wire: Wire, rest: bytes) -> None:
    """Read until a Close, or the end; say how long it took."""
    say("ready")
    total, last, began = len(rest), rest[-4:], 0.0
    while last != _END:
        got = wire.receive()
        if not got:
            break
        began = began or time.monotonic()
        total += len(got)
        last = (last + got)[-4:] if len(got) < 4 else got[-4:]
    say("done", bytes=total, seconds=time.monotonic() - began)


def source(settings: Settings) -> None:
    """A sender: C{count} messages of C{bytes}, then Close."""
    wire, _ = open_websocket(settings, place(settings, "connect"))
    pour(wire, settings, frames.message(bytes(settings["bytes"])))
    wire.send(frames.close_frame())
    say("done")
    wait_for_go()


def listener(settings: Settings) -> None:
    """A listener that accepts one sender and reads what it says."""
    control, got = open_websocket(settings, place(settings, "listen"))
    say("online")
    while True:
        found, _ = frames.parse(got)
        texts = [frame.payload for frame in found if frame.opcode == 1]
        if texts:
            break
        got += control.receive()
    parts = urlsplit(json.loads(texts[0])["accept"]["address"])
    there = {**settings, "relay": parts.port or settings["relay"]}
    swallow(*open_websocket(there, f"{parts.path}?{parts.query}"))
    wait_for_go()


def tls_source(settings: Settings) -> None:
    """The same bytes into any TLS port."""
    wire = dial(settings["port"], settings["ca_file"])
    pour(wire, settings, frames.message(bytes(settings["bytes"])))
    wire.send(frames.CLOSE)
    say("done")
    wait_for_go()


def tls_sink(settings: Settings) -> None:
    """A TLS server that reads what one client says."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(settings["certificate"], settings["key"])
    listening = socket.create_server((LOOPBACK, 0))
    say("listening", port=listening.getsockname()[1])
    while True:
        sock, _ = listening.accept()
        try:
            wire = Wire(sock, context, True)
        except (OSError, ssl.SSLError):  # somebody looked whether the port is there
            continue
        swallow(wire, b"")
        wait_for_go()
        return
