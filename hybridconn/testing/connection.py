"""Both ends of a connection in memory, and what may go wrong between them."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from hybridconn.testing.faults import Faults
from hybridconn.testing.pipe import Pipe
from hybridconn.testing.transport import (
    IPAddress,
    MemoryTransport,
    SecureMemoryTransport,
)


class Connection:
    """
    One connection, to look at and to break.

    @ivar host: the name that was dialled.
    @ivar port: the port that was dialled.
    @ivar secure: it was dialled as TLS; nothing is encrypted.
    @ivar client: the end that dialled.
    @ivar server: the end that listened.
    @ivar to_server: what the client writes; stalling it is a server that does
        not read.
    @ivar to_client: what the server writes.
    """

    def __init__(
        self,
        clock: IReactorTime,
        faults: Faults,
        forget: Callable[[Connection], None],
        host: str,
        port: int,
        secure: bool,
        client: IPAddress,
        server: IPAddress,
    ) -> None:
        self.host = host
        self.port = port
        self.secure = secure
        self._forget = forget
        self.to_server = Pipe(clock, faults)
        self.to_client = Pipe(clock, faults)
        make = SecureMemoryTransport if secure else MemoryTransport
        up, down, left = self.to_server, self.to_client, self._left
        self.client = make(clock, client, server, down, up, left)
        self.server = make(clock, server, client, up, down, left)
        up.join(self.client, self.server, down)
        down.join(self.server, self.client, up)

    def __repr__(self) -> str:
        client = self.client.getHost()
        return f"<Connection {client.host}:{client.port} to {self.host}:{self.port}>"

    def cut(self) -> None:
        """Reset it, as seen from both ends; unread bytes are lost."""
        self.to_server.cut()

    def silence(self) -> None:
        """Let all bytes vanish both ways while it seems to be up."""
        self.to_server.silence()
        self.to_client.silence()

    def stall(self) -> None:
        """Have neither end take anything."""
        self.to_server.stall()
        self.to_client.stall()

    def heal(self) -> None:
        """End L{silence} and L{stall}."""
        self.to_server.heal()
        self.to_client.heal()

    def delay(self, seconds: float) -> None:
        """Let bytes take C{seconds}, each way."""
        self.to_server.delay = self.to_client.delay = seconds

    def split(self, piece_bytes: int) -> None:
        """Deliver at most C{piece_bytes} at once, each way."""
        self.to_server.piece_bytes = self.to_client.piece_bytes = piece_bytes

    def _left(self) -> None:
        if self.client.disconnected and self.server.disconnected:
            self._forget(self)
