"""
PostgreSQL's notifications, by the reactor.

Their connection waits for nothing but them, so it needs no thread: libpq says what came
without blocking, once the reactor found the socket readable.
"""

from __future__ import annotations

import os
from collections.abc import Callable
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

#: One for each database; what is said is the new revision.
CHANNEL = "hybridconn_changes"


@implementer(IReadDescriptor)
class Doorbell:
    """
    A connection that hears of changes.  Making it blocks.

    @raise StoreError: the database cannot be reached.
    @param ring: called with each new revision.
    @param lost: called once, when the connection is lost.
    """

    def __init__(
        self,
        engine: Engine,
        ring: Callable[[int], None],
        lost: Callable[[], None],
    ) -> None:
        self._ring = ring
        self._lost = lost
        import psycopg

        try:
            pooled = engine.raw_connection()
            connection: Any = pooled.driver_connection
            pooled.detach()
            self._connection: Connection[Any] = connection
            try:
                self._connection.autocommit = True
                self._connection.execute(f"LISTEN {CHANNEL}")
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
                if said.extra.isdigit():
                    self._ring(int(said.extra))
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
