"""An identity provider: an HTTPS server with a JWKS, in a thread of this process."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.integration.stage import HOST


class IdentityProvider:
    """
    @ivar keys: the JWKS that it answers with.
    @ivar asked: how often it was asked.
    """

    def __init__(self, folder: Path, keys: bytes, port: int = 0) -> None:
        self.keys = keys
        self.asked = 0
        provider = self

        class Handler(BaseHTTPRequestHandler):
            """Answers every GET (http.server)."""

            def do_GET(self) -> None:
                provider.asked += 1
                self.send_response(200)
                self.send_header("Content-Length", str(len(provider.keys)))
                self.end_headers()
                self.wfile.write(provider.keys)

            def log_message(self, *_: Any) -> None:
                """Nothing: it would be mixed with the tests' own."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "relay.pem", folder / "relay.key")
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"https://{HOST}:{self.port}/keys"

    def close(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
