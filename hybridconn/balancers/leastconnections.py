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
    """
    Gives a sender to a listener that has the fewest connections now.  Those that
    it was offered and has not come for yet count as well: so neither senders that
    come at once nor those of a listener that is stuck pile up.
    """

    def __init__(self, rng: Random | None = None) -> None:
        """
        @param rng: decides among equals; the operating system's by default.
        """
        self._rng = rng or SystemRandom()

    def choose(
        self, candidates: Sequence[ListenerRef], request: SenderRequest
    ) -> ListenerRef:
        """Pick one of those with the fewest connections."""
        fewest = min(map(_load, candidates))
        # Chance among equals: with a fixed order, the listener that came first
        # would have the most to do wherever there are few senders.
        return self._rng.choice([one for one in candidates if _load(one) == fewest])


def _load(listener: ListenerRef) -> int:
    return listener.connections + listener.offered
