"""
Listeners that are connected to other processes of the same relay.

Each process tells the others of its listeners as they come and go.  To the desk a
listener of another process is one like its own: it can be chosen, and is offered
a sender by a message to its process, which writes the command to its control
channel.  The address in that command is the chooser's own, so the listener dials
the process that holds the sender, and no byte of a tunnel passes between them.

    announce   {"id", "key", "authority", "secure", "address", "port", "since",
                "sb_hc_id", "draining"}
    withdraw   {"id"}
    drain      {"id", "on"}      whether it is offered nothing new
    offer      {"id", "command"}
    not_here   {"id"}            the answer to an offer for a listener that is gone
    told       {}                a newcomer has heard of all listeners
    ask        {"n", "question"}
    answer     {"n", "value"}
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from hybridconn.core.commands import Accept, encode_accept
from hybridconn.core.limits import Limits
from hybridconn.core.listeners import ListenerRef
from hybridconn.interfaces import IClusterBus, IClusterMember, IPresence
from hybridconn.relay.control import ControlChannel
from hybridconn.relay.desk import Desk, EntityKey
from hybridconn.relay.exchange import Exchange


class RemoteListener:
    """
    A listener of another process, in the place of a L{ControlChannel}.

    @ivar connections: tunnels that run through it and this process.
    @ivar offered: senders of this process that wait for it.
    """

    online = True

    def __init__(
        self,
        node: str,
        facts: Mapping[str, Any],
        tell: Callable[[str, Mapping[str, Any]], None],
        limits: Limits,
        gone: Callable[[RemoteListener], None],
    ) -> None:
        self.node = node
        self.id: str = facts["id"]
        self.key: EntityKey = (facts["key"][0], facts["key"][1])
        self.authority: str = facts["authority"]
        self.secure: bool = facts["secure"]
        self.sb_hc_id: str | None = facts["sb_hc_id"]
        # A node of an older version does not say.
        self.draining: bool = facts.get("draining", False)
        self.connections = 0
        self.offered = 0
        self._facts = facts
        self._tell = tell
        self._limits = limits
        self._gone = gone

    def __repr__(self) -> str:
        return f"<RemoteListener {self.id} of worker {self.node}>"

    @property
    def ref(self) -> ListenerRef:
        """What a load balancer gets to know of it."""
        facts = self._facts
        return ListenerRef(
            id=f"{self.node}/{self.id}",
            address=facts["address"],
            port=facts["port"],
            connected_since=facts["since"],
            connections=self.connections,
            sb_hc_id=self.sb_hc_id,
            offered=self.offered,
        )

    def offer(self, accept: Accept) -> None:
        """
        Have the listener told of a sender.

        @raise HeadersTooLarge: the command would be too long.
        """
        self.send_command(encode_accept(accept, self._limits.max_command_bytes))

    def send_command(self, text: str) -> None:
        """Have a command written to its control channel."""
        self._tell(self.node, {"offer": {"id": self.id, "command": text}})

    def take_request(self, text: str, body: bytes, exchange: Exchange) -> bool:
        """Never: its response would come to the other process."""
        return False

    def forget_request(self, exchange: Exchange) -> None:
        """It has none."""

    def close(self, code: int, reason: str) -> None:
        """Offer it nothing more; its own process closes it."""
        self._gone(self)


@define
class _Question:
    """
    One that was asked.

    @ivar missing: nodes that did not answer yet.
    """

    missing: set[str]
    done: Deferred[Sequence[Any]]
    answers: list[Any] = field(factory=list)


def _no_answer(question: Mapping[str, Any]) -> Any:
    return None


@implementer(IPresence, IClusterMember)
class Presence:
    """
    @param bus: the way to the other processes.
    @param desk: gets their listeners.
    @ivar complete: fires when the desk knows the listeners of all the others that
        were there first.
    """

    log = Logger()

    def __init__(self, bus: IClusterBus, desk: Desk, limits: Limits) -> None:
        self._bus = bus
        self._desk = desk
        self._limits = limits
        self._ours: dict[str, tuple[EntityKey, ControlChannel]] = {}
        self._theirs: dict[tuple[str, str], RemoteListener] = {}
        self._awaited: set[str] | None = None
        self._nodes: set[str] = set()
        self._questions: dict[int, _Question] = {}
        self._numbers = itertools.count(1)
        self._answer: Callable[[Mapping[str, Any]], Any] = _no_answer
        self.node = bus.node
        self.complete: Deferred[None] = Deferred()
        bus.join(self)

    # --- IPresence ---

    def announce(self, key: EntityKey, channel: ControlChannel) -> None:
        self._ours[channel.id] = (key, channel)
        self._bus.tell(None, self._announcement(key, channel))

    def withdraw(self, channel: ControlChannel) -> None:
        if self._ours.pop(channel.id, None) is not None:
            self._bus.tell(None, {"withdraw": {"id": channel.id}})

    def drain(self, channel: ControlChannel) -> None:
        if channel.id in self._ours:
            facts = {"id": channel.id, "on": channel.draining}
            self._bus.tell(None, {"drain": facts})

    def answer_with(self, answer: Callable[[Mapping[str, Any]], Any]) -> None:
        self._answer = answer

    def ask(self, question: Mapping[str, Any]) -> Deferred[Sequence[Any]]:
        number = next(self._numbers)
        done: Deferred[Sequence[Any]] = Deferred(lambda _: self._end(number))
        self._questions[number] = _Question(set(self._nodes), done)
        self._bus.tell(None, {"ask": {"n": number, "question": question}})
        self._end_if_answered(number)
        return done

    # --- IClusterMember ---

    def welcomed(self, nodes: Sequence[str]) -> None:
        self._awaited = set(nodes)
        self._nodes |= self._awaited
        self._heard_of(None)

    def node_joined(self, node: str) -> None:
        self._nodes.add(node)
        for key, channel in self._ours.values():
            self._bus.tell(node, self._announcement(key, channel))
        self._bus.tell(node, {"told": {}})

    def node_lost(self, node: str) -> None:
        for remote in tuple(self._theirs.values()):
            if remote.node == node:
                self._forget(remote)
        self._heard_of(node)
        self._nodes.discard(node)
        for number, one in tuple(self._questions.items()):
            one.missing.discard(node)
            self._end_if_answered(number)

    def message_received(self, node: str, message: Mapping[str, Any]) -> None:
        for name, facts in message.items():
            if name == "announce":
                self._announced(node, facts)
            elif name == "told":
                self._heard_of(node)
            elif name == "offer":
                self._offered(node, facts)
            elif name == "ask":
                value = self._answer(facts["question"])
                self._bus.tell(node, {"answer": {"n": facts["n"], "value": value}})
            elif name == "answer":
                self._answered(node, facts)
            elif name == "drain":
                drained = self._theirs.get((node, facts["id"]))
                if drained is not None:
                    drained.draining = facts["on"]
            elif name in ("withdraw", "not_here"):
                remote = self._theirs.get((node, facts["id"]))
                if remote is not None:
                    self._forget(remote)

    # --- ours ---

    def _answered(self, node: str, facts: Mapping[str, Any]) -> None:
        one = self._questions.get(facts["n"])
        if one is not None and node in one.missing:
            one.missing.discard(node)
            one.answers.append(facts["value"])
            self._end_if_answered(facts["n"])

    def _end_if_answered(self, number: int) -> None:
        if not self._questions[number].missing:
            self._end(number)

    def _end(self, number: int) -> None:
        one = self._questions.pop(number)
        one.done.callback(one.answers)

    def _heard_of(self, node: str | None) -> None:
        if self._awaited is not None:
            self._awaited.discard(node or "")
            if not self._awaited:
                self._awaited = None
                self.complete.callback(None)

    @staticmethod
    def _announcement(key: EntityKey, channel: ControlChannel) -> Mapping[str, Any]:
        ref = channel.ref
        return {
            "announce": {
                "id": channel.id,
                "key": list(key),
                "authority": channel.authority,
                "secure": channel.secure,
                "address": ref.address,
                "port": ref.port,
                "since": ref.connected_since,
                "sb_hc_id": ref.sb_hc_id,
                "draining": channel.draining,
            }
        }

    def _announced(self, node: str, facts: Mapping[str, Any]) -> None:
        if (node, facts["id"]) in self._theirs:
            return
        remote = RemoteListener(node, facts, self._bus.tell, self._limits, self._forget)
        if self._desk.check_in_remote(remote.key, remote):
            self._theirs[node, remote.id] = remote

    def _offered(self, node: str, facts: Mapping[str, Any]) -> None:
        found = self._ours.get(facts["id"])
        if found is None or not found[1].online:
            self._bus.tell(node, {"not_here": {"id": facts["id"]}})
        else:
            found[1].send_command(facts["command"])

    def _forget(self, remote: RemoteListener) -> None:
        if self._theirs.pop((remote.node, remote.id), None) is not None:
            self._desk.check_out(remote.key, remote)


@implementer(IPresence)
class Alone:
    """For a relay in one process: nobody is to be told."""

    node = ""

    def announce(self, key: EntityKey, channel: ControlChannel) -> None:
        """Nobody is to be told."""

    def withdraw(self, channel: ControlChannel) -> None:
        """Nobody is to be told."""

    def drain(self, channel: ControlChannel) -> None:
        """Nobody is to be told."""

    def answer_with(self, answer: Callable[[Mapping[str, Any]], Any]) -> None:
        """Nobody asks."""

    def ask(self, question: Mapping[str, Any]) -> Deferred[Sequence[Any]]:
        """There is nobody to answer."""
        return succeed([])
