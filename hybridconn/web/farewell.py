"""
How a connection ends: our end is closed, and the client finds the time to take all of
our answer and to leave.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import ITCPTransport

from hybridconn.eager import unsent
from hybridconn.socket_options import tcp_below

#: Seconds until a client must have left after our end, once it has taken all of our
#: answer, and how many bytes of it are still read: the others wait, so that it finds
#: time for that.
LINGER: Final = 5.0
LINGER_BYTES: Final = 1024 * 1024
#: Bytes of an answer that a slow client must take in a while, or it counts as gone.
LEAST_TAKEN: Final = 16384


class Taking:
    """Whether a slow client takes its answer, as seen now and then."""

    _untaken = 0

    def begin(self, untaken: int) -> None:
        """
        Measure from here.

        @param untaken: bytes that the kernel does not have yet.
        """
        self._untaken = untaken

    def goes_on(self, untaken: int) -> bool:
        """Whether enough of it went since the last look."""
        before, self._untaken = self._untaken, untaken
        return untaken <= max(before - LEAST_TAKEN, 0)


class Farewell:
    """
    The end of one connection.

    @param transport: of the connection.
    @param taking: whether its client takes its answer.
    @param stall: seconds in which a client must take a part of it; 0: for ever.
    @param arm: sets the connection's one timer.
    """

    def __init__(
        self,
        transport: Any,
        taking: Taking,
        stall: float,
        arm: Callable[[float, Callable[[], None]], None],
    ) -> None:
        self._transport = transport
        self._taking = taking
        self._stall = stall
        self._arm = arm
        self._thrown_away = 0

    def begin(self, may_reset: bool) -> None:
        """
        Close our end.

        @param may_reset: whether bytes of the client's may be left in the kernel.
        """
        # Whatever is left at the first look is not held against it.
        self._taking.begin(unsent(self._transport) + LEAST_TAKEN)
        self._arm(LINGER, self._is_over)
        if may_reset and ITCPTransport.providedBy(self._transport):
            # Closed whole, the kernel would meet unread bytes with a reset,
            # which can overtake the answer (RFC 9112 section 9.6).
            self._transport.loseWriteConnection()
        else:
            self._transport.loseConnection()

    def throw_away(self, count: int) -> None:
        """C{count} bytes came that nobody will look at."""
        self._thrown_away += count

    @property
    def heard_enough(self) -> bool:
        """Whether nothing more is to be read."""
        return self._thrown_away > LINGER_BYTES

    def _is_over(self) -> None:
        left = unsent(self._transport)
        tcp = tcp_below(self._transport)
        if left and self._taking.goes_on(left):
            # Slow is not gone.
            if self._stall:
                self._arm(self._stall, self._is_over)
        elif left or tcp is None:
            self._transport.abortConnection()
        else:
            # A peer of TLS may never answer our farewell; Twisted waits for ever.
            # What the kernel holds is still delivered, which a reset would destroy.
            tcp.loseConnection()
