"""
The load balancers that are shipped, and the way to find any installed one.

Another one is a class with a C{choose} method and a plugin that names it; see
L{hybridconn.interfaces.ILoadBalancerPlugin}.
"""

from __future__ import annotations

from hybridconn.balancers.leastconnections import LeastConnectionsBalancer
from hybridconn.balancers.randomchoice import RandomBalancer
from hybridconn.balancers.registry import (
    UnknownLoadBalancer,
    load_balancer,
    load_balancer_names,
)
from hybridconn.balancers.roundrobin import RoundRobinBalancer

__all__ = [
    "LeastConnectionsBalancer",
    "RandomBalancer",
    "RoundRobinBalancer",
    "UnknownLoadBalancer",
    "load_balancer",
    "load_balancer_names",
]
