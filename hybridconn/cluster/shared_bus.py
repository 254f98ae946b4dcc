"""
Messages between relays that share a PostgreSQL database, by its notifications.

    notice    sender, number, "+" if more follows, or "." at the end; then a line break
              and a piece of the message
    message   JSON as between workers; {"hello": true} and {"bye": true} to everybody

A relay is there while it renews its lease.  When it lost the database, or counts as
gone to the others, it comes back under another name and everybody tells it everything
anew, so nothing need be remembered that may have been missed.  Meanwhile it has its own
listeners, and those of its own workers, which have a bus of their own.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import uuid4

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from zope.interface import implementer

from hybridconn.callthread import CallThread
from hybridconn.interfaces import IClusterBus, IClusterMember
from hybridconn.nap import Nap
from hybridconn.stores.errors import StoreError
from hybridconn.stores.nodes import EVERYBODY, LONGEST, Nodes, channel_of

#: Seconds between two renewals, and before the next try after a failure.
BEAT, RETRY = 2.0, 1.0
#: What stands before a piece: a name and a number.
_ROOM = 100
#: Of what a name consists; it is part of a name in the database, which has 63.
_NAME = 12


def fresh_name() -> str:
    """A name that nobody had."""
    return uuid4().hex[:_NAME]


@implementer(IClusterBus)
class SharedBus(Service):
    """
    @param nodes: the way into the database.
    @param thread: makes its calls; ended with this.
    @param group: nodes of the same one have another way to each other.  A name too.
    @param new_name: makes names that nobody had, of small letters and digits.
    @ivar node: this node's name at the moment.
    @ivar peers: the others that are there.
    """

    log = Logger()

    def __init__(
        self,
        nodes: Nodes,
        thread: CallThread,
        reactor: Any,
        group: str,
        new_name: Callable[[], str] = fresh_name,
    ) -> None:
        self._nodes = nodes
        self._thread = thread
        self._run = thread.run
        self._reactor = reactor
        self._group = group
        self._new_name = new_name
        self._member: IClusterMember | None = None
        self._doorbell: Any = None
        self._nap = Nap(reactor)
        self._broken = False
        self._down = False
        self._registered = False
        self._ended: Deferred[None] = succeed(None)
        self._outgoing: list[tuple[str, str]] = []
        self._sending = False
        self._count = 0
        self._parts: defaultdict[str, list[str]] = defaultdict(list)
        self._meanwhile: dict[str, bool] | None = None
        self.node = ""
        self.peers: set[str] = set()

    # --- IClusterBus ---

    def join(self, member: IClusterMember) -> None:
        self._member = member

    def tell(self, node: str | None, message: Mapping[str, Any]) -> None:
        if self._doorbell is None or (node is not None and node not in self.peers):
            return
        channel = EVERYBODY if node is None else channel_of(node)
        self._outgoing += [(channel, notice) for notice in self._notices(message)]
        self._flush()

    # --- Service ---

    def startService(self) -> None:
        """Join the others (Twisted)."""
        super().startService()
        self._ended = Deferred.fromCoroutine(self._live())

    def stopService(self) -> Deferred[None]:
        """Leave them (Twisted)."""
        super().stopService()
        self._thread.hurry()
        self._nap.wake()
        return self._ended

    # --- from the first hello to the last goodbye ---

    async def _live(self) -> None:
        while self.running:
            try:
                await self._enter()
                while self.running and not self._broken:
                    await self._nap.sleep(BEAT)
                    if self.running and not self._broken:
                        await self._look(lambda: self._nodes.beat(self.node))
            except StoreError as error:
                self._say(str(error))
            except Exception:  # a bug, which must not part us from the others for ever
                self.log.failure("the relays' bus failed")
            await self._exit()
            if self.running:
                await self._nap.sleep(RETRY)
        await self._run(self._nodes.close)
        self._thread.end()

    async def _enter(self) -> None:
        self._broken = False
        self.node = node = f"{self._group}_{self._new_name()}"
        doorbell = await self._run(
            lambda: self._nodes.listen(node, self._heard, self._lost)
        )
        self._doorbell = doorbell
        self._reactor.addReader(doorbell)
        (hello,) = self._notices({"hello": True})
        self._registered = True
        await self._look(lambda: self._nodes.register(node, hello))
        self._say("")

    async def _exit(self) -> None:
        doorbell, self._doorbell = self._doorbell, None
        if doorbell is not None:
            self._reactor.removeReader(doorbell)
            doorbell.close()
        if self._registered:
            # Also if we were cut off: it may be only us.
            self._registered = False
            (goodbye,) = self._notices({"bye": True})
            node = self.node
            try:
                await self._run(lambda: self._nodes.leave(node, goodbye))
            except StoreError as error:
                self.log.debug("left without a word: {error}", error=error)
        self._outgoing.clear()
        self._see([])

    async def _look(self, question: Callable[[], list[str]]) -> None:
        """
        Ask the database who is there.  What others say meanwhile is newer than its
        answer: it may have been given before they came, or left.
        """
        meanwhile: dict[str, bool] = {}
        self._meanwhile = meanwhile
        try:
            found = dict.fromkeys(await self._run(question), True)
        finally:
            self._meanwhile = None
        self._see([node for node, here in (found | meanwhile).items() if here])

    def _see(self, nodes: list[str]) -> None:
        """These are there, and nobody else."""
        here = {node for node in nodes if not node.startswith(f"{self._group}_")}
        for node in self.peers - here:
            self._gone(node)
        for node in here - self.peers:
            self._came(node)

    def _came(self, node: str) -> None:
        self.peers.add(node)
        if self._member is not None:
            self._member.node_joined(node)

    def _gone(self, node: str) -> None:
        self.peers.discard(node)
        self._parts.pop(node, None)
        if self._member is not None:
            self._member.node_lost(node)

    def _lost(self) -> None:
        self._doorbell = None
        self._break()

    def _break(self) -> None:
        self._broken = True
        self._nap.wake()

    def _say(self, trouble: str) -> None:
        if trouble and not self._down:
            self.log.error(
                "apart from the other relays: {trouble}; listeners of this one are "
                "served meanwhile",
                trouble=trouble,
            )
        elif self._down and not trouble:
            self.log.info("with the other relays again")
        self._down = bool(trouble)

    # --- out ---

    def _notices(self, message: Mapping[str, Any]) -> Iterator[str]:
        text = json.dumps(message)
        most = LONGEST - _ROOM
        for at in range(0, len(text), most):
            self._count += 1
            mark = "+" if at + most < len(text) else "."
            # The number makes each another one: the same twice is heard once.
            yield f"{self.node} {self._count} {mark}\n{text[at : at + most]}"

    def _flush(self) -> None:
        if self._sending or not self._outgoing:
            return
        now, self._outgoing = self._outgoing, []
        self._sending = True
        sent = self._run(lambda: self._nodes.send(now))
        sent.addCallbacks(self._sent, self._not_sent)

    def _sent(self, _: object) -> None:
        self._sending = False
        self._flush()

    def _not_sent(self, failure: Any) -> None:
        self._sending = False
        # Somebody missed something: all begin anew.
        self._break()
        if failure.check(StoreError) is None:
            self.log.failure("a message to other relays was not sent", failure)

    # --- in ---

    def _heard(self, notice: str) -> None:
        head, _, piece = notice.partition("\n")
        words = head.split(" ")
        # Anybody who may enter the database can send a notice.
        if len(words) != 3 or words[0].startswith(f"{self._group}_"):
            return
        sender, _, mark = words
        parts = self._parts[sender]
        parts.append(piece)
        if mark == "+":
            return
        del self._parts[sender]
        try:
            self._received(sender, json.loads("".join(parts)))
        except Exception:  # both ends are ours: a bug, which must not end the others
            self.log.failure("a message between relays could not be handled")

    def _received(self, sender: str, message: dict[str, Any]) -> None:
        here = "bye" not in message
        if self._meanwhile is not None:
            # Who heard us may answer before the database does.
            self._meanwhile[sender] = here
        if here and sender not in self.peers:
            if "hello" not in message and self._meanwhile is None:
                return
            self._came(sender)
        elif not here and sender in self.peers:
            self._gone(sender)
        if here and "hello" not in message and self._member is not None:
            self._member.message_received(sender, message)


@implementer(IClusterBus)
class BothBuses:
    """
    The workers of one relay, and other relays.

    @param workers: the way to the others of this relay.
    @param relays: the way to other relays.
    """

    def __init__(self, workers: IClusterBus, relays: SharedBus) -> None:
        self._workers = workers
        self._relays = relays

    @property
    def node(self) -> str:
        """As the other workers call this one."""
        return self._workers.node

    def join(self, member: IClusterMember) -> None:
        self._workers.join(member)
        self._relays.join(member)

    def tell(self, node: str | None, message: Mapping[str, Any]) -> None:
        if node is None or node in self._relays.peers:
            self._relays.tell(node, message)
        if node is None or node not in self._relays.peers:
            self._workers.tell(node, message)
