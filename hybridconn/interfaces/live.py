"""What goes on at a relay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from hybridconn.core.live import Counts, LiveListener, LiveTunnel


class ILiveRelay(Interface):
    """
    Shows who is connected to a relay, at all its nodes, and ends it.  A node that does
    not answer in time is left out.  Everywhere C{key} is namespace and entity path,
    both in lower case.
    """

    since: float = Attribute("When this node began, seconds since 1970-01-01 UTC.")

    def sums() -> Deferred[Mapping[str, Counts]]:
        """
        What goes on, by namespace in lower case, wherever anything goes on or did.
        """

    def refusals() -> Deferred[Mapping[str, int]]:
        """How many requests were refused, by the name of the refusal's class."""

    def counts(keys: Sequence[tuple[str, ...]]) -> Deferred[Sequence[Counts]]:
        """The same for each of some hybrid connections; zeros where nothing does."""

    def traffic(
        keys: Sequence[tuple[str, ...]], samples: int
    ) -> Deferred[Sequence[Sequence[tuple[int, int, int]]]]:
        """
        What went through each of some hybrid connections of late.  It is remembered
        from the first question on, as long as there is one now and then.

        @param keys: an empty one stands for all hybrid connections together.
        @param samples: so many intervals back, of five seconds each, and this one.
        @return: for each the intervals in which anything moved, the oldest first: its
            number, counted from 1970 on, bytes of senders, bytes of listeners.
        """

    def listeners(key: tuple[str, ...]) -> Deferred[Sequence[LiveListener]]:
        """Who listens, in the order of their ids."""

    def tunnels(
        key: tuple[str, ...], after: str, most: int
    ) -> Deferred[Sequence[LiveTunnel]]:
        """
        Tunnels and HTTP requests that are open, in the order of their ids.

        @param after: only those behind it, as L{hybridconn.core.live.order} has it.
        @param most: so many of them.
        """

    def tunnel(key: tuple[str, ...], id: str) -> Deferred[LiveTunnel | None]:
        """One of them."""

    def close_listener(key: tuple[str, ...], id: str) -> Deferred[bool]:
        """
        End a control channel with 1001; nothing keeps its listener from coming back.

        @return: whether there was one of that id.
        """

    def drain_listener(key: tuple[str, ...], id: str, on: bool) -> Deferred[bool]:
        """
        Give a listener no new sender and no new HTTP request; what runs through it goes
        on.  It lasts until the listener comes back on another control channel.

        @param on: L{False} ends that.
        @return: whether there was one of that id.
        """

    def close_tunnel(key: tuple[str, ...], id: str) -> Deferred[bool]:
        """
        End a tunnel with 1001 on both sides, or an HTTP request with 503.

        @return: whether there was one of that id.
        """
