"""Clients that are slow, and bodies that are, with real sockets."""

from __future__ import annotations

import time

from tests.integration.stage import HOST, SEND
from tests.integration.test_http import HttpCase


class SlowReaderTests(HttpCase):
    """A client that takes its answer slowly gets all of it."""

    def test_last_answer(self) -> None:
        """Behind the last answer the connection ends when that was taken."""
        for version in ("1.1", "1.0"):
            connection = self.stage.dial_relay(60)
            self.addCleanup(connection.close)
            connection.sendall(
                f"GET /web/download?4000000 HTTP/{version}\r\n"
                f"Host: {HOST}:{self.stage.port}\r\n"
                f"ServiceBusAuthorization: {self.stage.token('web', SEND)}\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            got = b""
            # Until little enough is left for the relay to have it all.
            while len(got) < 2_000_000:
                got += connection.recv(65536)
            time.sleep(8)
            while piece := connection.recv(1_000_000):
                got += piece
            self.assertGreater(len(got), 4_000_000)
