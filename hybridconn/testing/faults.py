"""What may befall a whole network in memory."""

from __future__ import annotations

from attrs import define, field

_Place = tuple[str, int]


@define
class Faults:
    """
    What befalls every connection and every dial of a L{MemoryNetwork
    <hybridconn.testing.network.MemoryNetwork>}.  All may be changed at any time.
    A single connection has faults of its own: see L{Connection
    <hybridconn.testing.network.Connection>} and L{Pipe
    <hybridconn.testing.pipe.Pipe>}.

    @ivar delay: seconds that bytes, and dials, are on their way.
    @ivar piece_bytes: a reader gets at most so many bytes at once.
    """

    delay: float = 0.0
    piece_bytes: int = 65536
    _refused: set[_Place] = field(factory=set, init=False)
    _ignored: set[_Place] = field(factory=set, init=False)

    def refuse(self, host: str, port: int) -> None:
        """Refuse the dials that come from now on, as if nobody listened."""
        self._refused.add((host, port))

    def ignore(self, host: str, port: int) -> None:
        """Answer no dial from now on, as a firewall that drops packets."""
        self._ignored.add((host, port))

    def mend(self, host: str, port: int) -> None:
        """Undo L{refuse} and L{ignore}."""
        self._refused.discard((host, port))
        self._ignored.discard((host, port))

    def refuses(self, host: str, port: int) -> bool:
        """Whether a dial there is refused."""
        return (host, port) in self._refused

    def ignores(self, host: str, port: int) -> bool:
        """Whether a dial there gets no answer."""
        return (host, port) in self._ignored
