"""
The load balancers that come with hybridconn.

Every search for plugins on the machine reads this file: it imports only the
interface that it provides, and the balancers when one is made.
"""

from __future__ import annotations

from twisted.plugin import IPlugin
from twisted.python.reflect import namedAny
from zope.interface import implementer

from hybridconn.interfaces import ILoadBalancer, ILoadBalancerPlugin


@implementer(IPlugin, ILoadBalancerPlugin)
class _LoadBalancer:
    def __init__(self, name: str, class_name: str) -> None:
        self.name = name
        self._class_name = class_name

    def build(self) -> ILoadBalancer:
        balancer: ILoadBalancer = namedAny(f"hybridconn.balancers.{self._class_name}")()
        return balancer


random = _LoadBalancer("random", "RandomBalancer")
round_robin = _LoadBalancer("round-robin", "RoundRobinBalancer")
least_connections = _LoadBalancer("least-connections", "LeastConnectionsBalancer")
