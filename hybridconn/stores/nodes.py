"""
Which relays are on a PostgreSQL database, and notices from one to another.  The calls
block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, delete, func, insert, select, text, update

from hybridconn.stores.database import Database, failing
from hybridconn.stores.doorbell import Doorbell
from hybridconn.stores.errors import StoreError
from hybridconn.stores.schema import NODES

#: Seconds for which a node counts as alive after it said so.
LEASE = 6.0
#: What all nodes hear.
EVERYBODY = "hybridconn_nodes"
#: Bytes of a notice; PostgreSQL takes less than 8,000.
LONGEST = 7_900
#: By the database's clock: the nodes' own may differ.
_NOW = func.extract("epoch", func.clock_timestamp())


def channel_of(node: str) -> str:
    """What one node alone hears."""
    return f"hybridconn_node_{node}"


class Nodes:
    """
    @param database: PostgreSQL.
    """

    def __init__(self, database: Database) -> None:
        self._engine = database.engine
        self._database = database

    def listen(
        self, node: str, heard: Callable[[str], None], lost: Callable[[], None]
    ) -> Doorbell:
        """
        Hear what is said to everybody and to C{node}.

        @param heard: called with each notice.
        @raise StoreError: the database cannot be reached.
        """
        return Doorbell(self._engine, [EVERYBODY, channel_of(node)], heard, lost)

    def register(self, node: str, hello: str) -> list[str]:
        """
        Be there.

        @param hello: said to everybody.
        @return: who else is there.
        """
        with self._writing("cannot be joined") as connection:
            connection.execute(delete(NODES).where(NODES.c.alive_until < _NOW))
            alive = {"name": node, "alive_until": _NOW + LEASE}
            connection.execute(insert(NODES).values(alive))
            _say(connection, EVERYBODY, hello)
            return self._others(connection, node)

    def beat(self, node: str) -> list[str]:
        """
        Go on being there.

        @return: who else is.
        @raise StoreError: also if this one counts as gone already.
        """
        with self._writing("was lost") as connection:
            mine = update(NODES).where(NODES.c.name == node)
            kept = connection.execute(mine.values(alive_until=_NOW + LEASE))
            if not kept.rowcount:
                raise StoreError("the other relays count this one as gone")
            connection.execute(delete(NODES).where(NODES.c.alive_until < _NOW))
            return self._others(connection, node)

    def leave(self, node: str, goodbye: str) -> None:
        """Be there no more."""
        with self._writing("was lost") as connection:
            connection.execute(delete(NODES).where(NODES.c.name == node))
            _say(connection, EVERYBODY, goodbye)

    def send(self, notices: Iterable[tuple[str, str]]) -> None:
        """
        Send notices, each to a channel, in their order.  Of two that are the same,
        one is heard.
        """
        with self._writing("was lost") as connection:
            # Nobody looks for these after a crash, so nothing waits for a disk.
            connection.execute(text("SET LOCAL synchronous_commit = off"))
            for channel, notice in notices:
                _say(connection, channel, notice)

    def abort(self) -> None:
        """Have a call that waits for the server fail; from another thread."""
        self._database.abort()

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    @contextmanager
    def _writing(self, what: str) -> Iterator[Connection]:
        with failing(what), self._database.writing() as connection:
            yield connection

    @staticmethod
    def _others(connection: Connection, node: str) -> list[str]:
        some = select(NODES.c.name).where(NODES.c.name != node)
        return list(connection.execute(some).scalars())


def _say(connection: Connection, channel: str, notice: str) -> None:
    connection.execute(
        text("SELECT pg_notify(:channel, :notice)"),
        {"channel": channel, "notice": notice},
    )
