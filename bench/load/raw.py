"""
A sender and a listener by hand, for what is measured of the relay alone: they pay
for TLS, and for nothing else while bytes run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import ssl
import time
from urllib.parse import quote, urlsplit

from bench.load import frames
from bench.load.events import Settings, say, wait_for_go
from bench.load.target import LOOPBACK

ROOM = 256 * 1024
# So many records leave by one system call, when each frame is its own record.
AT_ONCE = 64


def client_context(ca_file: str) -> ssl.SSLContext:
    """As the relay's clients have it: TLS 1.3, and the certificate is checked."""
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def dial(port: int, ca_file: str) -> ssl.SSLSocket:
    """TLS to a port of this machine."""
    plain = socket.create_connection((LOOPBACK, port), timeout=60)
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client_context(ca_file).wrap_socket(plain, server_hostname="localhost")


def open_websocket(settings: Settings, target: str) -> tuple[ssl.SSLSocket, bytes]:
    """
    Dial the relay and upgrade.

    @return: the socket, and what came behind the answer.
    @raise ValueError: if the relay refused.
    """
    port = settings["relay"]
    sock = dial(port, settings["ca_file"])
    sock.sendall(frames.upgrade_request(f"localhost:{port}", target))
    got = b""
    while b"\r\n\r\n" not in got:
        piece = sock.recv(4096)
        if not piece:
            raise EOFError("the relay hung up")
        got += piece
    answer, _, rest = got.partition(b"\r\n\r\n")
    status = answer.split(b"\r\n", 1)[0].decode("latin-1")
    if " 101 " not in f"{status} ":
        raise ValueError(f"the relay refused: {status}")
    return sock, rest


def place(settings: Settings, action: str) -> str:
    """The target of a listen or a connect."""
    token = quote(settings["token"], safe="")
    entity = settings["entity"]
    return f"/$hc/{entity}?sb-hc-action={action}&sb-hc-token={token}"


def send_by_records(sock: ssl.SSLSocket, frame: bytes, count: int) -> None:
    """
    Send a frame many times, each as a TLS record of its own.

    A record for each write is what C{SSLSocket} does too.  What costs is the
    system call for each, so short frames leave many records at a time, which
    needs a socket whose TLS was set up over memory.
    """
    assert isinstance(sock, MemoryTLS)
    for done in range(0, count, AT_ONCE):
        sock.write_records(frame, min(AT_ONCE, count - done))


class MemoryTLS(ssl.SSLSocket):
    """Only a type: see L{memory_tls}."""
