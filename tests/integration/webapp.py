"""An HTTP service as a target: Python's own server in threads."""

from __future__ import annotations

import base64
import hashlib
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

_WEBSOCKET = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        """Answer by the path."""
        name = self.path.partition("?")[0]
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self._websocket()
        elif name == "/sse":
            self._stream(b"data: %d\n\n" % n for n in self._slowly(3))
        elif name == "/download":
            size = int(self.path.partition("?")[2])
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            piece = bytes(65536)
            while size:
                self.wfile.write(piece[: min(size, len(piece))])
                size -= min(size, len(piece))
        elif name == "/broken":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            self.wfile.write(b"x" * 200_000)
            self.close_connection = True
        elif name == "/away":
            self._answer(b"", 302, {"Location": "/there?x=1"})
        elif name == "/page":
            page = b"<!doctype html><title>page</title><p id=p>hello from behind</p>"
            self._answer(page, 200, {"Content-Type": "text/html"})
        elif name == "/meet":
            self.server.meeting.wait(60)
            self._tell()
        elif name == "/never":
            self.server.go_on.wait(90)
        else:
            self._tell()

    do_HEAD = do_GET

    def _tell(self) -> None:
        told: dict[str, Any] = {
            "path": self.path,
            "headers": dict(self.headers.items()),
        }
        told["connection"] = self.client_address[1]
        self._answer(json.dumps(told).encode(), 200)

    def do_POST(self) -> None:
        """Tell the size and the sum of the body."""
        digest, size = hashlib.sha256(), 0
        for piece in self._body():
            digest.update(piece)
            size += len(piece)
            self.server.received = size
            self.server.reading.wait(90)
        if self.path.startswith("/meet"):
            self.server.meeting.wait(60)
        self._answer(json.dumps({"size": size, "sha256": digest.hexdigest()}).encode())

    do_PUT = do_POST

    def _body(self) -> Iterator[bytes]:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            left = int(self.headers.get("Content-Length", "0"))
            while left:
                piece = self.rfile.read(min(left, 65536))
                left -= len(piece)
                yield piece
            return
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _answer(
        self, body: bytes, status: int = 200, fields: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (fields or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _stream(self, parts: Iterator[bytes]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def _slowly(self, count: int) -> Iterator[int]:
        for number in range(count):
            yield number
            self.server.step.acquire(timeout=30)

    def _websocket(self) -> None:
        """Echo one message, its path in front; close when the client does."""
        key = self.headers["Sec-WebSocket-Key"] + _WEBSOCKET
        proof = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", proof)
        protocol = self.headers.get("Sec-WebSocket-Protocol", "").partition(",")[0]
        if protocol:
            self.send_header("Sec-WebSocket-Protocol", protocol)
        self.end_headers()
        length = self.rfile.read(2)[1] & 0x7F
        mask = self.rfile.read(4)
        data = bytes(b ^ mask[n % 4] for n, b in enumerate(self.rfile.read(length)))
        said = self.path.encode() + b" " + data
        self.wfile.write(bytes((0x81, len(said))) + said)
        self.rfile.read(8)
        self.wfile.write(b"\x88\x02\x03\xe8")
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    received = 0
    step: ClassVar[Any]
    reading: ClassVar[Any]
    go_on: ClassVar[Any]
    meeting: ClassVar[Any]


class WebApp:
    """
    Requests for C{/meet} are answered when all that L{expect} says are there.

    @ivar port: of 127.0.0.1.
    @param context: for TLS.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        self._server = server = _Server(("127.0.0.1", 0), _Handler)
        # Released once for each further event of /sse.
        self.step = server.step = threading.Semaphore(0)  # type: ignore[misc]
        # Set while bodies are read.
        self.reading = server.reading = threading.Event()  # type: ignore[misc]
        self.reading.set()
        self._go_on = server.go_on = threading.Event()  # type: ignore[misc]
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        self.port: int = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def received(self) -> int:
        """Bytes of the latest body that it has read."""
        return self._server.received

    def expect(self, count: int) -> None:
        """How many requests for C{/meet} wait for each other."""
        self._server.meeting = threading.Barrier(count)  # type: ignore[misc]

    def wait_quiet(self) -> int:
        """Wait until no more of a body comes; how much it was then."""
        before = -1
        while before != self.received:
            before = self.received
            time.sleep(0.5)
        return before

    def close(self) -> None:
        """End it."""
        self._go_on.set()
        self.reading.set()
        self._server.shutdown()
        self._server.server_close()
