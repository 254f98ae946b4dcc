"""Bodies of 1 GiB through the relay, whoever is slow: its memory stays flat."""

from __future__ import annotations

import hashlib
import json
import time

from tests.integration.stage import HOST, SEND
from tests.integration.targets import blob
from tests.integration.test_http import HttpCase
from tests.integration.test_memory import ALLOWANCE, MIB, Meter, Writer

GIB = 1024 * MIB


class HttpMemoryTests(HttpCase):
    """One request with a large body, and one with a large answer."""

    def meter(self) -> Meter:
        return Meter(self.stage.relay, self.stage["listener"])

    def report(self, what: str, meter: Meter, stalled: int, seconds: float) -> None:
        grown = meter.growth()
        print(
            f"\nfigure: an HTTP {what} of 1 GiB in {seconds:.1f} s: the relay's memory"
            f" is {meter.before[0] / MIB:.0f} MiB before, +{stalled / MIB:.1f} with the"
            f" reader stalled, +{grown['relay'] / MIB:.1f} at most; the listener's"
            f" +{grown['listener'] / MIB:.1f}"
        )
        for name, bytes_more in grown.items():
            self.assertLess(bytes_more, ALLOWANCE, name)

    def head(self, method: str, path: str, *fields: str) -> bytes:
        lines = [
            f"{method} {path} HTTP/1.1",
            f"Host: {HOST}:{self.stage.port}",
            f"ServiceBusAuthorization: {self.stage.token('web', SEND)}",
            *fields,
        ]
        return "\r\n".join([*lines, "", ""]).encode()

    def test_upload(self) -> None:
        """A service that reads nothing for a while holds the client back."""
        piece, times = blob(4 * MIB), GIB // (4 * MIB)
        self.app.reading.clear()
        connection = self.stage.dial_relay(120)
        self.addCleanup(connection.close)
        with self.meter() as meter:
            began = time.monotonic()
            connection.sendall(self.head("POST", "/web/up", f"Content-Length: {GIB}"))
            writer = Writer(connection, piece, times)
            writer.start()
            self.assertLess(writer.wait_stuck(), 64 * MIB)
            stalled = meter.growth()["relay"]
            self.app.reading.set()
            answer = b""
            while b"}" not in answer:
                got = connection.recv(65536)
                self.assertTrue(got, answer)
                answer += got
            writer.join()
            seconds = time.monotonic() - began
        told = json.loads(answer[answer.index(b"{") : answer.rindex(b"}") + 1])
        expected = hashlib.sha256()
        for _ in range(times):
            expected.update(piece)
        self.assertEqual(told, {"size": GIB, "sha256": expected.hexdigest()})
        self.report("upload", meter, stalled, seconds)

    def test_download(self) -> None:
        """A client that reads nothing for a while holds the service back."""
        connection = self.stage.dial_relay(120)
        self.addCleanup(connection.close)
        with self.meter() as meter:
            began = time.monotonic()
            connection.sendall(
                self.head("GET", f"/web/download?{GIB}", "Connection: close")
            )
            time.sleep(5)
            stalled = meter.growth()["relay"]
            total, head = 0, b""
            while got := connection.recv(MIB):
                total += len(got)
                head = head or got
            seconds = time.monotonic() - began
        self.assertTrue(head.startswith(b"HTTP/1.1 200 "), head[:200])
        # Chunks cost some more bytes than the body.
        self.assertGreater(total, GIB)
        self.assertLess(total, GIB + 64 * MIB)
        self.report("download", meter, stalled, seconds)
