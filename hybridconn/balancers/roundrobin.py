"""
One listener after the other.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from zope.interface import implementer

from hybridconn.core.listeners import ListenerRef, SenderRequest
from hybridconn.interfaces import ILoadBalancer

#: Entities whose turn is remembered; the one used longest ago is forgotten first.
REMEMBERED_ENTITIES = 10_000

_Turn = tuple[float, str]


@implementer(ILoadBalancer)
class RoundRobinBalancer:
    """
    Gives the senders of each hybrid connection to its listeners in turn, in the
    order in which these came online.

    What is remembered is the listener that was chosen last, not a position: so
    the turn goes on where it was when listeners come and go.
    """

    def __init__(self) -> None:
        self._last: OrderedDict[tuple[str, str], _Turn] = OrderedDict()

    def choose(
        self, candidates: Sequence[ListenerRef], request: SenderRequest
    ) -> ListenerRef:
        """Pick the listener that follows the one chosen last."""
        entity = (request.namespace.lower(), request.entity_path.lower())
        ordered = sorted(candidates, key=_turn)
        last = self._last.pop(entity, None)
        chosen = ordered[0]
        if last is not None:
            chosen = next((one for one in ordered if _turn(one) > last), chosen)
        self._last[entity] = _turn(chosen)
        if len(self._last) > REMEMBERED_ENTITIES:
            self._last.popitem(last=False)
        return chosen


def _turn(listener: ListenerRef) -> _Turn:
    return listener.connected_since, listener.id
