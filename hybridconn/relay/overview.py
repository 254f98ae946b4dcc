"""
What goes on at all nodes of a relay.  Each answers for what it has itself, and so does
this one; the answers are put together by whoever asked.

    {"what": "sums"}
    {"what": "refusals"}
    {"what": "counts", "keys": [[namespace, path], …]}
    {"what": "traffic", "keys": [[namespace, path], []], "samples": 60}
    {"what": "listeners", "key": …}
    {"what": "tunnels", "key": …, "after": "", "most": 100}
    {"what": "tunnel", "key": …, "id": "1.1/T7"}
    {"what": "close_listener" or "close_tunnel", "key": …, "id": …}
    {"what": "drain_listener", "key": …, "id": …, "on": true}
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from attrs import asdict, astuple
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import implementer

from hybridconn.core.live import Counts, LiveListener, LiveTunnel, order
from hybridconn.interfaces import ILiveRelay, IPresence
from hybridconn.relay.desk import Desk, EntityKey
from hybridconn.relay.live import LiveRelay
from hybridconn.relay.traffic import Sample, Traffic

#: Seconds for the other nodes' answers.
PATIENCE = 2.0

_P = ParamSpec("_P")
_T = TypeVar("_T")


def _deferred(
    method: Callable[_P, Coroutine[Any, Any, _T]],
) -> Callable[_P, Deferred[_T]]:
    @wraps(method)
    def call(*args: _P.args, **more: _P.kwargs) -> Deferred[_T]:
        return Deferred.fromCoroutine(method(*args, **more))

    return call


@implementer(ILiveRelay)
class Overview:
    """
    @param desk: of this node.
    @param presence: the way to the others.
    @param traffic: of this node.
    @param wall: seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        desk: Desk,
        presence: IPresence,
        clock: IReactorTime,
        wall: Callable[[], float],
        traffic: Traffic,
    ) -> None:
        self.since = wall()
        self._here = LiveRelay(desk, wall, presence.node)
        self._refusals = desk.refusals
        self._presence = presence
        self._traffic = traffic
        self._clock = clock
        presence.answer_with(self._answer)

    @_deferred
    async def sums(self) -> Mapping[str, Counts]:
        sums: dict[str, Counts] = defaultdict(Counts)
        for answer in await self._ask(what="sums"):
            for namespace, counts in answer.items():
                sums[namespace] += Counts(*counts)
        return sums

    @_deferred
    async def refusals(self) -> Mapping[str, int]:
        sums: Counter[str] = Counter()
        for answer in await self._ask(what="refusals"):
            sums.update(answer)
        return sums

    @_deferred
    async def counts(self, keys: Sequence[tuple[str, ...]]) -> Sequence[Counts]:
        sums = [Counts()] * len(keys)
        for answer in await self._ask(what="counts", keys=[list(key) for key in keys]):
            for number, counts in enumerate(answer):
                sums[number] += Counts(*counts)
        return sums

    @_deferred
    async def traffic(
        self, keys: Sequence[tuple[str, ...]], samples: int
    ) -> Sequence[Sequence[Sample]]:
        asked = [list(key) for key in keys]
        sums: list[dict[int, tuple[int, int]]] = [{} for _ in keys]
        for answer in await self._ask(what="traffic", keys=asked, samples=samples):
            for sum_, series in zip(sums, answer, strict=True):
                for number, sender, listener in series:
                    before = sum_.get(number, (0, 0))
                    sum_[number] = before[0] + sender, before[1] + listener
        return [[(n, *sum_[n]) for n in sorted(sum_)] for sum_ in sums]

    @_deferred
    async def listeners(self, key: tuple[str, ...]) -> Sequence[LiveListener]:
        answers = await self._ask(what="listeners", key=list(key))
        found = [LiveListener(**one) for answer in answers for one in answer]
        return sorted(found, key=lambda one: order(one.id))

    @_deferred
    async def tunnels(
        self, key: tuple[str, ...], after: str, most: int
    ) -> Sequence[LiveTunnel]:
        answers = await self._ask(what="tunnels", key=list(key), after=after, most=most)
        found = [LiveTunnel(**one) for answer in answers for one in answer]
        return sorted(found, key=lambda one: order(one.id))[:most]

    @_deferred
    async def tunnel(self, key: tuple[str, ...], id: str) -> LiveTunnel | None:
        for answer in await self._ask(what="tunnel", key=list(key), id=id):
            return LiveTunnel(**answer)
        return None

    @_deferred
    async def close_listener(self, key: tuple[str, ...], id: str) -> bool:
        return any(await self._ask(what="close_listener", key=list(key), id=id))

    @_deferred
    async def drain_listener(self, key: tuple[str, ...], id: str, on: bool) -> bool:
        return any(await self._ask(what="drain_listener", key=list(key), id=id, on=on))

    @_deferred
    async def close_tunnel(self, key: tuple[str, ...], id: str) -> bool:
        return any(await self._ask(what="close_tunnel", key=list(key), id=id))

    async def _ask(self, **question: Any) -> list[Any]:
        here = self._answer(question)
        asked = self._presence.ask(question)
        others = await asked.addTimeout(PATIENCE, self._clock)
        return [answer for answer in (here, *others) if answer is not None]

    def _answer(self, question: Mapping[str, Any]) -> Any:
        """
        For this node.

        @return: what can be written as JSON; L{None} if it has nothing to say.
        """
        here, what = self._here, question["what"]
        if what == "sums":
            # Messages of the bus are bounded, and namespaces may be many.
            return {name: astuple(counts) for name, counts in here.sums().items()}
        if what == "refusals":
            return dict(self._refusals)
        if what == "counts":
            return [astuple(here.counts(_key(key))) for key in question["keys"]]
        if what == "traffic":
            self._traffic.want()
            keys, samples = question["keys"], question["samples"]
            return [
                self._traffic.of(_key(key) if key else None, samples) for key in keys
            ]
        key = _key(question["key"])
        if what == "listeners":
            return [asdict(one) for one in here.listeners(key)]
        if what == "tunnels":
            after, most = question["after"], question["most"]
            return [asdict(one) for one in here.tunnels(key, after, most)]
        if what == "tunnel":
            found = here.tunnel(key, question["id"])
            return None if found is None else asdict(found)
        if what == "close_listener":
            return here.close_listener(key, question["id"])
        if what == "drain_listener":
            channel = here.drain_listener(key, question["id"], question["on"])
            if channel is not None:
                self._presence.drain(channel)
            return channel is not None
        if what == "close_tunnel":
            return here.close_tunnel(key, question["id"])
        return None


def _key(names: Sequence[str]) -> EntityKey:
    namespace, path = names
    return namespace, path
