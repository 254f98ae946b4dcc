"""
PostgreSQL's notifications, by the reactor.

Their connection waits for nothing but them, so it needs no thread: libpq says what came
without blocking, once the reactor found the socket readable.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.stores.database import words
from hybridconn.stores.errors import StoreError

if TYPE_CHECKING:
    from psycopg import Connection


@implementer(IReadDescriptor)
class Doorbell:
    """
    A connection that hears notifications.  Making it blocks.

    @raise StoreError: the database cannot be reached.
    @param channels: what to listen to; names as PostgreSQL has them.
    @param heard: called with what each notification says.
    @param lost: called once, when the connection is lost.
    """

    def __init__(
        self,
        engine: Engine,
        channels: Iterable[str],
        heard: Callable[[str], None],
        lost: Callable[[], None],
    ) -> None:
        self._heard = heard
        self._lost = lost
        import psycopg

        try:
            pooled = engine.raw_connection()
            connection: Any = pooled.driver_connection
            pooled.detach()
            self._connection: Connection[Any] = connection
            try:
                self._connection.autocommit = True
                for channel in channels:
                    self._connection.execute(f"LISTEN {channel}".encode())
                # Ours: libpq closes its own when the server goes, and the number
                # would be another socket's before the reactor forgot it.
                self._socket = os.dup(self._connection.fileno())
            except BaseException:
                self._connection.close()
                raise
        except psycopg.Error as error:
            raise StoreError(
                f"the store cannot be listened to: {words(error)}"
            ) from None

    def fileno(self) -> int:
        """The socket's number; -1 when it is closed (Twisted)."""
        return self._socket

    def logPrefix(self) -> str:
        """How it is called in a log (Twisted)."""
        return "store"

    def doRead(self) -> Failure | None:
        """Something came, or the connection ended (Twisted)."""
        import psycopg

        line = self._connection.pgconn
        try:
            line.consume_input()
            while (said := line.notifies()) is not None:
                self._heard(said.extra.decode())
        except psycopg.Error:
            # The reactor forgets it, and calls connectionLost.
            return Failure(ConnectionLost())
        return None

    def connectionLost(self, reason: Failure) -> None:
        """The reactor watches it no more (Twisted)."""
        self.close()
        self._lost()

    def close(self) -> None:
        """Hear nothing more; it is no more in the reactor."""
        number, self._socket = self._socket, -1
        if number >= 0:
            os.close(number)
            self._connection.close()
