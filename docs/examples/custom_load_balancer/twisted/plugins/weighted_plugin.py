"""
Names the balancer C{weighted}, for C{load_balancer} in C{relay.toml}.

Every search for plugins on the machine reads this file, so the balancer itself is
imported only when one is made.
"""

from __future__ import annotations

from twisted.plugin import IPlugin
from zope.interface import implementer

from hybridconn.interfaces import ILoadBalancer, ILoadBalancerPlugin


@implementer(IPlugin, ILoadBalancerPlugin)
class _Weighted:
    name = "weighted"

    def build(self) -> ILoadBalancer:
        """Make one for one relay."""
        from weighted_balancer import WeightedBalancer

        balancer: ILoadBalancer = WeightedBalancer()
        return balancer


weighted = _Weighted()
