"""Choosing the listener that is offered a sender."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zope.interface import Attribute, Interface

if TYPE_CHECKING:
    from hybridconn.core.listeners import ListenerRef, SenderRequest


class ILoadBalancer(Interface):
    """Chooses which listener is offered a sender."""

    def choose(
        candidates: Sequence[ListenerRef], request: SenderRequest
    ) -> ListenerRef:
        """
        Pick one listener.  Called on the reactor thread for every offer, so it
        must return at once and must not block.

        @param candidates: the listeners now online that this sender was not yet
            offered to: at least one, in the order in which they came online.
        @param request: the sender's entity, address, headers and query.
        @return: one of C{candidates}.
        """


class ILoadBalancerPlugin(Interface):
    """
    A load balancer that can be named in the relay's configuration.  Provide it
    together with L{twisted.plugin.IPlugin} from a module in C{twisted/plugins}.
    """

    name: str = Attribute("The word for C{load_balancer} in the configuration.")

    def build() -> ILoadBalancer:
        """Make a balancer for one relay."""
