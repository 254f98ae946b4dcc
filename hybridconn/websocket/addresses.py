"""What C{getPeer} and C{getHost} of a tunnel return."""

from __future__ import annotations

from attrs import frozen
from twisted.internet.interfaces import IAddress
from zope.interface import implementer


@implementer(IAddress)
@frozen
class HybridConnectionAddress:
    """
    One end of a tunnel.

    @ivar namespace: the relay's host name.
    @ivar entity: the hybrid connection's path.
    @ivar tracking_id: names this one tunnel in the relay's log; empty for a
        listening address.
    """

    namespace: str
    entity: str
    tracking_id: str = ""
