"""
A load balancer that spares listeners which have just come online: a process that
was started a moment ago has cold caches, and after a restart of the relay the
first one back would get every sender.

Each sender goes to the listener with the fewest connections for its weight.  The
weight grows from a tenth to one in the first minute.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from zope.interface import implementer

from hybridconn.core.listeners import ListenerRef, SenderRequest
from hybridconn.interfaces import ILoadBalancer

#: Seconds online until a listener counts in full.
WARM_AFTER = 60.0
LEAST_WEIGHT = 0.1


@implementer(ILoadBalancer)
class WeightedBalancer:
    """
    Fewest connections, weighted by age.

    @param wall: seconds since 1970-01-01 UTC.
    """

    def __init__(self, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall

    def choose(
        self, candidates: Sequence[ListenerRef], request: SenderRequest
    ) -> ListenerRef:
        """Pick the one that would be the least loaded with one sender more."""
        now = self._wall()
        return min(candidates, key=lambda one: self._load(one, now))

    def _load(self, one: ListenerRef, now: float) -> float:
        age = (now - one.connected_since) / WARM_AFTER
        return (one.connections + 1) / min(1.0, max(LEAST_WEIGHT, age))
