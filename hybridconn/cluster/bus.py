"""
Messages between the workers of one machine, through the supervisor.

    worker to hub   {"hello": "1.1"}   {"to": "2.1", "message": {...}}
    hub to worker   {"welcome": ["2.1"]}   {"joined": "2.1"}   {"lost": "2.1"}
                    {"from": "2.1", "message": {...}}

Each is a JSON object behind four bytes of length.  C{"to": null} is for everybody
else.  The socket lies in a folder that only the relay's user can enter.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, connectionDone
from twisted.logger import Logger
from twisted.protocols.basic import Int32StringReceiver
from twisted.python.failure import Failure
from zope.interface import implementer

from hybridconn.interfaces import IClusterBus, IClusterMember

#: An accept command has 64 KiB at most, and grows when it is written as JSON again.
MAX_MESSAGE = 512 * 1024


class _Peer(Int32StringReceiver):
    """Either end: JSON objects in and out."""

    MAX_LENGTH = MAX_MESSAGE
    log = Logger()

    def send(self, **fields: Any) -> None:
        """Send one object."""
        self.sendString(json.dumps(fields).encode("ascii"))

    def stringReceived(self, string: bytes) -> None:
        """An object came (Twisted)."""
        try:
            fields = json.loads(string)
            self.fields_received(fields)
        except Exception:  # both ends are ours: a bug, which must not end the others
            self.log.failure("a message between workers could not be handled")

    def fields_received(self, fields: dict[str, Any]) -> None:
        """An object came.  To be overridden."""
        raise NotImplementedError  # both subclasses do


class _WorkerLine(_Peer):
    """The hub's end of one worker."""

    factory: Hub
    node = ""

    def fields_received(self, fields: dict[str, Any]) -> None:
        if "hello" in fields:
            self.node = fields["hello"]
            self.factory.joined(self)
        elif self.node:
            self.factory.passed_on(self, fields["to"], fields["message"])

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The worker is gone (Twisted)."""
        if self.node:
            self.factory.lost(self)


class Hub(Factory):
    """
    The supervisor's side: passes messages on, and tells who is there.

    @ivar workers: by node name.
    """

    noisy = False
    protocol = _WorkerLine  # type: ignore[assignment]  # its factory is this one

    def __init__(self) -> None:
        self.workers: dict[str, _WorkerLine] = {}

    def joined(self, newcomer: _WorkerLine) -> None:
        """A worker said who it is."""
        newcomer.send(welcome=list(self.workers))
        for line in self.workers.values():
            line.send(joined=newcomer.node)
        self.workers[newcomer.node] = newcomer

    def lost(self, line: _WorkerLine) -> None:
        """A worker is gone."""
        if self.workers.get(line.node) is line:
            del self.workers[line.node]
            for other in self.workers.values():
                other.send(lost=line.node)

    def passed_on(
        self, line: _WorkerLine, to: str | None, message: Mapping[str, Any]
    ) -> None:
        """A worker says something to another, or to all of them."""
        fields = {"from": line.node, "message": message}
        if to is None:
            for node, other in self.workers.items():
                if node != line.node:
                    other.send(**fields)
        elif to in self.workers:
            self.workers[to].send(**fields)


@implementer(IClusterBus)
class BusClient(_Peer):
    """
    A worker's side.

    @param node: the worker's name; never used again by another.
    @param ended: called when the supervisor is gone.
    """

    def __init__(self, node: str, ended: Callable[[], None]) -> None:
        self.node = node
        self._ended = ended
        self._member: IClusterMember | None = None

    def connectionMade(self) -> None:
        """The supervisor is there (Twisted)."""
        self._say_hello()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The supervisor is gone (Twisted)."""
        self._ended()

    # --- IClusterBus ---

    def join(self, member: IClusterMember) -> None:
        self._member = member
        self._say_hello()

    def tell(self, node: str | None, message: Mapping[str, Any]) -> None:
        if self.connected:
            self.send(to=node, message=message)

    def _say_hello(self) -> None:
        # Not before somebody listens to the answer.
        if self.connected and self._member is not None:
            self.send(hello=self.node)

    # --- from the hub ---

    def fields_received(self, fields: dict[str, Any]) -> None:
        member = self._member
        if member is None:
            return
        if "welcome" in fields:
            member.welcomed(fields["welcome"])
        elif "joined" in fields:
            member.node_joined(fields["joined"])
        elif "lost" in fields:
            member.node_lost(fields["lost"])
        else:
            member.message_received(fields["from"], fields["message"])


class BusClientFactory(Factory):
    """Makes the one L{BusClient} that it was given."""

    noisy = False

    def __init__(self, client: BusClient) -> None:
        self._client = client

    def buildProtocol(self, addr: IAddress | None) -> BusClient:
        """The connection to the hub is there (Twisted)."""
        return self._client
