"""Both buses keep the same rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.internet.testing import EventLoggingObserver
from twisted.logger import globalLogPublisher
from twisted.test.iosim import FakeTransport, connect
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer
from zope.interface.verify import verifyObject

from hybridconn.cluster.bus import BusClient, BusClientFactory, Hub
from hybridconn.interfaces import IClusterBus, IClusterMember
from hybridconn.testing import MemoryCluster


@implementer(IClusterMember)
class Member:
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def welcomed(self, nodes: Sequence[str]) -> None:
        self.heard += [("welcome", node) for node in nodes]

    def node_joined(self, node: str) -> None:
        self.heard.append(("joined", node))

    def node_lost(self, node: str) -> None:
        self.heard.append(("lost", node))

    def message_received(self, node: str, message: Mapping[str, Any]) -> None:
        self.heard.append((node, message))


class Cluster:
    """What the contract needs of a bus."""

    def bus(self, node: str) -> Any:
        raise NotImplementedError

    def lose(self, node: str) -> None:
        raise NotImplementedError

    def flush(self) -> None:
        """Let all that was said arrive."""


class SocketCluster(Cluster):
    """The bus of several processes, without them."""

    def __init__(self) -> None:
        self.hub = Hub()
        self.lines: dict[str, Any] = {}
        self.ended: list[str] = []

    def bus(self, node: str) -> Any:
        client = BusClient(node, lambda: self.ended.append(node))
        near: Any = BusClientFactory(client).buildProtocol(None)
        far: Any = self.hub.buildProtocol(None)
        pump = connect(
            far,
            FakeTransport(far, isServer=True),
            near,
            FakeTransport(near, isServer=False),
        )
        self.lines[node] = (near, far, pump)
        return client

    def lose(self, node: str) -> None:
        near, _, pump = self.lines.pop(node)
        near.transport.loseConnection()
        pump.flush()

    def flush(self) -> None:
        for _ in range(4):
            for _, _, pump in self.lines.values():
                pump.flush()


class InMemory(Cluster):
    """The test kit's."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.cluster = MemoryCluster(self.clock)

    def bus(self, node: str) -> Any:
        return self.cluster.bus(node)

    def lose(self, node: str) -> None:
        self.cluster.lose(node)

    def flush(self) -> None:
        self.clock.advance(0)


class SocketBusTests(SynchronousTestCase):
    """The contract of L{IClusterBus}."""

    make: Any = SocketCluster

    def setUp(self) -> None:
        self.cluster = self.make()
        self.buses = {node: self.cluster.bus(node) for node in ("1", "2", "3")}
        self.members = {node: Member() for node in self.buses}
        for node, bus in self.buses.items():
            bus.join(self.members[node])
        self.cluster.flush()

    def heard(self, node: str) -> list[tuple[Any, ...]]:
        """What a node heard since it was asked last."""
        self.cluster.flush()
        member = self.members[node]
        heard, member.heard = member.heard, []
        return heard

    def test_interfaces(self) -> None:
        """It is a bus, and its member a member."""
        self.assertTrue(verifyObject(IClusterBus, self.buses["1"]))
        self.assertTrue(verifyObject(IClusterMember, self.members["1"]))

    def test_joined(self) -> None:
        """Everybody hears of everybody else, of those before him by a welcome."""
        self.assertEqual(self.heard("1"), [("joined", "2"), ("joined", "3")])
        self.assertEqual(self.heard("2"), [("welcome", "1"), ("joined", "3")])
        self.assertEqual(self.heard("3"), [("welcome", "1"), ("welcome", "2")])

    def test_one(self) -> None:
        """What is said to one node is heard by that one alone, in its order."""
        for node in self.buses:
            self.heard(node)
        for number in range(5):
            self.buses["1"].tell("2", {"number": number})
        self.assertEqual(
            self.heard("2"), [("1", {"number": number}) for number in range(5)]
        )
        self.assertEqual(self.heard("1") + self.heard("3"), [])

    def test_all(self) -> None:
        """What is said to all is heard by all others."""
        for node in self.buses:
            self.heard(node)
        self.buses["2"].tell(None, {"text": "\u00e9\n"})
        for node in ("1", "3"):
            self.assertEqual(self.heard(node), [("2", {"text": "\u00e9\n"})])
        self.assertEqual(self.heard("2"), [])

    def test_lost(self) -> None:
        """The others hear of a loss; what is said to the lost one is lost."""
        for node in self.buses:
            self.heard(node)
        self.cluster.lose("2")
        self.buses["1"].tell("2", {"x": 1})
        self.buses["1"].tell("nobody", {"x": 1})
        self.assertEqual(self.heard("1"), [("lost", "2")])
        self.assertEqual(self.heard("3"), [("lost", "2")])

    def test_long(self) -> None:
        """A command of 64 KiB fits, whatever is in it."""
        self.heard("3")
        self.buses["1"].tell("3", {"command": "\x01" * 65535})
        self.assertEqual(self.heard("3"), [("1", {"command": "\x01" * 65535})])


class MemoryBusTests(SocketBusTests):
    """The same in memory."""

    make = InMemory


class LineTests(SynchronousTestCase):
    """What only a socket can do."""

    def test_supervisor_gone(self) -> None:
        """A worker is told when the supervisor is gone."""
        cluster = SocketCluster()
        cluster.bus("1").join(Member())
        _, far, pump = cluster.lines["1"]
        far.transport.loseConnection()
        pump.flush()
        self.assertEqual(cluster.ended, ["1"])

    @given(st.binary(max_size=40))
    def test_noise(self, noise: bytes) -> None:
        """What is no message is logged, and the next one is heard."""
        observer = EventLoggingObserver()
        globalLogPublisher.addObserver(observer)
        try:
            cluster = SocketCluster()
            buses = [cluster.bus(node) for node in ("1", "2")]
            member = Member()
            buses[0].join(Member())
            buses[1].join(member)
            cluster.flush()
            member.heard = []
            buses[0].sendString(noise)
            buses[0].tell("2", {"x": 1})
            cluster.flush()
            self.assertEqual(member.heard[-1], ("1", {"x": 1}))
        finally:
            globalLogPublisher.removeObserver(observer)
            self.flushLoggedErrors()
