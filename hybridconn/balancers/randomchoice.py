"""
Each sender to any listener: the default, and what Azure Relay does
(relay-protocol section 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random, SystemRandom

from zope.interface import implementer

from hybridconn.core.listeners import ListenerRef, SenderRequest
from hybridconn.interfaces import ILoadBalancer


@implementer(ILoadBalancer)
class RandomBalancer:
    """Gives every listener the same chance, whatever came before."""

    def __init__(self, rng: Random | None = None) -> None:
        """
        @param rng: the source of chance; the operating system's by default.
        """
        self._rng = rng or SystemRandom()

    def choose(
        self, candidates: Sequence[ListenerRef], request: SenderRequest
    ) -> ListenerRef:
        """Pick one listener at random."""
        return self._rng.choice(candidates)
