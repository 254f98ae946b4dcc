"""A man in the middle: a TCP proxy that can fall silent."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

from tests.integration.targets import Target, pieces


class Middle:
    """
    Passes connections on to a port of 127.0.0.1.

    @ivar port: where it listens.
    """

    def __init__(self, port: int) -> None:
        self._beyond = port
        self._silence = threading.Event()
        self._door = Target(self._serve)
        self.port = self._door.port

    def silence(self) -> None:
        """
        Swallow all that the present connections carry from now on, both ways,
        their ends included.  TCP below goes on acknowledging: nobody can tell but
        by asking for an answer.  Later connections are passed on.
        """
        self._silence.set()
        self._silence = threading.Event()

    def _serve(self, near: socket.socket) -> None:
        silence = self._silence
        with socket.create_connection(("127.0.0.1", self._beyond), 10) as far:
            far.settimeout(120)
            back = threading.Thread(
                target=self._pass, args=(far, near, silence), daemon=True
            )
            back.start()
            self._pass(near, far, silence)
            back.join()

    def _pass(
        self, source: socket.socket, sink: socket.socket, silence: threading.Event
    ) -> None:
        with suppress(OSError):
            for piece in pieces(source):
                if not silence.is_set():
                    sink.sendall(piece)
        if not silence.is_set():
            with suppress(OSError):
                sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Take no more connections."""
        self._door.close()
