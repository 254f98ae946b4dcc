"""
An HTTP service that costs as little as one in Python can: any request is answered
with the same KiB, on connections that stay open.
"""

from __future__ import annotations

import asyncio
import re

from bench.load.events import Settings, say

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_BODY = b"x" * 1024
_ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 1024\r\n"
    # ab speaks HTTP/1.0, in which a connection stays open only where that is said.
    b"Connection: keep-alive\r\n\r\n" + _BODY
)


class _Service(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin (asyncio)."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete (asyncio)."""
        self._buffer += data
        while True:
            head = self._buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            found = _LENGTH.search(self._buffer, 0, head + 2)
            whole = head + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < whole:
                return
            self._buffer = self._buffer[whole:]
            self._transport.write(_ANSWER)


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Service, "127.0.0.1", 0, backlog=1024)
    say("ready", port=server.sockets[0].getsockname()[1])
    await server.serve_forever()


def serve(settings: Settings) -> None:
    """Until the process is ended."""
    asyncio.run(_serve())
