"""
The test kit: a network, a relay, faults and stand-ins, all in memory and in fake
time, for the unit tests of applications that use hybridconn.

    >>> relay = MemoryRelay(["hyco"])
    >>> relay.client_endpoint("hyco").connect(factory)       # doctest: +SKIP
    >>> relay.network.flush()

See C{docs/testing.md} for a tour.
"""

from __future__ import annotations

from hybridconn.core.entities import Claim
from hybridconn.testing.bus import MemoryBus, MemoryCluster
from hybridconn.testing.connection import Connection
from hybridconn.testing.contracts import check_entity_store, check_load_balancer
from hybridconn.testing.dialling import (
    MemoryClientEndpoint,
    MemoryDialer,
    MemoryServerEndpoint,
)
from hybridconn.testing.fakes import (
    Answer,
    FakeHeldRequest,
    RecordingSink,
    RecordingTunnel,
    Upgrade,
)
from hybridconn.testing.faults import Faults
from hybridconn.testing.frames import Frame
from hybridconn.testing.network import MemoryNetwork, MemoryPort
from hybridconn.testing.pipe import Pipe
from hybridconn.testing.relay import MemoryRelay
from hybridconn.testing.transport import MemoryTransport, SecureMemoryTransport
from hybridconn.testing.ws_peer import WsPeer, one_protocol

__all__ = [
    "Answer",
    "Claim",
    "Connection",
    "FakeHeldRequest",
    "Faults",
    "Frame",
    "MemoryBus",
    "MemoryClientEndpoint",
    "MemoryCluster",
    "MemoryDialer",
    "MemoryNetwork",
    "MemoryPort",
    "MemoryRelay",
    "MemoryServerEndpoint",
    "MemoryTransport",
    "Pipe",
    "RecordingSink",
    "RecordingTunnel",
    "SecureMemoryTransport",
    "Upgrade",
    "WsPeer",
    "check_entity_store",
    "check_load_balancer",
    "one_protocol",
]
