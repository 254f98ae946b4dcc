"""
Every seam of hybridconn: read this folder first, and take each name from here.

::

    access      who calls, who may, and who is told of it
    balancing   choosing the listener that is offered a sender
    cluster     several processes, or machines, of one relay
    live        what goes on at a relay
    requests    HTTP requests and who answers them, in the relay and behind it
    stores      where namespaces and hybrid connections are kept
    targets     where a listener takes its senders to
    tunnels     a WebSocket as a tunnel, what it is joined to, the way to a relay

Nothing of ours is imported here at run time, so any module may import it.
Method names in C{snake_case} are called by hybridconn; whatever Twisted or
Autobahn calls keeps its C{camelCase}.
"""

from hybridconn.interfaces.access import IAudit, IAuthorizer, ICallers, ISigningKeys
from hybridconn.interfaces.balancing import ILoadBalancer, ILoadBalancerPlugin
from hybridconn.interfaces.cluster import IClusterBus, IClusterMember, IPresence
from hybridconn.interfaces.live import ILiveRelay
from hybridconn.interfaces.requests import (
    IAnswer,
    IBodySink,
    IHeldRequest,
    IRequestHandler,
    IRequestResponder,
    IServerRequest,
)
from hybridconn.interfaces.stores import IEntityStore, IResourceStore
from hybridconn.interfaces.targets import ITargetConnector, ITargetProber
from hybridconn.interfaces.tunnels import (
    IBatchSink,
    IDialer,
    ITunnel,
    ITunnelEnd,
    ITunnelSink,
)

__all__ = [
    "IAnswer",
    "IAudit",
    "IAuthorizer",
    "IBatchSink",
    "IBodySink",
    "ICallers",
    "IClusterBus",
    "IClusterMember",
    "IDialer",
    "IEntityStore",
    "IHeldRequest",
    "ILiveRelay",
    "ILoadBalancer",
    "ILoadBalancerPlugin",
    "IPresence",
    "IRequestHandler",
    "IRequestResponder",
    "IResourceStore",
    "IServerRequest",
    "ISigningKeys",
    "ITargetConnector",
    "ITargetProber",
    "ITunnel",
    "ITunnelEnd",
    "ITunnelSink",
]
