"""
What the relay's page asks for.

A browser asks each second for what is on its screen, and for nothing else: the rows
that one sees, and the hybrid connection whose details are open.  What goes on in all is
counted once for everybody who looks.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from attrs import define
from twisted.internet.task import deferLater

import twisted
from hybridconn.core.live import Counts, LiveListener, LiveTunnel
from hybridconn.core.text import utc_text
from hybridconn.interfaces import ILiveRelay
from hybridconn.management.errors import bad_request, not_found
from hybridconn.management.routing import Route, route
from hybridconn.operation.version import own_version
from hybridconn.page.handler import Answer, Call
from hybridconn.relay.desk import EntityKey, entity_key
from hybridconn.relay.page.catalog import Catalog
from hybridconn.relay.traffic import INTERVAL, MOST_SAMPLES

#: Seconds for which what goes on in all is not counted again, at least and at most;
#: and how many times as long as the count took.
KEEP: Final = 1.5
KEEP_MOST: Final = 10.0
KEEP_TIMES: Final = 50
#: Hybrid connections that one question may name, and tunnels that one answer has.
MOST_ROWS: Final = 500
MOST_TUNNELS: Final = 1000
#: So many are counted at once; what a reactor has to do comes between two pieces.
PIECE: Final = 250
_ONE: Final = "/v1/connections/{ns}/{hc}"


@define
class _Sums:
    """
    What went on in all at one moment.

    @ivar good_until: then it is counted again.
    """

    good_until: float
    value: dict[str, Any]


class LookRoutes:
    """
    What can be seen.

    @param live: what goes on.
    @param can_switch: whether hybrid connections can be enabled and disabled.
    @param clock: the reactor.
    @param wall: seconds since 1970-01-01 UTC.
    """

    def __init__(
        self,
        live: ILiveRelay,
        catalog: Catalog,
        can_switch: bool,
        clock: Any,
        wall: Callable[[], float],
    ) -> None:
        self._live = live
        self._catalog = catalog
        self._can_switch = can_switch
        self._clock = clock
        self._wall = wall
        self._sums: _Sums | None = None

    def routes(self) -> Iterator[Route]:
        """All of them."""
        yield route("GET", "/v1/relay", self._relay)
        yield route("GET", "/v1/connections", self._connections)
        yield route("POST", "/v1/look", self._look, changes=False)
        yield route("POST", "/v1/traffic", self._traffic, changes=False)
        yield route("GET", "/v1/counts", self._counts)
        yield route("GET", _ONE + "/open", self._open)

    def _relay(self, call: Call) -> Answer:
        return Answer(
            {
                "version": own_version(),
                "python": platform.python_version(),
                "twisted": twisted.__version__,
                "pid": os.getpid(),
                "startedAt": utc_text(self._live.since),
                "canSwitch": self._can_switch,
            }
        )

    def _connections(self, call: Call) -> Answer:
        return Answer(body=self._catalog.body)

    async def _look(self, call: Call) -> Answer:
        keys = _keys(call.json().members().get("rows"))
        counts = await self._live.counts(keys) if keys else []
        return Answer(
            {
                "at": self._clock.seconds(),
                "now": utc_text(self._wall()),
                "revision": self._catalog.revision,
                "rows": [numbers(one) for one in counts],
                "all": await self._in_all(),
            }
        )

    async def _in_all(self) -> dict[str, Any]:
        now = self._clock.seconds()
        if self._sums is None or now >= self._sums.good_until:
            if self._sums is not None:
                # The next who asks meanwhile gets the old ones.
                self._sums.good_until = now + KEEP_MOST
            found = await self._live.sums()
            value = {
                "at": now,
                "relay": numbers(sum(found.values(), Counts())),
                "namespaces": {name: numbers(one) for name, one in found.items()},
                "refusals": dict(await self._live.refusals()),
            }
            took = self._clock.seconds() - now
            keep = min(max(KEEP, KEEP_TIMES * took), KEEP_MOST)
            self._sums = _Sums(now + keep, value)
        return self._sums.value

    async def _counts(self, call: Call) -> Answer:
        """All, for who sorts by what goes on; in the order of the list."""
        revision, keys = self._catalog.revision, self._catalog.keys
        found: list[list[int]] = []
        for first in range(0, len(keys), PIECE):
            if first:
                await deferLater(self._clock, 0)
            piece = keys[first : first + PIECE]
            found += [numbers(one) for one in await self._live.counts(piece)]
        at = self._clock.seconds()
        return Answer({"at": at, "revision": revision, "rows": found})

    async def _traffic(self, call: Call) -> Answer:
        body = call.json()
        samples = body.number("samples", 1, MOST_SAMPLES) or MOST_SAMPLES
        keys: list[tuple[str, ...]] = list(_keys(body.members().get("rows")))
        series = await self._live.traffic([(), *keys], samples)
        return Answer(
            {
                "interval": INTERVAL,
                "number": int(self._wall() / INTERVAL),
                "all": series[0],
                "rows": series[1:],
            }
        )

    async def _open(self, call: Call) -> Answer:
        key = one_of(self._catalog, call)
        most = call.number("limit", 50, MOST_TUNNELS)
        listeners = await self._live.listeners(key)
        tunnels = await self._live.tunnels(key, "", most + 1)
        return Answer(
            {
                "listeners": [_listener(one) for one in listeners],
                "tunnels": [_tunnel(one) for one in tunnels[:most]],
                "more": len(tunnels) > most,
            }
        )


def one_of(catalog: Catalog, call: Call) -> EntityKey:
    """
    The hybrid connection that a path names.

    @raise ApiError: 404, there is none.
    """
    key = catalog.find(call.values["ns"], call.values["hc"])
    if key is None:
        raise not_found(f"The hybrid connection '{call.values['hc']}'")
    return key


def numbers(one: Counts) -> list[int]:
    """As short as can be; C{store.js} knows which is which."""
    return [
        one.listeners,
        one.draining,
        one.tunnels,
        one.requests,
        one.waiting,
        one.sender_bytes + one.ended_sender_bytes,
        one.listener_bytes + one.ended_listener_bytes,
        one.tunnels + one.ended_tunnels,
        one.requests + one.ended_requests,
    ]


def _keys(value: object) -> Sequence[EntityKey]:
    if not isinstance(value, list) or len(value) > MOST_ROWS:
        raise bad_request(f"'rows' is wrong: use a list of up to {MOST_ROWS}.")
    found = []
    for one in value:
        names = one if isinstance(one, list) and len(one) == 2 else [None]
        if not all(isinstance(name, str) for name in names):
            raise bad_request("'rows' is wrong: use pairs of namespace and path.")
        found.append(entity_key(*names))
    return found


def _listener(one: LiveListener) -> dict[str, Any]:
    return {
        "id": one.id,
        "address": one.address,
        "since": utc_text(one.since),
        "connections": one.connections,
        "draining": one.draining,
        "agent": one.agent,
        "ownId": one.sb_hc_id,
        "rule": one.rule,
        "trackingId": one.tracking,
        "tokenUntil": "" if one.expires is None else utc_text(one.expires),
    }


def _tunnel(one: LiveTunnel) -> dict[str, Any]:
    return {
        "id": one.id,
        "http": one.http,
        "since": utc_text(one.since),
        "sender": one.sender,
        "listener": one.listener,
        "listenerAddress": one.listener_address,
        "rule": one.rule,
        "trackingId": one.tracking,
        "bytesFromSender": one.sender_bytes,
        "bytesFromListener": one.listener_bytes,
    }
