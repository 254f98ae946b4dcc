"""
To whoever has least to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random, SystemRandom

from zope.interface import implementer

from hybridconn.core.listeners import ListenerRef, SenderRequest
from hybridconn.interfaces import ILoadBalancer


@implementer(ILoadBalancer)
class LeastConnectionsBalancer:
    """Gives a sender to a listener that has the fewest connections now."""

    def __init__(self, rng: Random | None = None) -> None:
        """
        @param rng: decides among equals; the operating system's by default.
        """
        self._rng = rng or SystemRandom()

    def choose(
        self, candidates: Sequence[ListenerRef], request: SenderRequest
    ) -> ListenerRef:
        """Pick one of those with the fewest connections."""
        fewest = min(one.connections for one in candidates)
        # Chance among equals: with a fixed order, senders that come at once would
        # all go to the same listener.
        return self._rng.choice([c for c in candidates if c.connections == fewest])
